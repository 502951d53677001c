"""JSON Lines: one JSON object a line. The other containers hold their rows as such lines too, and read them back here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec

from pipeline.sql.runtime.jsontext import to_json_line
from pipeline.sql.runtime.values import Row

# Lines that are converted in one go: some 4,000 of 250 bytes. It bounds the Python objects that are in memory at once.
BATCH_BYTES: Final = 1 << 20

_decode_lines = msgspec.json.Decoder().decode_lines


def make(settings: Mapping[str, Any], schemas: object) -> tuple[Callable[[Row], bytes], Callable[[bytes], bytes], str]:
    """Line, encode and content type. Lines are stored as they are held."""
    return to_json_line, as_they_are, "application/jsonl"


def as_they_are(lines: bytes) -> bytes:
    """The lines themselves."""
    return lines


def count(lines: bytes, settings: object) -> int:
    """How many lines there are. Raises ValueError if the last one is not whole."""
    if lines[-1:] not in (b"", b"\n"):
        raise ValueError("the last line is not whole")
    return lines.count(b"\n")


def texts(lines: bytes, settings: object) -> list[bytes]:
    """Each row as one text: its line."""
    return lines.split(b"\n")[:-1]


def decode(lines: bytes) -> list[Row]:
    """The rows of JSON lines."""
    rows: list[Row] = _decode_lines(lines)
    return rows


def batches(lines: bytes, size_bytes: int = BATCH_BYTES) -> Iterator[bytes]:
    """Whole lines, `size_bytes` at a time at most, unless one line is longer."""
    start = 0
    while start < len(lines):
        end = lines.rfind(b"\n", start, start + size_bytes) + 1 or lines.find(b"\n", start) + 1 or len(lines)
        yield lines[start:end]
        start = end
