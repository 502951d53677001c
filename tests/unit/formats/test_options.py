"""What containers do only if they shall: fields left out, headers, formulas, the ends of raw lines."""

from __future__ import annotations

import gzip
from copy import deepcopy
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import EncodeError
from tests.parts.containers import build, encoded

JSON_LINES = {"type": "json_lines"}
ROWS: list[dict[str, Any]] = [{"a": 1, "b": "x"}, {"b": "y", "c": None}]


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"type": "json_lines"}, b'{"a":1}\n{"c":null}\n'),
        ({"type": "csv"}, b"a,c\n1,\n,null\n"),
    ],
)
def test_a_field_that_is_left_out_is_in_no_row(container: dict[str, Any], expected: bytes) -> None:
    """The key has it already. The row itself is not changed: templates of the key read it."""
    rows = deepcopy(ROWS)

    assert encoded(build(container | {"except": ["b", "not there"]}), rows) == expected
    assert rows == ROWS


def test_an_inferred_column_is_left_out() -> None:
    """Of Parquet too."""
    content = encoded(build({"type": "parquet", "except": ["b"]}), ROWS)

    assert pq.read_table(pa.BufferReader(content)).column_names == ["a"]


@pytest.mark.parametrize(
    "container",
    [
        {"type": "csv", "column_order": ["a", "b"], "except": ["b"]},
        {"type": "parquet", "schema": {"type": "avro_ref", "name": "s"}, "except": ["b"]},
        {"type": "raw_lines", "except": ["b"]},
    ],
)
def test_what_is_declared_cannot_be_left_out(container: dict[str, Any]) -> None:
    """One of the two settings is a mistake."""
    with pytest.raises(ValueError, match="except"):
        build(container)


def test_a_column_of_csv_is_ordered_once() -> None:
    """A reader would find two columns of one name."""
    with pytest.raises(ValueError, match="expected each column once, found a, c more than once"):
        build({"type": "csv", "column_order": ["a", "c", "b", "c", "a"]})


@pytest.mark.parametrize(("content_encoding", "found"), [(True, "gzip"), (False, None)])
def test_the_compression_is_named_in_a_header_if_it_shall_be(content_encoding: bool, found: str | None) -> None:
    """The bytes are compressed either way."""
    container = build(JSON_LINES, compression="gzip", content_encoding=content_encoding)

    assert container.headers.get("content-encoding") == found
    assert gzip.decompress(encoded(container, ROWS[:1])) == b'{"a":1,"b":"x"}\n'


def test_one_line_break_at_the_end_of_a_payload_is_its_end() -> None:
    """Devices send lines with their end; the second one would be an empty line."""
    container = build({"type": "raw_lines"})

    assert encoded(container, [{"payload": "x\n"}, {"payload": b"y\r\n"}, {"payload": ""}]) == b"x\ny\r\n\n"
    with pytest.raises(EncodeError, match="line break"):
        container.line({"payload": "x\n\n"})


def test_formulas_are_escaped_if_they_shall_be() -> None:
    """Texts and names of columns that a spreadsheet would run. Numbers are numbers."""
    row = {
        "=a": "=1+1",
        "b": "+x",
        "c": -5,
        "d": -0.5,
        "e": "@x",
        "f": "\tx",
        "g": "x=1",
        "h": b"-x",
        "i": None,
        "j": [1],
    }

    assert encoded(build({"type": "csv", "escape_formulas": True}), [row]).decode() == (
        "'=a,b,c,d,e,f,g,h,i,j\n'=1+1,'+x,-5,-0.5,'@x,\"'\tx\",x=1,'-x,null,\"[1]\"\n"
    )
    assert encoded(build({"type": "csv"}), [row]).decode().startswith("=a,b,")


@pytest.mark.parametrize("first", ["\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_every_character_that_may_begin_a_formula_is_escaped(first: str) -> None:
    """Full-width signs too, as Excel reads them in some languages."""
    written = encoded(build({"type": "csv", "escape_formulas": True, "header": False}), [{"a": first + "1+1"}])

    assert written.decode().removeprefix('"').startswith(f"'{first}1+1")


def test_a_cell_does_not_end_at_another_country_s_delimiter() -> None:
    """A spreadsheet that splits at semicolons or tabs finds them quoted."""
    row = {"a": "x;=1+1", "b": "x\t=1+1"}

    assert encoded(build({"type": "csv", "escape_formulas": True, "header": False}), [row]) == b'"x;=1+1","x\t=1+1"\n'
    assert encoded(build({"type": "csv", "header": False}), [row]) == b"x;=1+1,x\t=1+1\n"
