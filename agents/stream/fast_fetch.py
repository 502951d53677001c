"""From fetched bytes to records, at half the cost, and within a bound.

aiokafka makes of each record a ConsumerRecord of eleven fields, by four calls, of which nobody here reads four fields. That was a
fifth of the worker's time. This file replaces the last step only: fetching, decompression, checksums and parsing stay aiokafka's.

What is fetched is compressed, and records are unpacked when they are asked for. aiokafka counts records; ours counts their bytes
too, because ten thousand large ones would be more than an action may hold.

A fetch also tells what aiokafka keeps to itself: between which offsets it looked. Where a log was compacted, or has marks of
transactions, that is more than its records' offsets, and somewhere between them Kafka has shown that there is no record.

aiokafka has no hook for it; its module looks the classes up by name whenever it has fetched something, so `install` puts ours
under those names, for the whole process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

from pipeline.record import Record

# Of one partition at a time, and how many records are unpacked between two looks at their size.
UNPACKED_BYTES_MAX: Final = 1 << 20
UNPACKED_RECORDS: Final = 64
_ABORTED_ARE_SKIPPED: Final = fetcher.READ_COMMITTED


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The part of a fetch from one partition, as an iterator of `pipeline.record.Record`."""

    next_fetch_offset: int

    def __iter__(self) -> Iterator[Record]:
        """The generator itself, because its steps run in C, and a `__next__` in Python would be a call for each record."""
        iterator: Iterator[Record] = self._records_iterator
        return iterator

    def _unpack_records(self) -> Iterator[Record]:
        """All records from `next_fetch_offset` on, which advances. Raises CorruptRecordException for a wrong checksum."""
        if self._isolation_level == _ABORTED_ARE_SKIPPED:
            yield from super()._unpack_records()
            return
        topic, partition, make = self._tp.topic, self._tp.partition, tuple.__new__
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not batch.is_control_batch:
                for found in batch:
                    offset = found.offset
                    if offset >= self.next_fetch_offset:  # a compressed batch may begin before the requested offset
                        self.next_fetch_offset = offset + 1
                        fields = topic, partition, offset, found.timestamp, found.key, found.value, found.headers
                        yield make(Record, fields)  # the same as Record._make, with one call less
            # Compaction may have removed the last records of a batch: the next fetch begins after them.
            self.next_fetch_offset = batch.next_offset


class FetchedRecords(list[Record]):
    """Records of one partition, and what was looked at for them: offsets from `first` up to but not including `next`.

    It is true when that is anything at all, so that aiokafka hands over also what holds no record.
    """

    __slots__ = ("first", "next")

    def __init__(self, records: Iterable[Record], first: int, following: int) -> None:
        super().__init__(records)
        self.first, self.next = first, following

    def __bool__(self) -> bool:
        return self.next > self.first


class Unpacked(NamedTuple):
    """Records, and whether there may be more."""

    records: list[Record]
    more: bool


class FetchResult(fetcher.FetchResult):  # type: ignore[misc]
    """What was fetched of one partition, handed out in parts."""

    _partition_records: Any

    def getall(self, max_records: int | None = None) -> FetchedRecords:
        """The next records, at most so many, until they have UNPACKED_BYTES_MAX."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return FetchedRecords((), 0, 0)
        fetched = self._partition_records
        first = fetched.next_fetch_offset
        found = self._unpacked(iter(fetched), sys.maxsize if max_records is None else max_records)
        self._update_position()
        if not found.more:
            self._partition_records = None
        return FetchedRecords(found.records, first, fetched.next_fetch_offset)

    def _unpacked(self, records: Iterator[Record], records_max: int) -> Unpacked:
        found: list[Record] = []
        size_bytes = 0
        while len(found) < records_max and size_bytes < UNPACKED_BYTES_MAX:
            some = list(islice(records, min(UNPACKED_RECORDS, records_max - len(found))))
            if not some:
                return Unpacked(found, False)
            found += some
            size_bytes += sum([len(record.value or b"") for record in some])
        return Unpacked(found, True)


def install() -> None:
    """Make every aiokafka consumer of this process use this class."""
    fetcher.PartitionRecords = PartitionRecords
    fetcher.FetchResult = FetchResult
