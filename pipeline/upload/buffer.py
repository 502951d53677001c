"""Open chunks of one partition: rows by group. Their content closes them, or the caller cuts.

The rows of a group form one sequence, and chunks are taken from its front. A chunk that reaches `rows_max` or `bytes_max` at the
end of a record *rolls*. This depends only on the rows, so a replay rolls at the same place. Everything else that closes chunks
(the interval, memory, a stop) is a cut, which the caller decides. Rows are held as JSON Lines, with the offset and the end of
each. So a chunk can be compared with an object that another writer made from the same rows, and split there.

Pure: no I/O, no clock.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Final

from pipeline.template.object_key import GroupName

# Memory for a group and its open chunk besides their rows and name. A test measures it, with a margin.
CHUNK_OVERHEAD_BYTES: Final = 1536
ROW_OVERHEAD_BYTES: Final = 16  # offset and end, eight bytes each


class Chunk:
    """Rows that will become one object. `data` holds the rows' JSON lines; `offsets[i]` and `ends[i]` belong to row i."""

    __slots__ = ("data", "ends", "offsets")

    def __init__(self) -> None:
        self.data = bytearray()
        self.offsets = array("q")
        self.ends = array("q")

    def extend(self, lines: Sequence[bytes], offsets: Sequence[int]) -> None:
        """Append rows, whose lines have their line breaks."""
        self.ends.extend(islice(accumulate(map(len, lines), initial=len(self.data)), 1, None))
        self.data += b"".join(lines)
        self.offsets.extend(offsets)

    @property
    def first(self) -> int:
        """Offset of the first row."""
        return self.offsets[0]

    @property
    def last(self) -> int:
        """Offset of the last row."""
        return self.offsets[-1]

    @property
    def rows(self) -> int:
        return len(self.offsets)

    def rows_until(self, last: int) -> int:
        """The number of rows with offsets up to `last`, which is included."""
        return bisect_right(self.offsets, last)

    def digest(self, rows: int | None = None) -> str:
        """The SHA-256 of the first `rows` rows. Default: all."""
        count = self.rows if rows is None else rows
        end = self.ends[count - 1] if count else 0
        return hashlib.sha256(memoryview(self.data)[:end]).hexdigest()

    def lines(self, start: int = 0) -> list[tuple[bytes, int]]:
        """The rows from number `start` on, each with its offset."""
        begin = self.ends[start - 1] if start else 0
        found = []
        for end, offset in zip(self.ends[start:], self.offsets[start:], strict=True):
            found.append((bytes(self.data[begin:end]), offset))
            begin = end
        return found


@dataclass(frozen=True, slots=True)
class RollLimits:
    """The limits at which a chunk closes, at the end of a record."""

    rows_max: int
    bytes_max: int


class Group:
    """The rows of one group: closed chunks that wait, then the open chunk."""

    __slots__ = ("chunks", "name", "storing")

    def __init__(self, name: GroupName) -> None:
        self.name = name
        self.chunks: deque[Chunk] = deque([Chunk()])
        self.storing = False  # a closed chunk of this group is being stored, and later chunks wait for it

    @property
    def rolled(self) -> bool:
        """Whether the first chunk has reached its limits."""
        return len(self.chunks) > 1

    @property
    def first(self) -> int | None:
        """The offset of the first row that is not in an object, or None without rows."""
        return self.chunks[0].first if self.chunks[0].rows else None

    def extend(self, lines: Sequence[bytes], offsets: Sequence[int], limits: RollLimits) -> bool:
        """Append rows in order of offset. Returns True if a chunk rolled.

        A chunk rolls with the first row of the next record, because only then the last record is known to be whole.
        """
        chunk, start, rolled = self.chunks[-1], 0, False
        size_bytes = len(chunk.data)
        if chunk.rows + len(lines) < limits.rows_max and size_bytes + sum(map(len, lines)) < limits.bytes_max:
            chunk.extend(lines, offsets)
            return False
        rows, last = chunk.rows, chunk.last if chunk.rows else None
        for at, (line, offset) in enumerate(zip(lines, offsets, strict=True)):
            if (rows >= limits.rows_max or size_bytes >= limits.bytes_max) and offset != last:
                chunk.extend(lines[start:at], offsets[start:at])
                chunk = Chunk()
                self.chunks.append(chunk)
                start, rows, size_bytes, rolled = at, 0, 0, True
            rows, size_bytes, last = rows + 1, size_bytes + len(line), offset
        chunk.extend(lines[start:], offsets[start:])
        return rolled

    def remove_first(self, rows: int, limits: RollLimits) -> None:
        """Remove the first `rows` rows of the first chunk, which are durable.

        The rest begins a new chunk and may roll elsewhere.
        """
        chunk = self.chunks.popleft()
        if rows == chunk.rows:
            if not self.chunks:
                self.chunks.append(Chunk())
            return
        left = [*chunk.lines(rows), *(row for each in self.chunks for row in each.lines())]
        self.chunks = deque([Chunk()])
        self.extend([line for line, _ in left], [offset for _, offset in left], limits)


class Buffer:
    """All groups of one partition."""

    def __init__(self, limits: RollLimits) -> None:
        self.limits = limits
        self.groups: dict[GroupName, Group] = {}
        self.size_bytes = 0

    def extend(self, group: GroupName, lines: Sequence[bytes], offsets: Sequence[int]) -> Group | None:
        """Append rows to a group in order of offset. Returns the group if a chunk rolled."""
        found = self.groups.get(group)
        if found is None:
            found = self.groups[group] = Group(group)
            self.size_bytes += _overhead_bytes(group)
        self.size_bytes += sum(map(len, lines)) + len(lines) * ROW_OVERHEAD_BYTES
        return found if found.extend(lines, offsets, self.limits) else None

    def stored(self, group: Group, rows: int) -> None:
        """Remove the first `rows` rows of the group's first chunk, which are durable."""
        chunk = group.chunks[0]
        self.size_bytes -= chunk.ends[rows - 1] + rows * ROW_OVERHEAD_BYTES
        group.remove_first(rows, self.limits)
        if group.first is None:
            del self.groups[group.name]
            self.size_bytes -= _overhead_bytes(group.name)

    def open_groups(self, before: int | None = None) -> list[Group]:
        """Groups with rows that are not durable. With `before`, only those whose first such row is below that offset."""
        return [
            group
            for group in self.groups.values()
            if group.first is not None and (before is None or group.first < before)
        ]

    @property
    def first(self) -> int | None:
        """The lowest offset with a row that is not durable, or None."""
        return min((group.first for group in self.groups.values() if group.first is not None), default=None)


def _overhead_bytes(name: GroupName) -> int:
    return CHUNK_OVERHEAD_BYTES + sum(map(len, name))
