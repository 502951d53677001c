"""Record batches through Faust: one event per fetched partition batch, instead of one per record.

A stock Faust agent spends about 140 µs on each record, nearly all of it on the event, the stream and the acknowledgement
around it. Here one event carries all the records that one fetch brought from one partition, so that this cost is paid once
per batch. Three rules follow, and this file keeps them:

1. The agent never waits. Rows are handed to the *lane* of their partition (agents/sinks/lane.py), which does the writing. An
   agent that waits for S3 longer than the poll interval makes the consumer leave its group, silently and for ever.
2. Back-pressure is the transport's: only partitions whose lanes have room are fetched. Faust's own path, a full stream
   buffer, sleeps a second at a time.
3. Progress is the lanes': the offset to commit is what the lane says is durable. Faust's own bookkeeping commits past
   unfinished messages when they are acknowledged out of order (its issue 606).

It knows Faust and what it asks of the lanes (`TransportLanes` below), and nothing of rules, rows or S3.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import faust
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from faust.types.tuples import Message as FaustMessage

from agents.stream import fast_fetch
from pipeline.record import Record

# Longer than any outage of S3: a consumer whose partitions are all paused must not be taken for dead. Seconds.
MAX_POLL_INTERVAL_SECONDS = 7 * 86400.0


class TransportLanes(Protocol):
    """What the transport needs of the lanes of an app; `agents.sinks.lane.Lanes` is the real one."""

    room: asyncio.Event

    def assign(self, partitions: Iterable[TP]) -> None:
        """Open a lane for each partition. A new lane has no room before it knows where its ledger ends."""

    def revoke(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Drop the lanes: what is not durable is read again by the next owner."""

    def has_room(self, partition: TP) -> bool:
        """Whether another batch may be fetched from this partition."""

    def reserve(self, partition: TP, size_bytes: int) -> None:
        """Count a fetched batch against the limits before its rows arrive."""

    def durable(self, partition: TP) -> int | None:
        """The next offset to commit; None if the partition has no lane or nothing is durable yet."""

    def partitions(self) -> Sequence[tuple[str, int]]:
        """Partitions that have a lane."""


class RecordBatch(NamedTuple):
    """What one fetch brought from one partition. `end_offset` is the partition's end as the broker told it then."""

    records: list[Record]
    end_offset: int


class BatchSchema(faust.Schema[Any, Any]):
    """Passes the record batch through: there is nothing to decode at this level."""

    def compile(self, app: Any, **_: Any) -> Any:
        create_event = app.create_event

        async def decode(message: FaustMessage, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode


class Consumer(driver.Consumer):
    """Fetches for the lanes that have room and commits what they say is durable."""

    def _new_consumer_thread(self) -> Any:
        fast_fetch.install()
        return super()._new_consumer_thread()

    @property
    def lanes(self) -> TransportLanes:
        return cast(TransportLanes, self.app.lanes)  # type: ignore[attr-defined]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message per partition batch. Its value is the RecordBatch, its offset that of the last record."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
        generation = self.app.consumer_generation_id
        lanes = self.lanes
        lanes.room.clear()
        fetchable = {tp for tp in self._get_active_partitions() if lanes.has_room(tp)}
        if not fetchable:
            await self.wait(lanes.room.wait(), timeout=timeout)
            return
        records = await self._getmany(active_partitions=fetchable, timeout=timeout)
        if self.should_stop or not records:
            return
        if not self.flow_active:
            await self._rewind()
            return
        for tp, batch in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                await self._rewind()
                break
            lanes.reserve(tp, sum([len(record.value or b"") for record in batch]))
            yield tp, _message(tp, RecordBatch(batch, self.highwater(tp) or 0), generation)

    async def _rewind(self) -> None:
        """Read again from what is committed: a rebalance came while we waited for records that nobody will see.

        It may have gone already, and they may be the first of the new assignment. Faust's own seek leaves a partition
        without a commit where it is, which loses them.
        """
        with suppress(IllegalStateError, AssertionError):  # the next rebalance is here, and resets all positions
            await self.perform_seek()
            fresh = [driver.ensure_aiokafka_TP(tp) for tp in self.assignment() if not self._read_offset[tp]]
            if fresh:
                await self._thread.seek_to_beginning(*fresh)

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: see rule 2 above."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing: see rule 2 above."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: see rule 3 above."""

    def _new_offset(self, tp: TP) -> int | None:
        return self.lanes.durable(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            tp for tp in map(TP._make, self.lanes.partitions()) if topics is None or tp in topics or tp.topic in topics
        )

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust would report a partition as stuck whose lane waits for S3, and that is in our status already."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit what is durable, then drop the lanes. Without the commit a rebalance repeats thousands of records."""
        committed = {tp: self._committed_offset[tp] for tp in revoked}
        await super().on_partitions_revoked(revoked)
        offsets = {tp: self.lanes.durable(tp) for tp in revoked}
        due = {tp: offset for tp, offset in offsets.items() if offset is not None and offset != committed[tp]}
        if due:
            await self._commit_offsets(due)
        self.lanes.revoke(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Open lanes before the first fetch. The lanes of an earlier generation are gone: their rows are read again."""
        self.lanes.revoke(self.lanes.partitions())
        self.lanes.assign(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; a partition that was lost in the meantime is its new owner's business, and no reason to crash."""
        held = self.assignment()
        offsets = {tp: offset for tp, offset in offsets.items() if tp in held}
        return bool(offsets) and bool(await super()._commit(offsets))


def _message(tp: TP, batch: RecordBatch, generation: int) -> ConsumerMessage:
    last = batch.records[-1]
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        last.offset,
        last.timestamp / 1000,
        0,  # timestamp type: CreateTime
        None,  # headers, key: each record has its own
        None,
        cast(Any, batch),
        None,  # checksum
        0,
        0,
        tp,
        generation_id=generation,
    )


class Transport(driver.Transport):
    """Faust's aiokafka transport with this file's consumer."""

    Consumer: ClassVar[type[Consumer]] = Consumer
