"""Sends record batches through Faust: one event for each batch that is fetched from a partition, instead of one for
each record.

A stock Faust agent spends about 140 µs on each record, nearly all of it on the event, the stream and the acknowledgement around
the record. Here one event carries all records of one fetch from one partition, so each batch costs this once. Four rules follow:

1. The agent never waits. Rows go to the *lane* of their partition (agents/lanes/lane.py), which writes them. If an
   agent waits for S3 longer than the poll interval, its consumer leaves its group without an error and does not come
   back.
2. The transport does backpressure: it fetches only partitions whose lanes have room. Faust's own backpressure, a full stream
   buffer, sleeps for a second each time.
3. The lanes give the offset to commit: the one that they report as durable. Faust's own bookkeeping commits past unfinished
   messages if they are acknowledged out of order (its issue 606).
4. The lanes also give the offset to read from, instead of the committed offset: a lane gets only records that follow
its earlier ones. A commit names the topic's id, so that a commit of an earlier topic with the same name is recognised.

This file knows Faust and the interface of the lanes (`TransportLanes` below). It does not know rules, rows or S3.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import faust
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import OffsetAndMetadata
from confluent_kafka import KafkaError as CodedError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from faust.types.tuples import Message as FaustMessage

from agents.lanes.lane import Fetched
from agents.stream import answers, fast_fetch, heartbeats
from agents.stream.fast_fetch import FetchedRecords
from agents.stream.sharing import consumers
from agents.stream.sharing.consumers import SHARED_FETCH_BYTES_MAX
from agents.stream.stop import ANSWER_SECONDS_MAX, is_done_before
from pipeline.connectors.kafka.client import ANSWER_SECONDS, failure
from pipeline.errors import ConnectorError, RetryableError
from pipeline.record import Record

# Seconds. Longer than any outage of S3, because a consumer whose partitions are all paused must not count as dead.
MAX_POLL_INTERVAL_SECONDS = 7 * 86400.0


class TransportLanes(Protocol):
    """The interface that the transport needs of the lanes of an app. `agents.lanes.lanes.Lanes` implements it."""

    room: asyncio.Event

    def assign(self, partitions: Iterable[TP]) -> None:
        """Open a lane for each partition. A new lane has no room before it knows the end of its ledger."""

    def revoke(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Drop the lanes. The next owner reads again what is not durable."""

    def has_room(self, partition: TP) -> bool:
        """Whether another batch may be fetched from this partition."""

    @property
    def fetch_bytes_max(self) -> int:
        """The most bytes to fetch of a partition at once, for an action that shares with no other."""

    def seeks(self) -> Mapping[tuple[str, int], int]:
        """The offsets to fetch from, by partition, that are new since the last `sought`."""

    def sought(self, places: Mapping[tuple[str, int], int]) -> None:
        """Note that the transport fetches from there."""

    def seek_again(self) -> None:
        """Seek again, because the last fetch was lost."""

    def reserve(self, partition: TP, fetched: Fetched) -> bool:
        """Count a fetched batch against the limits before its rows arrive. False: it is not the next batch."""

    def topic_id(self, partition: TP) -> str:
        """Kafka's id of the topic that the partition's lane reads, or empty if it is unknown."""

    def durable(self, partition: TP) -> int | None:
        """The next offset to commit, or None if the partition has no lane or nothing is durable yet."""

    def partitions(self) -> Sequence[tuple[str, int]]:
        """Partitions that have a lane."""


class RecordBatch(NamedTuple):
    """The records of one fetch from one partition. `end_offset` is the partition's end in the broker's answer."""

    records: Sequence[Record]
    end_offset: int


class BatchSchema(faust.Schema[Any, Any]):
    """Passes the record batch through, because this level has nothing to decode."""

    def compile(self, app: Any, **_: Any) -> Any:
        create_event = app.create_event

        async def decode(message: FaustMessage, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, message.headers, message)

        return decode


class LogSpan(NamedTuple):
    """The offsets of a partition's log, from `start` up to `end`, which is not included."""

    start: int
    end: int


class Committed(NamedTuple):
    """A group's offset, and the id of its topic, which is empty if the commit does not name it."""

    offset: int
    topic_id: str


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's thread for aiokafka's consumer. It reads committed records only, and its commits name the topic's id.

    Faust's queue runs two calls of this thread at a time. A question about a topic that was just deleted gets no answer for 90 s.
    So questions have a limit of their own, and run beside that queue: fetches, commits and rebalances do not wait for them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._asking: set[asyncio.Task[Any]] = set()
        self._ends = False

    def _create_worker_consumer(self, transport: Any) -> Any:
        """Read what is committed, as replays do. Faust's consumer would read aborted transactions, too."""
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"
        consumers.share(consumer, self.app.fetches)  # type: ignore[attr-defined]
        return consumer

    async def commit_named(self, offsets: Mapping[TP, Committed]) -> bool:
        """Commit. False if the partitions belong to another worker now."""
        return bool(await self.call_thread(self._commit_named, offsets))

    async def _commit_named(self, offsets: Mapping[TP, Committed]) -> bool:
        consumer = self._ensure_consumer()
        try:
            await consumer.commit(
                {driver.ensure_aiokafka_TP(tp): OffsetAndMetadata(*each) for tp, each in offsets.items()}
            )
        except Exception as error:
            if not (isinstance(error, CommitFailedError) and "already rebalanced" in str(error)):
                await self.crash(error)
            return False
        return True

    async def committed(self, tp: TP) -> Committed | None:
        """The group's committed offset of a partition, from its coordinator. Raises RetryableError."""
        place = driver.ensure_aiokafka_TP(tp)
        coordinator = self._ensure_consumer()._coordinator
        found = (await self._asked(lambda: coordinator.fetch_committed_offsets([place]))).get(place)
        return Committed(found.offset, found.metadata) if found and found.offset >= 0 else None

    def owns(self) -> bool:
        """Whether no other worker can have the partitions. False without a consumer: it has left the group."""
        return self._consumer is not None and bool(self._consumer._coordinator.owns())

    def limit_fetches(self, bytes_max: int) -> None:
        """The most bytes that fetches bring of a partition from now on. A consumer that ends fetches nothing more."""
        if self._consumer is not None:
            self._consumer._fetcher.limit(bytes_max)

    async def log_span(self, tp: TP) -> LogSpan:
        """The offsets of a partition's log. Raises RetryableError."""
        place = driver.ensure_aiokafka_TP(tp)
        consumer = self._ensure_consumer()
        begins = await self._asked(lambda: consumer.beginning_offsets([place]))
        ends = await self._asked(lambda: consumer.end_offsets([place]))
        return LogSpan(begins[place], ends[place])

    async def _asked(self, question: Callable[[], Awaitable[Mapping[Any, Any]]]) -> Mapping[Any, Any]:
        if self._ends:
            raise RetryableError("Kafka was not asked: the consumer ends", reason="timeout")
        asking = asyncio.run_coroutine_threadsafe(self._answer(question), self.thread_loop)
        try:
            return await asyncio.wrap_future(asking)
        except (TimeoutError, KafkaError) as error:
            raise _told(error) from error

    async def _answer(self, question: Callable[[], Awaitable[Mapping[Any, Any]]]) -> Mapping[Any, Any]:
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        async with asyncio.timeout(0 if self._ends else ANSWER_SECONDS):
            return await question()

    async def on_start(self) -> None:
        """Start the consumer, unless the stop comes first: the consumer waits without an end for a Kafka that does not answer."""
        await is_done_before(self._stopped, super().on_start())

    async def on_thread_stop(self) -> None:
        """The questions end with the thread. Without an answer from Kafka, the group's session ends instead of a leave."""
        self._ends = True
        await asyncio.sleep(0)  # begins what was asked just before
        for task in self._asking:
            task.cancel()
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                await super().on_thread_stop()
        if self._asking:
            await asyncio.wait(self._asking, timeout=ANSWER_SECONDS_MAX)


def _told(error: Exception) -> ConnectorError:
    """Why a question has no answer. A right that is missing is told as everywhere, by Kafka's code for it."""
    for kind in (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        if kind.__name__ in repr(error):  # aiokafka gives some errors as the text of another one
            return failure(CodedError(kind.errno), "Kafka does not answer")
    if isinstance(error, TimeoutError):
        return RetryableError(
            f"Kafka (kafka.bootstrap_servers) does not answer within {ANSWER_SECONDS:g} s", reason="timeout"
        )
    return RetryableError(f"Kafka does not answer: {error!r}", reason="timeout")


class Consumer(driver.Consumer):
    """Fetches for lanes that have room, and commits the offsets that they report as durable."""

    def _new_consumer_thread(self) -> Any:
        answers.install()
        fast_fetch.install()
        heartbeats.install()
        consumers.install()
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def lanes(self) -> TransportLanes:
        return cast(TransportLanes, self.app.lanes)  # type: ignore[attr-defined]

    async def _drain_messages(self, fetcher: Any) -> None:
        """Give each batch to the stream. Faust's own loop makes tasks for each, to stop waiting when a rebalance begins.

        That cost as much as the evaluation of a hundred records. Here a batch may come late: the agent knows its generation.
        """
        # At a stop, the thread of the consumer may end before this loop.
        stopped: tuple[type[BaseException], ...] = (asyncio.CancelledError, *self.consumer_stopped_errors)
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for _, message in self.getmany(timeout=1.0):
                    await self.callback(message)
        except stopped:
            if not self.app.should_stop:
                raise

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Yield one message for each partition batch. Its value is the RecordBatch, and its offset is that of the last record."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
        generation = self.app.consumer_generation_id
        lanes = self.lanes
        lanes.room.clear()
        if seeks := lanes.seeks():
            await self._seek_all(seeks)
        fetchable = {tp for tp in self._get_active_partitions() if lanes.has_room(tp)}
        if not fetchable:
            await self.wait(lanes.room.wait(), timeout=timeout)
            return
        shares = self.app.fetches.shares  # type: ignore[attr-defined]
        self._consumer_thread.limit_fetches(SHARED_FETCH_BYTES_MAX if shares else lanes.fetch_bytes_max)
        records = await self._getmany(active_partitions=fetchable, timeout=timeout)
        if self.should_stop or not records:
            return
        for tp, found in records.items():
            batch = cast(FetchedRecords, found)
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # A rebalance came during the fetch, and its records are lost. The rebalance may be over already, and
                # the records may be the first of the new assignment.
                lanes.seek_again()
                break
            if lanes.reserve(tp, Fetched(batch.first, batch.next, batch.size_bytes)):
                yield tp, _message(tp, batch, self.highwater(tp) or 0, generation)

    async def _seek_all(self, places: Mapping[tuple[str, int], int]) -> None:
        """Fetch from there on. The committed offset may be higher, and then the next commit goes back."""
        with suppress(IllegalStateError, AssertionError):  # the next rebalance has begun, and will open new lanes
            await self._thread.seek_wait({driver.ensure_aiokafka_TP(TP(*tp)): at for tp, at in places.items()})
            self._committed_offset.update(dict.fromkeys(TP(*tp) for tp in places))
            self.lanes.sought(places)

    async def log_span(self, topic: str, partition: int) -> LogSpan:
        """The offsets of a partition's log. Raises RetryableError."""
        return await self._consumer_thread.log_span(TP(topic, partition))

    async def group_offset(self, topic: str, partition: int) -> Committed | None:
        """The group's committed offset of a partition."""
        return await self._consumer_thread.committed(TP(topic, partition))

    def owns(self) -> bool:
        """Whether no other worker can have the partitions, by the last answer of the group's coordinator."""
        return self._consumer_thread.owns()

    @property
    def _consumer_thread(self) -> ConsumerThread:
        return cast(ConsumerThread, self._thread)

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: see rule 2 above."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Do nothing: see rule 2 above."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Do nothing: see rule 3 above."""

    def _new_offset(self, tp: TP) -> int | None:
        return self.lanes.durable(tp)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (
            tp for tp in map(TP._make, self.lanes.partitions()) if topics is None or tp in topics or tp.topic in topics
        )

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust would report a partition as stuck while its lane waits for S3, and our status already shows this."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commit durable offsets, then drop the lanes. Without the commit, a rebalance repeats thousands of records."""
        committed = {tp: self._committed_offset[tp] for tp in revoked}
        await super().on_partitions_revoked(revoked)
        offsets = {tp: self.lanes.durable(tp) for tp in revoked}
        due = {tp: offset for tp, offset in offsets.items() if offset is not None and offset != committed[tp]}
        if due:
            await self._commit_offsets(due)
        self.lanes.revoke(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Open lanes before the first fetch. The lanes of an earlier generation are gone, and their rows are read again."""
        self.lanes.revoke(self.lanes.partitions())
        self.lanes.assign(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit. A partition that was lost meanwhile is not an error, because its new owner handles it."""
        held = self.assignment()
        named = {tp: Committed(offset, self.lanes.topic_id(tp)) for tp, offset in offsets.items() if tp in held}
        return bool(named) and await self._consumer_thread.commit_named(named)


def _message(tp: TP, batch: FetchedRecords, end_offset: int, generation: int) -> ConsumerMessage:
    return ConsumerMessage(
        tp.topic,
        tp.partition,
        batch.next - 1,
        batch.records[-1].timestamp / 1000 if len(batch) else 0.0,
        0,  # timestamp type: CreateTime
        None,  # headers, key: each record has its own
        None,
        cast(Any, RecordBatch(batch.records, end_offset)),
        None,  # checksum
        0,
        0,
        tp,
        generation_id=generation,
    )


class Transport(driver.Transport):
    """Faust's aiokafka transport with the consumer of this file."""

    Consumer: ClassVar[type[Consumer]] = Consumer
