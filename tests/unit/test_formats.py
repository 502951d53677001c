"""Containers and compressions: exact bytes, what each refuses, and that every reader reads them."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ConfigError, EncodeError
from pipeline.formats import read_rows, row_texts
from pipeline.formats.container import CONTAINERS
from pipeline.sql.runtime.values import UNDEFINED
from tests.parts.containers import build, encoded, parameters

JSON_LINES = {"type": "json_lines"}
ROWS = [{"a": 1, "b": "x"}, {"b": "y", "c": None}]


# --- JSON Lines and raw lines


def test_json_lines_are_the_rows() -> None:
    """Nested values stay nested, undefined is null, and integers keep all digits."""
    rows = [{"a": {"b": [1, 2.5]}, "u": UNDEFINED}, {"big": 2**70}]

    assert encoded(build(JSON_LINES), rows) == b'{"a":{"b":[1,2.5]},"u":null}\n{"big":1180591620717411303424}\n'


def test_json_lines_refuse_what_json_cannot_hold() -> None:
    """Bytes that are not UTF-8 are an error of one record."""
    with pytest.raises(EncodeError, match="not UTF-8"):
        build(JSON_LINES).line({"a": b"\xff"})


def test_raw_lines_are_the_very_bytes() -> None:
    """A raw line is the exact bytes of one field."""
    container = build({"type": "raw_lines", "field": "payload"})

    assert encoded(container, [{"payload": b"\xff\x00", "a": 1}, {"payload": {"x": [72]}}]) == b'\xff\x00\n{"x":[72]}\n'
    assert container.headers == {"content-type": "text/plain"}


@pytest.mark.parametrize(
    ("row", "said"),
    [({"a": 1}, "'payload'"), ({"payload": "x\ny"}, "line break"), ({"payload": UNDEFINED}, "undefined")],
)
def test_raw_lines_refuse_what_would_not_be_one_line(row: dict[str, Any], said: str) -> None:
    """A missing field, and a text of two lines, are refused."""
    with pytest.raises(EncodeError, match=said):
        build({"type": "raw_lines"}).line(row)


# --- CSV


def test_csv_puts_declared_columns_first_and_all_others_sorted() -> None:
    """Declared columns come first even if no row has them, and all other columns follow sorted."""
    content = encoded(build({"type": "csv", "column_order": ["z", "b"]}), [{"b": 1, "d": 2}, {"c": 3, "a": UNDEFINED}])

    assert content == b"z,b,a,c,d\n,1,,,2\n,,,3,\n"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("plain text", "plain text"),
        ("a,b", '"a,b"'),
        ('say "x"', '"say ""x"""'),
        ("two\nlines", '"two\nlines"'),
        ("[1]", '"[1]"'),
        ([72, 105], '"[72,105]"'),
        ([], '"[]"'),
        ({}, "{}"),
        ({"a": 1}, '"{""a"":1}"'),
        (True, "true"),
        (None, "null"),
        (UNDEFINED, ""),
        (0.0, "0.0"),
        (1 / 3, "0.3333333333333333"),
        (1e-12, "1e-12"),
        (31.333846775201351, "31.33384677520135"),
        (10**20, "100000000000000000000"),
    ],
)
def test_a_cell_is_the_text_of_its_value(value: Any, cell: str) -> None:
    """A cell is quoted only if it holds a bracket, a delimiter, a line break or a quote."""
    assert encoded(build({"type": "csv", "header": False}), [{"a": value, "b": 1}]).decode() == f"{cell},1\n"


def test_csv_keeps_bytes_that_are_not_utf8() -> None:
    """Bytes that are not UTF-8 stay unchanged in a cell."""
    assert encoded(build({"type": "csv"}), [{"a": b"\xff\xfe", "ä": "ö"}]) == b"a,\xc3\xa4\n\xff\xfe,\xc3\xb6\n"


def test_csv_does_what_its_settings_say() -> None:
    """Delimiter, line end, text of null and header follow the settings, and a delimiter in a cell or name is quoted."""
    container = build({"type": "csv", "delimiter": ";", "line_end": "crlf", "null": "\\N", "column_order": ["x;y"]})

    assert encoded(container, [{"x;y": "1;2", "z": None}]) == b'"x;y";z\r\n"1;2";\\N\r\n'
    assert encoded(build({"type": "csv", "header": False}), [{"a": 1}]) == b"1\n"


def test_csv_of_declared_columns_alone() -> None:
    """Other fields are left out, or the record is refused, as the setting says."""
    ignoring = build({"type": "csv", "column_order": ["a"], "other_columns": "ignore"})
    assert encoded(ignoring, [{"b": 1, "a": 2}, {"b": 1}]) == b'a\n2\n""\n'
    with pytest.raises(EncodeError, match="found also 'b'"):
        build({"type": "csv", "column_order": ["a"], "other_columns": "dead_letter"}).line({"a": 1, "b": 1})
    with pytest.raises(ConfigError, match="expected a column_order"):
        build({"type": "csv", "other_columns": "ignore"})


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["", '"', "\r\n", "a\nb", ",", "["]
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), TEXTS, min_size=1), min_size=1, max_size=6))
def test_a_csv_reader_reads_every_cell_back(rows: list[dict[str, str]]) -> None:
    """A CSV reader reads every text back, and `verify` counts the rows without a reader."""
    settings = parameters({"type": "csv"})
    content = encoded(build({"type": "csv"}), rows)

    found = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [{name: cell for name, cell in row.items() if cell} for row in found] == [
        {name: cell for name, cell in row.items() if cell} for row in rows
    ]
    assert read_rows(content, settings) == (len(rows), None)


# --- Parquet

AVRO = {
    "type": "record",
    "name": "Reading",
    "namespace": "n",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "temp", "type": ["null", "double"], "default": None},
        {"name": "count", "type": "int", "default": 7},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": ["null", {"type": "int", "logicalType": "date"}]},
        {"name": "raw", "type": ["bytes", "null"]},
        {"name": "price", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 5, "scale": 2}]},
        {"name": "tags", "type": ["null", {"type": "array", "items": "string"}]},
        {"name": "attributes", "type": ["null", {"type": "map", "values": ["null", "long"]}]},
        {"name": "kind", "type": ["null", {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}]},
        {"name": "again", "type": ["null", "Kind"]},
        {
            "name": "place",
            "type": ["null", {"type": "record", "name": "P", "fields": [{"name": "x", "type": "float"}]}],
        },
    ],
}


def parquet(**settings: Any) -> dict[str, Any]:
    return {"type": "parquet", **settings}


def inline(schema: Any, **settings: Any) -> dict[str, Any]:
    return parquet(schema={"type": "avro_inline", "def": json.dumps(schema)}, **settings)


def record(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields)}


def table(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


def test_declared_columns_are_read_back_as_they_were() -> None:
    """Values of every type are read back, and fields that are not declared are left out."""
    full = {
        "id": "a", "temp": 21, "count": 3.0, "at": 1_700_000_000_000_001, "day": "2026-01-02", "raw": b"\xff", "price": 1.5,
        "tags": ["x", "y"], "attributes": {"k": 1, "l": None}, "kind": "A", "again": "B", "place": {"x": 0.5}, "other": 1,
    }  # fmt: skip
    content = encoded(build(inline(AVRO)), [full, {"id": "b", "at": "2026-01-02T03:04:05.000006Z"}])

    first, second = table(content)
    assert {name: str(first[name]) for name in ("at", "day", "price")} == {
        "at": "2023-11-14 22:13:20.000001+00:00",
        "day": "2026-01-02",
        "price": "1.50",
    }
    assert first["raw"] == b"\xff"
    assert first["attributes"] == [("k", 1), ("l", None)]
    assert (first["temp"], first["count"], first["kind"], first["again"]) == (21.0, 3, "A", "B")
    assert (first["tags"], first["place"]) == (["x", "y"], {"x": 0.5})
    assert "other" not in first
    assert str(second.pop("at")) == "2026-01-02 03:04:05.000006+00:00"
    assert {name for name, value in second.items() if value is not None} == {"id", "count"}
    assert second["count"] == 7


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "column id: expected a string in UTF-8, found null"),
        ({"id": UNDEFINED}, "column id: expected a string in UTF-8, found undefined"),
        ({"temp": "hot"}, "column temp: expected a number, found string 'hot'"),
        ({"count": 2**31}, "column count: expected an integer of 32 bits"),
        ({"at": "yesterday"}, "column at: expected an ISO 8601 time with a zone"),
        ({"price": 1.234}, "column price: expected a number of 5 digits, 2 of them decimals"),
        ({"price": 12345}, "column price"),
        ({"tags": ["x", 1]}, r"column tags\[2\]: expected a string"),
        ({"attributes": {"k": "v"}}, r"column attributes.k: expected an integer"),
        ({"kind": "C"}, "column kind: expected one of A, B"),
        ({"place": {}}, "column place.x: required"),
    ],
)
def test_a_value_that_its_column_cannot_hold_is_one_records_error(change: dict[str, Any], said: str) -> None:
    """The error names the column, what was expected and what was found."""
    with pytest.raises(EncodeError, match=said):
        build(inline(AVRO)).line({"id": "a", "at": 0, **change})


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (inline("string"), "expected an Avro record schema"),
        (parquet(schema={"type": "avro_inline", "def": "{"}), "the Avro schema is refused"),
        (inline(record()), "with fields, found none"),
        (inline(record({"name": "a", "type": ["int", "string"]})), "a: expected a union"),
        (inline(record({"name": "a", "type": ["null", "R"]})), "a: the type 'R' is recursive"),
        (inline(record({"name": "a", "type": "int", "default": "x"})), "Avro schema is refused|default value"),
        (parquet(schema={"type": "avro_ref", "name": "s"}), "parquet_schema_not_found: no schema 's'; there are: j"),
        (parquet(schema={"type": "avro_ref", "name": "j"}), "parquet_schema_wrong_type"),
    ],
)
def test_a_schema_without_columns_is_refused_at_creation(container: dict[str, Any], said: str) -> None:
    """Each schema without columns is refused with its reason."""
    with pytest.raises(ConfigError, match=said):
        build(container, schemas={"j": ("json", "{}")})


def test_a_registered_schema_declares_columns() -> None:
    """A registered schema gives the same object as the same schema in place."""
    rows = [{"id": "a", "at": 0}]
    referring = build(parquet(schema={"type": "avro_ref", "name": "r"}), schemas={"r": ("avro", json.dumps(AVRO))})

    assert encoded(referring, rows) == encoded(build(inline(AVRO)), rows)


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_parquet_compresses_as_told(compression: str) -> None:
    """Parquet compresses each column as the setting says."""
    content = encoded(build(parquet(default_compression=compression)), ROWS)

    found = pq.read_metadata(io.BytesIO(content)).row_group(0).column(0).compression
    assert found == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


def test_parquet_is_written_for_old_readers_if_told() -> None:
    """Parquet can be written without dictionaries and with data pages of version 1."""
    rows = [{"s": "the same text"} for _ in range(100)]
    new = encoded(build(parquet()), rows)
    plain = encoded(build(parquet(enable_dictionary=False)), rows)
    older = encoded(build(parquet(data_page_header_version=1)), rows)

    columns = [pq.read_metadata(io.BytesIO(content)).row_group(0).column(0) for content in (new, plain)]
    assert [column.has_dictionary_page for column in columns] == [True, False]
    assert older != new
    assert table(older) == table(plain) == table(new) == rows


def test_row_groups_stay_below_their_bound() -> None:
    """Many batches become several row groups with all rows."""
    rows = [{"n": number, "text": "x" * 1000} for number in range(5000)]
    content = encoded(build(parquet(max_row_group_bytes=1 << 20, default_compression="none")), rows)

    metadata = pq.read_metadata(io.BytesIO(content))
    assert metadata.num_row_groups >= 4
    assert all(metadata.row_group(each).total_byte_size < 3 << 20 for each in range(metadata.num_row_groups))
    assert [row["n"] for row in table(content)] == list(range(5000))


# --- All of them

EVERY = [JSON_LINES, {"type": "csv"}, {"type": "raw_lines", "field": "b"}, parquet(), inline(AVRO)]


EVERY_WAY = [
    (each, compression)
    for each in EVERY
    for compression in ("none", "gzip", "zstd")
    if compression == "none" or each["type"] != "parquet"
]


@pytest.mark.parametrize(
    ("container", "compression"), EVERY_WAY, ids=lambda each: each["type"] if isinstance(each, dict) else each
)
def test_the_same_rows_give_the_same_bytes_and_are_counted(container: dict[str, Any], compression: str) -> None:
    """The same rows give the same bytes, and `verify` counts them and hashes stored lines."""
    rows = [{"id": str(number), "at": number, "b": "x" * number} for number in range(100)]
    settings = parameters(container, compression=compression)
    first, second = (encoded(build(container, compression=compression), rows) for _ in range(2))

    assert first == second
    lines = b"".join(map(build(container).line, rows))
    digest = hashlib.sha256(lines).hexdigest() if container["type"] in ("json_lines", "raw_lines") else None
    assert read_rows(first, settings) == (100, digest)
    assert len(set(row_texts(first, settings))) == 100
    assert row_texts(encoded(build(container), rows[7:9]), parameters(container)) == row_texts(first, settings)[7:9]
    with pytest.raises(ValueError, match=r"\w \w"):
        read_rows(first[: len(first) // 2 + 1], settings)


def test_every_container_is_tested_and_in_the_manual() -> None:
    """Each is among those that all have to do the same, and has its row in the manual's table."""
    manual = (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")

    assert {each["type"] for each in EVERY} == set(CONTAINERS)
    assert set(re.findall(r"^\| `(\w+)`", manual, re.MULTILINE)) - {"type"} == set(CONTAINERS)


def test_gzip_and_zstd_are_what_they_say() -> None:
    """Other programs read the output, it has no time stamp, and levels have an effect."""
    rows = [{"s": f"device {number % 37} of {number % 11} says {number // 3}"} for number in range(2000)]
    plain = encoded(build(JSON_LINES), rows)
    packed = encoded(build(JSON_LINES, compression="gzip"), rows)
    framed = build(JSON_LINES, compression="zstd", compression_level=19)

    assert gzip.decompress(packed) == plain
    assert packed[4:8] == bytes(4)
    assert pa.input_stream(pa.py_buffer(encoded(framed, rows)), compression="zstd").read() == plain
    assert framed.headers == {"content-type": "application/jsonl", "content-encoding": "zstd"}
    assert len(encoded(framed, rows)) < len(encoded(build(JSON_LINES, compression="zstd"), rows))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"container": parquet(), "compression": "gzip"}, "compresses inside, found gzip"),
        ({"compression_level": 3}, "expected no compression_level"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(others: dict[str, Any], said: str) -> None:
    """Contradicting settings are refused with what was found."""
    with pytest.raises(ValueError, match=said):
        parameters(others.pop("container", JSON_LINES), **others)


def test_a_level_that_a_compression_does_not_have_is_refused() -> None:
    """A refused level gives the range of allowed levels."""
    with pytest.raises(ConfigError, match="0 to 3 for gzip, found 9"):
        build(JSON_LINES, compression="gzip", compression_level=9)
