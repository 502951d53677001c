"""The first rows of an object, in every form that an action writes, and in forms that others wrote."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.formats import make
from pipeline.web.evidence.preview import CELL_MAX, ROWS_MAX, SHOWN_BYTES, preview

ROWS: list[dict[str, Any]] = [
    {"n": 1, "at": "a,b"},
    {"n": 2.5, "at": None},
    {"n": None, "at": "=cmd()", "more": {"x": [1]}},
]
CSV = {
    **{"type": "csv", "column_order": [], "other_columns": "append", "null": "", "header": True, "delimiter": ","},
    **{"line_end": "lf", "escape_formulas": False, "except": []},
}
PARQUET = {
    **{"type": "parquet", "schema": {"type": "inferred"}, "default_compression": "snappy", "enable_dictionary": True},
    **{"data_page_header_version": 1, "max_row_group_bytes": 1 << 20, "except": []},
}


def written(settings: dict[str, Any], compression: str = "none") -> bytes:
    """An object of this container."""
    container = make(settings, compression=compression)
    return container.encode(b"".join(map(container.line, ROWS)))


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_json_lines_are_a_table_and_a_text(compression: str) -> None:
    """Columns in the order in which they appear, a missing value is none, and the raw text is there beside."""
    found = preview(written({"type": "json_lines"}, compression), whole=True, content_type="application/jsonl")

    assert (found["form"], found["compression"], found["cut"]) == ("json_lines", compression, False)
    assert found["columns"] == ["n", "at", "more"]
    assert found["rows"] == [["1", "a,b", None], ["2.5", None, None], [None, "=cmd()", '{"x": [1]}']]
    assert found["text"].startswith('{"n":1,"at":"a,b"}\n')


def test_csv_and_parquet_are_tables() -> None:
    """Quoted cells are one cell; Parquet has no raw text."""
    of_csv = preview(written(CSV, "gzip"), whole=True, content_type="text/csv")
    of_parquet = preview(written(PARQUET), whole=True, content_type="application/vnd.apache.parquet")

    assert (of_csv["form"], of_csv["columns"]) == ("csv", ["at", "more", "n"])
    assert of_csv["rows"][0][0] == "a,b"
    assert (of_parquet["form"], of_parquet["columns"], of_parquet["text"]) == ("parquet", ["n", "at", "more"], None)
    assert of_parquet["rows"][:2] == [["1.0", "a,b", None], ["2.5", None, None]]


def test_one_message_an_object_is_a_row_and_any_text_is_shown() -> None:
    """A JSON object, a JSON array of objects, a plain text, nothing at all, and bytes that are no text."""
    assert preview(b'{\n"a": 1}', whole=True, content_type="application/json")["rows"] == [["1"]]
    assert preview(b'[{"a": 1}, {"b": 2}]', whole=True, content_type="")["rows"] == [["1", None], [None, "2"]]
    assert preview("Köln <b>".encode(), whole=True, content_type="")["text"] == "Köln <b>"
    assert preview(b"", whole=True, content_type="")["form"] == "text"
    assert preview(b"\xff\xfe\x00", whole=True, content_type="")["form"] == "binary"
    assert preview(b"\x1f\x8bno gzip", whole=True, content_type="")["problem"]
    assert preview(b"PAR1 and nothing", whole=True, content_type="")["problem"]
    assert "too large" in (preview(b"PAR1", whole=False, content_type="")["problem"] or "")


def test_a_beginning_ends_with_a_whole_line() -> None:
    """Half a line, and half a letter, are not shown as a row."""
    found = preview('{"a": 1}\n{"a": "Kö'.encode()[:-1], whole=False, content_type="application/jsonl")

    assert (found["rows"], found["cut"]) == ([["1"]], True)


def test_what_is_shown_has_a_limit() -> None:
    """Rows, cells, and what a small object becomes when it is decompressed."""
    many = preview(b'{"a": 1}\n' * 5_000, whole=True, content_type="application/jsonl")
    long = preview(b'{"a": "%s"}\n' % (b"x" * 100_000), whole=True, content_type="application/jsonl")
    from pipeline.formats import compression

    bomb = preview(compression.make("gzip")(b"x" * (20 * SHOWN_BYTES)), whole=True, content_type="")

    assert (len(many["rows"]), many["cut"]) == (ROWS_MAX, True)
    assert len(long["rows"][0][0]) == CELL_MAX + 1
    assert len(bomb["text"]) < SHOWN_BYTES
    assert bomb["cut"]


@pytest.mark.parametrize("line", [b'{"a": "\\ud800"}\n', b'{"a": 1e999}\n', b'{"a":' * 100_000, b'{"": {"$b64": 1}}\n'])
def test_what_json_can_say_and_text_cannot(line: bytes) -> None:
    """Half a surrogate pair, an infinite number, endless nesting: the preview can be sent."""
    import orjson

    assert orjson.dumps(preview(line, whole=True, content_type="application/jsonl"))
