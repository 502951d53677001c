"""The durable offset of a partition whose rows finish out of order.

The next offset to commit is the lowest open offset, or the end of the read offsets if none is open. This is pure counting: the
caller decides what "finished" means (an object confirmed, a dead letter acknowledged, a row filtered).
"""

from __future__ import annotations

from collections import deque


class OpenOffsets:
    """Unfinished work by offset, in order of offset."""

    def __init__(self) -> None:
        self._open: deque[list[int]] = deque()  # [offset, pieces of work not finished], ascending
        self._by_offset: dict[int, list[int]] = {}
        self._read: int | None = None

    @property
    def durable(self) -> int | None:
        """The next offset that may be committed, or None before the first read."""
        return self._open[0][0] if self._open else self._read

    @property
    def pending(self) -> int:
        """The number of offsets with unfinished work."""
        return len(self._by_offset)

    def open(self, offset: int) -> None:
        """Add one piece of work for `offset`. Offsets never go down."""
        entry = self._by_offset.get(offset)
        if entry is None:
            if self._open and offset < self._open[-1][0]:
                raise ValueError(f"offset {offset} after {self._open[-1][0]}")
            entry = self._by_offset[offset] = [offset, 0]
            self._open.append(entry)
        entry[1] += 1

    def close(self, offset: int) -> None:
        """Remove one piece of work of `offset`, which is durable."""
        entry = self._by_offset[offset]
        entry[1] -= 1
        if not entry[1]:
            del self._by_offset[offset]
            while self._open and not self._open[0][1]:
                self._open.popleft()

    def read(self, next_offset: int) -> None:
        """Note that everything before `next_offset` was read. Offsets without open work are settled."""
        self._read = next_offset
