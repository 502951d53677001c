"""CSV by RFC 4180: a header line with the columns, and one record for each row.

Declared columns come first, in their order. By default, all other columns that any row of the object has follow, sorted. A chunk
holds a row as its cells: {column: text, or null if the value is missing}.

A cell is quoted if it holds a bracket, the delimiter, a line break or a quote. Brackets are quoted because some readers take an
unquoted bracket for the beginning of a list. Bytes that are not UTF-8 stay unchanged.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from pipeline.errors import ConfigError, EncodeError
from pipeline.formats.container import Container
from pipeline.formats.lines import batches
from pipeline.formats.text import text_of
from pipeline.sql.runtime.values import Row

Cells = dict[str, str | None]

_decode_lines = msgspec.json.Decoder(Cells).decode_lines
_encode = msgspec.json.Encoder().encode
_LINE_ENDS: Final = {"lf": "\n", "crlf": "\r\n"}
# Full-width forms count in some languages of Excel.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_OTHER_DELIMITERS: Final = ";\t"  # a spreadsheet of another country may end a cell at these
_QUOTED: Final = re.compile(rb'"[^"]*"')


def make(settings: Mapping[str, Any], schemas: object) -> Container:
    """CSV with these settings. Raises ConfigError for settings that contradict each other."""
    if settings["other_columns"] != "append" and not settings["column_order"]:
        raise ConfigError(f'expected a column_order with other_columns "{settings["other_columns"]}", found none')
    return Container(_line(settings), _Writer(settings).encode, {"content-type": "text/csv"})


def count(content: bytes, settings: Mapping[str, Any]) -> int:
    """The number of rows, without the header. Raises ValueError if the last row is not whole."""
    outside = _QUOTED.sub(b"", content)
    if b'"' in outside:
        raise ValueError("a quoted cell is not closed")
    if outside[-1:] not in (b"", b"\n"):
        raise ValueError("the last line is not whole")
    lines = outside.count(b"\n")
    if settings["header"] and not lines:
        raise ValueError("the header is not there")
    return lines - 1 if settings["header"] else lines


def texts(content: bytes, settings: Mapping[str, Any]) -> list[bytes]:
    """Each row as one text: its cells with the columns that they are in. Raises ValueError for cells that cannot be read."""
    text = io.StringIO(content.decode(errors="surrogateescape"), newline="")
    try:
        rows = list(csv.reader(text, delimiter=settings["delimiter"]))
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from None
    columns = rows.pop(0) if settings["header"] and rows else []
    return [json.dumps([columns, row]).encode() for row in rows]


def _line(settings: Mapping[str, Any]) -> Callable[[Row], bytes]:
    declared, others, null = frozenset(settings["column_order"]), settings["other_columns"], settings["null"]
    escape = _escaped if settings["escape_formulas"] else None

    def line(row: Row) -> bytes:
        cells: dict[str, str | None] = {}
        for name, value in row.items():
            if others != "append" and name not in declared:
                if others == "dead_letter":
                    raise EncodeError(f"expected the columns {', '.join(sorted(declared))}, found also {name!r}")
                continue
            kind = type(value)
            if kind is float:
                text: Any = repr(value)  # the fewest digits that read back the same
            else:
                text = null if value is None else text_of(value)
                if type(text) is bytes:
                    text = text.decode(errors="surrogateescape")
                if escape and text and kind is not int:
                    text = escape(text)
            cells[name] = text
        try:
            return _encode(cells) + b"\n"
        except UnicodeEncodeError:  # bytes that are not UTF-8
            return json.dumps(cells).encode() + b"\n"

    return line


def _escaped(text: str) -> str:
    """A text that no spreadsheet takes for a formula. Source: OWASP, "CSV Injection"."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _rows(lines: bytes) -> Iterator[Cells]:
    for batch in batches(lines):
        try:
            yield from _decode_lines(batch)
        except msgspec.DecodeError:  # bytes that are not UTF-8
            yield from map(json.loads, batch.splitlines())


class _Writer:
    """Makes an object from the lines of a chunk. Keeps no state between objects."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._declared: Sequence[str] = settings["column_order"]
        self._append = settings["other_columns"] == "append"
        self._header: bool = settings["header"]
        self._delimiter: str = settings["delimiter"]
        self._escape: bool = settings["escape_formulas"]
        self._end = _LINE_ENDS[settings["line_end"]]
        quoted = self._delimiter + (_OTHER_DELIMITERS if self._escape else "")
        self._special = re.compile(r'[\[\],\r\n"' + re.escape(quoted) + "]").search

    def encode(self, lines: bytes) -> bytes:
        """The object's bytes."""
        columns = self._columns(lines)
        content = bytearray()
        if self._header:
            content += self._record([_escaped(name) for name in columns] if self._escape else columns)
        places = {name: place for place, name in enumerate(columns)}
        missing = [""] * len(columns)
        for cells in _rows(lines):
            texts = missing.copy()
            for name, text in cells.items():
                if text:
                    texts[places[name]] = self._cell(text)
            content += self._line_of(texts)
        return bytes(content)

    def _columns(self, lines: bytes) -> list[str]:
        if not self._append:
            return list(self._declared)
        found: dict[str, None] = {}
        for cells in _rows(lines):
            found.update(dict.fromkeys(cells))
        return [*self._declared, *sorted(found.keys() - set(self._declared))]

    def _record(self, texts: Sequence[str]) -> bytes:
        return self._line_of([self._cell(text) for text in texts])

    def _line_of(self, texts: Sequence[str]) -> bytes:
        record = self._delimiter.join(texts)
        if not record and len(texts) == 1:
            record = '""'  # readers would ignore an empty line
        return (record + self._end).encode(errors="surrogateescape")

    def _cell(self, text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if self._special(text) else text
