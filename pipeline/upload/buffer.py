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
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from io import BytesIO
from itertools import accumulate
from typing import Final

from msgspec import Struct

from pipeline.template.object_key import GroupName

# Memory for a group and its open chunk besides their rows and name. A test measures it, with a margin.
CHUNK_OVERHEAD_BYTES: Final = 1536
ROW_OVERHEAD_BYTES: Final = 8  # its offset
# Measured memory of a row that is not in a chunk yet: its offset is an object in a list.
LINE_OVERHEAD_BYTES: Final = 56


class Lines:
    """Rows of one group in order: their lines, each with the line break that ends it, and the offset of each.

    One row follows the other in one text, because a list of ten thousand small texts costs more than to make them.
    """

    __slots__ = ("data", "offsets")

    def __init__(self) -> None:
        self.data = bytearray()
        self.offsets: list[int] = []

    @property
    def rows(self) -> int:
        return len(self.offsets)

    def add(self, line: bytes, offset: int) -> None:
        """Append a row."""
        self.data += line
        self.offsets.append(offset)

    def add_all(self, text: bytes | bytearray, offsets: Iterable[int]) -> None:
        """Append rows: their joined lines, and the offset of each."""
        self.data += text
        self.offsets.extend(offsets)


class Chunk:
    """Rows that will become one object."""

    __slots__ = ("_ends", "data", "offsets")

    def __init__(self) -> None:
        self.data = bytearray()
        self.offsets = array("q")
        self._ends: array[int] | None = None

    @property
    def rows(self) -> int:
        return len(self.offsets)

    @classmethod
    def of(cls, lines: Lines) -> Chunk:
        """A chunk of these rows."""
        found = cls()
        found.add(lines)
        return found

    def add(self, lines: Lines) -> None:
        """Append rows."""
        self._ends = None
        self.offsets.extend(array("q", lines.offsets))  # at once it would take twice the time
        self.data += lines.data

    def extend(self, chunk: Chunk, start: int, stop: int) -> None:
        """Append the rows `start` to `stop`, which is not included, of another chunk."""
        self._ends = None
        self.data += memoryview(chunk.data)[chunk.begin_of(start) : chunk.begin_of(stop)]
        self.offsets.extend(chunk.offsets[start:stop])

    @property
    def ends(self) -> array[int]:
        """The end of each row in `data`. Few chunks are asked for it, so it is looked for then."""
        if self._ends is None:
            self._ends = array("q", list(accumulate(map(len, BytesIO(self.data)))))
        return self._ends

    def begin_of(self, row: int) -> int:
        """The place in `data` at which a row begins, or the end of all."""
        if row == self.rows:
            return len(self.data)
        return self.ends[row - 1] if row else 0

    @property
    def first(self) -> int:
        """Offset of the first row."""
        return self.offsets[0]

    @property
    def last(self) -> int:
        """Offset of the last row."""
        return self.offsets[-1]

    def before(self, end: int) -> Chunk:
        """The chunk itself, or one of its rows with offsets below `end`."""
        rows = bisect_left(self.offsets, end)
        if rows == self.rows:
            return self
        found = Chunk()
        found.extend(self, 0, rows)
        return found

    def rows_until(self, last: int) -> int:
        """The number of rows with offsets up to `last`, which is included."""
        return bisect_right(self.offsets, last)

    def digest(self, rows: int | None = None) -> str:
        """The SHA-256 of the first `rows` rows. Default: all."""
        end = self.begin_of(self.rows if rows is None else rows)
        return hashlib.sha256(memoryview(self.data)[:end]).hexdigest()

    def full_at(self, rows: Chunk, start: int, limits: RollLimits) -> int:
        """The first row of `rows`, from row `start` on, that comes after the end of this chunk; or their number.

        The rows of one record stay together, even if the chunk is full in their midst.
        """
        by_rows = start + max(0, limits.rows_max - self.rows)
        room = limits.bytes_max - len(self.data)
        by_bytes = bisect_left(rows.ends, rows.begin_of(start) + room, start) + 1 if room > 0 else start
        at = min(by_rows, by_bytes)
        if at >= rows.rows:
            return rows.rows
        last = rows.offsets[at - 1] if at > start else self.last if self.rows else None
        while at < rows.rows and rows.offsets[at] == last:
            at += 1
        return at


class RollLimits(Struct, frozen=True):
    """The limits at which a chunk closes, at the end of a record."""

    rows_max: int
    bytes_max: int


class EarlyEnd(Struct, frozen=True):
    """When a cut of many groups ends before its last row: at an offset with this many groups before it, or twice as many, and so
    on, of which at most this share has rows beyond it.
    """

    groups: int
    going_on: float


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

    def extend(self, lines: Lines, limits: RollLimits) -> bool:
        """Append rows in order of offset. Returns True if a chunk rolled."""
        last = self.chunks[-1]
        if last.rows + lines.rows <= limits.rows_max and len(last.data) + len(lines.data) < limits.bytes_max:
            last.add(lines)
            return False
        return self._extend(Chunk.of(lines), limits)

    def _extend(self, rows: Chunk, limits: RollLimits) -> bool:
        """The same for rows that may not fit.

        A chunk rolls with the first row of the next record, because only then the last record is known to be whole.
        """
        start, rolled = 0, False
        while True:
            stop = self.chunks[-1].full_at(rows, start, limits)
            self.chunks[-1].extend(rows, start, stop)
            if stop == rows.rows:
                return rolled
            self.chunks.append(Chunk())
            start, rolled = stop, True

    def remove_first(self, rows: int, limits: RollLimits) -> None:
        """Remove the first `rows` rows of the first chunk, which are durable.

        The rest begins a new chunk and may roll elsewhere.
        """
        chunk = self.chunks.popleft()
        if rows == chunk.rows:
            if not self.chunks:
                self.chunks.append(Chunk())
            return
        left = Chunk()
        left.extend(chunk, rows, chunk.rows)
        for later in self.chunks:
            left.extend(later, 0, later.rows)
        self.chunks = deque([Chunk()])
        self._extend(left, limits)


class Buffer:
    """All groups of one partition."""

    def __init__(self, limits: RollLimits) -> None:
        self.limits = limits
        self.groups: dict[GroupName, Group] = {}
        self.size_bytes = 0

    def extend(self, group: GroupName, lines: Lines) -> Group | None:
        """Append rows to a group in order of offset. Returns the group if a chunk rolled."""
        found = self.groups.get(group)
        if found is None:
            found = self.groups[group] = Group(group)
            self.size_bytes += _overhead_bytes(group)
        self.size_bytes += len(lines.data) + lines.rows * ROW_OVERHEAD_BYTES
        return found if found.extend(lines, self.limits) else None

    def stored(self, group: Group, rows: int) -> None:
        """Remove the first `rows` rows of the group's first chunk, which are durable."""
        chunk = group.chunks[0]
        self.size_bytes -= chunk.begin_of(rows) + rows * ROW_OVERHEAD_BYTES
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

    def early_end(self, wanted: EarlyEnd) -> int | None:
        """The offset at which a cut may end early, or None if it has too few groups, or groups with rows all along."""
        firsts, groups = sorted(group.chunks[0].first for group in self.groups.values()), wanted.groups
        while groups < len(firsts):
            end = firsts[groups]
            going_on = sum(each.chunks[0].first < end <= each.chunks[-1].last for each in self.groups.values())
            if end > firsts[0] and going_on <= wanted.going_on * groups:
                return end
            groups *= 2
        return None

    @property
    def first(self) -> int | None:
        """The lowest offset with a row that is not durable, or None."""
        return min((group.first for group in self.groups.values() if group.first is not None), default=None)


def _overhead_bytes(name: GroupName) -> int:
    return CHUNK_OVERHEAD_BYTES + sum(map(len, name))
