"""Rows of a group as a lane holds them."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.upload.buffer import Lines


def lines_of(rows: Iterable[tuple[bytes, int]]) -> Lines:
    """Rows, each with its offset."""
    found = Lines()
    for line, offset in rows:
        found.add(line, offset)
    return found


def rows_in(lines: Lines) -> list[tuple[bytes, int]]:
    """The rows, each with its offset."""
    places = zip(map(lines.begin_of, range(lines.rows)), lines.ends, lines.offsets, strict=True)
    return [(bytes(lines.data[begin:end]), offset) for begin, end, offset in places]
