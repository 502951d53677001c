"""The record batches of one answer of Kafka, which several actions read, each in its own thread.

They are unpacked once, a part at a time, by whoever needs the next part first. Parts are kept up to a limit, because a small
answer may be compressed records of any size. Whoever comes for a part that is gone unpacks the rest of the answer for itself.
"""

from __future__ import annotations

from bisect import bisect_left
from threading import Lock
from typing import Any, Final, NamedTuple

from agents.stream.checksums import FetchedBatches, end_of
from agents.stream.fast_fetch import PartitionRecords, Unpacked
from pipeline.columns import Columns
from pipeline.rule.shared import SharedColumns

PART_RECORDS_MAX: Final = 10_000
# Bytes of parts that are kept. A fetch has 2 MB of a partition, so only what is compressed has more.
PARTS_BYTES_MAX: Final = 4 << 20


class SharedPart(NamedTuple):
    """Some records of an answer, and the offset behind them. `more`: others may follow."""

    records: Columns
    size_bytes: int
    next_offset: int
    more: bool


class SharedBatches:
    """The record batches of one partition in an answer, from offset `begin` up to `next_offset`, which is not included."""

    def __init__(self, content: bytes, begin: int) -> None:
        self.begin, self.next_offset = begin, end_of(content, begin)
        self.size_bytes = len(content)
        self.error: Exception | None = None  # what somebody has found wrong in it
        self._content = content
        self._has_next = bool(FetchedBatches(content).has_next())
        self._source: PartitionRecords | None = None
        self._parts: dict[int, SharedPart] = {}  # by number; the oldest first
        self._count = 0
        self._lock = Lock()

    @property
    def is_whole(self) -> bool:
        """Whether nobody has found it damaged."""
        return self.error is None

    def has_next(self) -> bool:
        """Whether it has a whole batch."""
        return self._has_next

    def size_in_bytes(self) -> int:
        """The bytes that came."""
        return len(self._content)

    def records(self, *place_and_settings: Any) -> PartitionRecords:
        """A reader for one action alone. The arguments are those of aiokafka's PartitionRecords, without the batches."""
        place, *settings = place_and_settings
        return PartitionRecords(place, FetchedBatches(self._content), *settings)

    def part(self, number: int, place: Any, aborted: Any, *settings: Any) -> SharedPart | None:
        """A part, which is unpacked if it is the next one, or None if it is gone. Raises what somebody has found wrong."""
        with self._lock:
            if self.error is not None:
                raise self.error
            if number == self._count:
                self._add(self._source or self.records(place, aborted, self.begin, *settings))
            return self._parts.get(number)

    def _add(self, source: PartitionRecords) -> None:
        """Unpack the next part. Whoever asks Kafka for the place of a damaged answer again gets a new one."""
        try:
            found = source.take(PART_RECORDS_MAX)
        except Exception as error:
            self.error = error
            raise
        self._source = source if found.more else None
        records = SharedColumns(found.records)
        self._parts[self._count] = SharedPart(records, found.size_bytes, source.next_fetch_offset, found.more)
        self._count += 1
        self.size_bytes += found.size_bytes
        while self.size_bytes - len(self._content) > PARTS_BYTES_MAX and len(self._parts) > 1:
            self.size_bytes -= self._parts.pop(next(iter(self._parts))).size_bytes


class SharedRecords:
    """One action's way through shared batches from an offset on, in the place of `fast_fetch.PartitionRecords`."""

    def __init__(self, place: Any, batches: SharedBatches, aborted: Any, offset: int, *settings: Any) -> None:
        self.next_fetch_offset = offset
        self._batches = batches
        self._alone: PartitionRecords | None = None
        self._given = place, aborted, *settings
        self._number = 0  # of the part

    def take(self, records_max: int) -> Unpacked:
        """The next records, at most so many. `next_fetch_offset` advances. Raises CorruptRecordException."""
        part = self._part()
        if part is None:
            return self._take_alone(records_max)
        first = bisect_left(part.records.offsets, self.next_fetch_offset)
        records = part.records[first : first + records_max]
        size_bytes = part.size_bytes * len(records) // max(1, len(part.records))  # as if all records had one size
        if first + len(records) < len(part.records):
            self.next_fetch_offset = records.offsets[-1] + 1
            return Unpacked(records, size_bytes, True)
        self._number, self.next_fetch_offset = self._number + 1, max(part.next_offset, self.next_fetch_offset)
        return Unpacked(records, size_bytes, part.more)

    def _part(self) -> SharedPart | None:
        """The part with the next records. None: it is gone."""
        while self._alone is None and (part := self._batches.part(self._number, *self._given)):
            if part.next_offset > self.next_fetch_offset or not part.more:
                return part
            self._number += 1
        return None

    def _take_alone(self, records_max: int) -> Unpacked:
        """The same from the answer's bytes, from the offset on that is next."""
        if self._alone is None:
            place, aborted, *settings = self._given
            self._alone = self._batches.records(place, aborted, self.next_fetch_offset, *settings)
        found = self._alone.take(records_max)
        self.next_fetch_offset = self._alone.next_fetch_offset
        return found
