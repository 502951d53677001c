"""JSON Lines: one JSON object a line. The other containers also hold rows as such lines, and read them with this file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from pipeline.formats.container import Container
from pipeline.sql.runtime.jsontext import to_json_line
from pipeline.sql.runtime.values import Row

# Bytes of lines that are converted together, about 4,000 lines of 250 bytes. This bounds the Python objects in memory.
BATCH_BYTES: Final = 1 << 20

_decode_lines = msgspec.json.Decoder().decode_lines


def make(settings: Mapping[str, Any], schemas: object) -> Container:
    """JSON Lines: an object is the unchanged lines of the chunk."""
    return Container(to_json_line, as_they_are, {"content-type": "application/jsonl"})


def as_they_are(lines: bytes) -> bytes:
    """The lines themselves."""
    return lines


def count(lines: bytes, settings: object) -> int:
    """The number of lines. Raises ValueError if the last line is not whole."""
    if lines[-1:] not in (b"", b"\n"):
        raise ValueError("the last line is not whole")
    return lines.count(b"\n")


def texts(lines: bytes, settings: object) -> list[bytes]:
    """Each row as one text: its line."""
    return lines.split(b"\n")[:-1]


def decode(lines: bytes) -> list[Row]:
    """The rows of JSON Lines."""
    rows: list[Row] = _decode_lines(lines)
    return rows


def batches(lines: bytes, size_bytes: int = BATCH_BYTES) -> Iterator[bytes]:
    """Batches of whole lines, each of at most `size_bytes` unless one line is longer."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + size_bytes) + 1 or lines.find(b"\n", start) + 1 or len(lines)
        yield lines[start:end]
        start = end
