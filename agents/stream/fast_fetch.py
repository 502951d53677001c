"""Unpacks fetched bytes into columns, at a fraction of the cost and within a limit.

aiokafka makes a ConsumerRecord of eleven fields from each record, with four calls. That took a fifth of the worker's
time. This file replaces only the last step: fetching remains aiokafka's. checksums.py checks the batches, and unpacking.py reads
their records.

Fetches are compressed, and records are unpacked on request. aiokafka counts records. This file also counts their bytes,
because ten thousand large records would exceed an action's memory.

It also reports the range of offsets that a fetch covers, which aiokafka does not. If a log was compacted, or has
transactions, this range has more offsets than records: markers and records of aborted transactions are left out, and
Kafka has shown that the other offsets have no records.

aiokafka has no hook for this. Its module looks up the classes by name after each fetch, so `install` puts ours under
these names for the whole process.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import CorruptRecordException

from agents.stream.checksums import FetchedBatches
from agents.stream.unpacking import BatchRecords, Growing
from pipeline.columns import Columns
from pipeline.record import Record

# Bytes of one partition at a time: as many as a fetch brought, between these.
UNPACKED_BYTES_MAX: Final = 1 << 20
FETCHED_BYTES_MAX: Final = 2 << 20


class Unpacked(NamedTuple):
    """Records, and whether more may follow."""

    records: Columns
    size_bytes: int
    more: bool


class PartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """The part of a fetch from one partition, which is taken a few records at a time."""

    next_fetch_offset: int
    _batch: Any = None  # the batch that is being taken
    _left: BatchRecords  # its records that are not taken yet

    def _unpack_records(self) -> Iterator[Any]:
        """Nothing, because `take` reads the records. aiokafka's generator would hold this object, and this object the generator:
        the bytes of each fetch would stay until Python looks for cycles.
        """
        return iter(())

    def take(self, records_max: int, bytes_max: int | None = None) -> Unpacked:
        """The next records, at most so many, until they have about so many bytes. `next_fetch_offset` advances.

        Raises CorruptRecordException for a wrong checksum, and for bytes that are not a record.
        """
        if bytes_max is None:
            bytes_max = min(max(UNPACKED_BYTES_MAX, self._records.size_in_bytes()), FETCHED_BYTES_MAX)
        found, more = Growing(self.next_fetch_offset), True
        while more and len(found) < records_max and found.size_bytes < bytes_max:
            if self._batch is None:
                more = self._begin_next()
                continue
            self._left.take(found, records_max - len(found), bytes_max - found.size_bytes)
            self.next_fetch_offset = found.next_offset
            if (
                self._left.at_end
            ):  # compaction may have removed the last records of a batch: the next fetch begins after them
                self.next_fetch_offset, self._batch = self._batch.next_offset, None
        return Unpacked(found.columns(self._tp.topic, self._tp.partition), found.size_bytes, more)

    def _begin_next(self) -> bool:
        """Begin the next batch that has records for us. False at the end."""
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not self._records.is_whole(batch):
                raise CorruptRecordException(f"Invalid CRC - {self._tp}")
            if not (self._is_aborted(batch) or batch.is_control_batch):
                self._batch, self._left = batch, self._records.records(batch)
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
        found = fetched.take(sys.maxsize if max_records is None else max_records)
        self._update_position()
        if not found.more:
            self._partition_records = None
        return FetchedRecords(found.records, first, fetched.next_fetch_offset, found.size_bytes)


class Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    """aiokafka's, which can also be closed while Kafka is away, and whose limit can be changed."""

    def limit(self, bytes_max: int) -> None:
        """The most bytes to fetch of a partition at once, from the next request on."""
        self._max_partition_fetch_bytes = bytes_max

    async def close(self) -> None:
        """End all requests. aiokafka fails with CancelledError if one waits to be tried again, and leaves its client open."""
        requests = [self._fetch_task, *self._pending_tasks]
        for each in requests:
            each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        self._pending_tasks.clear()
        await super().close()


def install() -> None:
    """Make every aiokafka consumer of this process use these classes."""
    consumer.Fetcher = Fetcher
    fetcher.MemoryRecords = FetchedBatches
    fetcher.PartitionRecords = PartitionRecords
    fetcher.FetchResult = FetchResult
