"""Unpacks fetched bytes into columns, at a fraction of the cost and within a limit.

aiokafka makes a ConsumerRecord of eleven fields from each record, with four calls. That took a fifth of the worker's
time. This file replaces only the last step: fetching, decompression and parsing remain aiokafka's. checksums.py checks the
batches.

Fetches are compressed, and records are unpacked on request. aiokafka counts records. This file also counts their bytes,
because ten thousand large records would exceed an action's memory.

It also reports the range of offsets that a fetch covers, which aiokafka does not. If a log was compacted, or has
transactions, this range has more offsets than records: markers and records of aborted transactions are left out, and
Kafka has shown that the other offsets have no records.

aiokafka has no hook for this. Its module looks up the classes by name after each fetch, so `install` puts ours under
these names for the whole process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from agents.stream.checksums import FetchedBatches
from pipeline.columns import Columns, size_of
from pipeline.record import Record

# Bytes of one partition at a time, and the number of records between two checks of their size.
UNPACKED_BYTES_MAX: Final = 1 << 20
UNPACKED_RECORDS: Final = 256


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The part of a fetch from one partition, which is taken a few records at a time."""

    next_fetch_offset: int
    _batch: Any = None  # the batch that is being taken
    _left: Iterator[Any]  # its records that are not taken yet

    def take(self, count: int) -> Columns:
        """The next records, at most `count`, and none at the end. `next_fetch_offset` advances.

        Raises CorruptRecordException for a wrong checksum.
        """
        found: list[Any] = []
        while len(found) < count and (self._batch is not None or self._begin_next()):
            wanted = count - len(found)
            some = list(islice(self._left, wanted))
            at_end = len(some) < wanted
            if some and some[0].offset < self.next_fetch_offset:  # a compressed batch may begin before it
                some = [each for each in some if each.offset >= self.next_fetch_offset]
            if some:
                self.next_fetch_offset = some[-1].offset + 1
                found += some
            if at_end:  # compaction may have removed the last records of a batch: the next fetch begins after them
                self.next_fetch_offset, self._batch = self._batch.next_offset, None
        return _columns(self._tp, found) if found else Columns.of(())

    def _begin_next(self) -> bool:
        """Begin the next batch that has records for us. False at the end."""
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not self._records.is_whole(batch):
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not (self._is_aborted(batch) or batch.is_control_batch):
                self._batch, self._left = batch, chain(batch)  # aiokafka's own iterator begins again after its end
                return True
            self.next_fetch_offset = batch.next_offset
        return False

    def _is_aborted(self, batch: Any) -> bool:
        """Whether a batch is of a transaction that was aborted. Kafka names these in its answer, unless it reads uncommitted."""
        if batch.producer_id is None:  # an older form of batches, without transactions
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)


class FetchedRecords:
    """Records of one partition, and the range of the fetch: offsets from `first` up to `next`, which is not included.

    It is true if the range is not empty, so that aiokafka also passes on a range without records.
    """

    __slots__ = ("first", "next", "records", "size_bytes")

    def __init__(self, records: Sequence[Record], first: int, following: int, size_bytes: int = 0) -> None:
        self.records, self.first, self.next, self.size_bytes = records, first, following, size_bytes

    def __len__(self) -> int:
        return len(self.records)

    def __bool__(self) -> bool:
        return self.next > self.first


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """The fetch of one partition, given out in parts."""

    _partition_records: PartitionRecords | None

    def getall(self, max_records: int | None = None) -> FetchedRecords:
        """The next records: at most this number, and at most about UNPACKED_BYTES_MAX."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return FetchedRecords((), 0, 0)
        fetched = self._partition_records
        assert fetched is not None
        first = fetched.next_fetch_offset
        found = unpacked(fetched.take, sys.maxsize if max_records is None else max_records)
        self._update_position()
        if not found.more:
            self._partition_records = None
        return FetchedRecords(found.records, first, fetched.next_fetch_offset, found.size_bytes)


class Unpacked(NamedTuple):
    """Records, and whether more may follow."""

    records: Columns
    size_bytes: int
    more: bool


def unpacked(take: Callable[[int], Columns], records_max: int) -> Unpacked:
    """The records that `take` gives, a few at a time, until they are `records_max` or take UNPACKED_BYTES_MAX."""
    parts: list[Columns] = []
    count, size_bytes, step = 0, 0, 1
    while count < records_max and size_bytes < UNPACKED_BYTES_MAX:
        some = take(min(step, records_max - count))
        if not some:
            return Unpacked(Columns.joined(parts), size_bytes, False)
        parts.append(some)
        count += len(some)
        size = size_of(some)
        size_bytes += size
        # As many of this size as there is room for; after small ones large ones may follow.
        step = min(2 * step, UNPACKED_RECORDS, 1 + UNPACKED_BYTES_MAX * len(some) // (16 * size + 1))
    return Unpacked(Columns.joined(parts), size_bytes, True)


def _columns(place: Any, found: Sequence[Any]) -> Columns:
    """The columns of aiokafka's records."""
    first, last = found[0].offset, found[-1].offset
    is_whole = last - first == len(found) - 1
    return Columns(
        place.topic,
        place.partition,
        range(first, last + 1) if is_whole else [each.offset for each in found],
        [each.timestamp for each in found],
        [each.key for each in found],
        [each.value for each in found],
        [each.headers for each in found],
    )


def install() -> None:
    """Make every aiokafka consumer of this process use these classes."""
    fetcher.MemoryRecords = FetchedBatches
    fetcher.PartitionRecords = PartitionRecords
    fetcher.FetchResult = FetchResult
