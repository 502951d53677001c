"""Raw lines: each line is the bytes of one field, for payloads that are lines already (syslog, line protocol)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.errors import EncodeError
from pipeline.formats.container import Container
from pipeline.formats.lines import as_they_are, count, texts
from pipeline.formats.text import text_of
from pipeline.sql.runtime.values import Row, octets, shown

__all__ = ["count", "make", "texts"]


def make(settings: Mapping[str, Any], schemas: object) -> Container:
    """Lines of one field: an object is the unchanged lines of the chunk."""
    field = settings["field"]

    def line(row: Row) -> bytes:
        if field not in row:
            raise EncodeError(f"expected a field {field!r} in the row, found: {', '.join(row) or 'none'}")
        text = text_of(row[field])
        if text is None:
            raise EncodeError(f"expected a value in the field {field!r}, found {shown(row[field])}")
        content = octets(text).removesuffix(b"\n")  # a payload may be a line with its end
        if b"\n" in content:
            raise EncodeError(f"{field} holds a line break, which would make two lines: {shown(row[field])}")
        return content + b"\n"

    return Container(line, as_they_are, {"content-type": "text/plain"})
