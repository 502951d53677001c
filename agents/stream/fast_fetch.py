"""Unpacks fetched bytes into records, at half the cost and within a limit.

aiokafka makes a ConsumerRecord of eleven fields from each record, with four calls, and we never read four of the
fields. That took a fifth of the worker's time. This file replaces only the last step: fetching, decompression,
checksums and parsing remain aiokafka's.

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
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from pipeline.record import Record, size_of

# Bytes of one partition at a time, and the number of records between two checks of their size.
UNPACKED_BYTES_MAX: Final = 1 << 20
UNPACKED_RECORDS: Final = 64


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The part of a fetch from one partition, as an iterator of `pipeline.record.Record`."""

    next_fetch_offset: int

    def __iter__(self) -> Iterator[Record]:
        """The generator itself, because its steps run in C, and a `__next__` in Python would be a call for each record."""
        iterator: Iterator[Record] = self._records_iterator
        return iterator

    def _unpack_records(self) -> Iterator[Record]:
        """All records from `next_fetch_offset` on, which advances. Raises CorruptRecordException for a wrong checksum."""
        topic, partition, make = self._tp.topic, self._tp.partition, tuple.__new__
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not (self._is_aborted(batch) or batch.is_control_batch):
                for found in batch:
                    offset = found.offset
                    if offset >= self.next_fetch_offset:  # a compressed batch may begin before the requested offset
                        self.next_fetch_offset = offset + 1
                        fields = topic, partition, offset, found.timestamp, found.key, found.value, found.headers
                        yield make(Record, fields)  # the same as Record._make, with one call less
            # Compaction may have removed the last records of a batch: the next fetch begins after them.
            self.next_fetch_offset = batch.next_offset

    def _is_aborted(self, batch: Any) -> bool:
        """Whether a batch is of a transaction that was aborted. Kafka names these in its answer, unless it reads uncommitted."""
        if batch.producer_id is None:  # an older form of batches, without transactions
            return False
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)


class FetchedRecords(list[Record]):
    """Records of one partition, and the range of the fetch: offsets from `first` up to `next`, which is not included.

    It is true if the range is not empty, so that aiokafka also passes on a range without records.
    """

    __slots__ = ("first", "next", "size_bytes")

    def __init__(self, records: Iterable[Record], first: int, following: int, size_bytes: int = 0) -> None:
        super().__init__(records)
        self.first, self.next, self.size_bytes = first, following, size_bytes

    def __bool__(self) -> bool:
        return self.next > self.first


class Unpacked(NamedTuple):
    """Records, and whether more may follow."""

    records: list[Record]
    size_bytes: int
    more: bool


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """The fetch of one partition, given out in parts."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> FetchedRecords:
        """The next records: at most this number, and at most about UNPACKED_BYTES_MAX."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return FetchedRecords((), 0, 0)
        fetched = self._partition_records
        first = fetched.next_fetch_offset
        found = self._unpacked(iter(fetched), sys.maxsize if max_records is None else max_records)
        self._update_position()
        if not found.more:
            self._partition_records = None
        return FetchedRecords(found.records, first, fetched.next_fetch_offset, found.size_bytes)

    def _unpacked(self, records: Iterator[Record], records_max: int) -> Unpacked:
        found: list[Record] = []
        size_bytes, step = 0, 1
        while len(found) < records_max and size_bytes < UNPACKED_BYTES_MAX:
            some = list(islice(records, min(step, records_max - len(found))))
            if not some:
                return Unpacked(found, size_bytes, False)
            found += some
            size = size_of(some)
            size_bytes += size
            # As many of this size as there is room for; after small ones large ones may follow.
            step = min(2 * step, UNPACKED_RECORDS, 1 + UNPACKED_BYTES_MAX * len(some) // (16 * size + 1))
        return Unpacked(found, size_bytes, True)


def install() -> None:
    """Make every aiokafka consumer of this process use this class."""
    fetcher.PartitionRecords = PartitionRecords
    fetcher.FetchResult = FetchResult
