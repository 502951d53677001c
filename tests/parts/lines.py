"""Rows of a group as a lane holds them."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.upload.buffer import Chunk, Lines


def lines_of(rows: Iterable[tuple[bytes, int]]) -> Lines:
    """Rows, each with its offset."""
    found = Lines()
    for line, offset in rows:
        found.add(line, offset)
    return found


def chunk_of(rows: Iterable[tuple[bytes, int]]) -> Chunk:
    """The same as a chunk."""
    return Chunk.of(lines_of(rows))


def rows_in(rows: Lines | Chunk) -> list[tuple[bytes, int]]:
    """The rows, each with its offset."""
    chunk = Chunk.of(rows) if isinstance(rows, Lines) else rows
    places = zip(map(chunk.begin_of, range(chunk.rows)), chunk.ends, chunk.offsets, strict=True)
    return [(bytes(chunk.data[begin:end]), offset) for begin, end, offset in places]
