"""Lets the consumers of one worker share Kafka's answers (shared_fetches.py), below aiokafka's fetcher.

aiokafka asks its client for an answer to each fetch. `SharingClient` gives it an answer that another action has got, where there
is one. So everything above stays what it is for an action alone: positions, seeks, pauses, rebalances, errors, transactions. The
records of a shared answer are unpacked once, a part at a time, by whoever needs the next part first.

An action that is alone in its worker shares nothing, and this costs it nothing. Nor does an action share before it knows the id
of its topic, or where Kafka has no such ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from copy import copy
from functools import partial
from math import inf
from threading import Lock
from typing import Any, Final, NamedTuple

from aiokafka.client import ConnectionGroup
from aiokafka.consumer import consumer, fetcher
from aiokafka.protocol.fetch import FetchRequest

from agents.metrics import FETCHES, SHARED_BYTES
from agents.stream.checksums import FetchedBatches
from agents.stream.credentials import FreshClient
from agents.stream.fast_fetch import PartitionRecords, Unpacked
from agents.stream.shared_fetches import LogPlace, SharedFetches
from pipeline.columns import Columns, size_of

PART_RECORDS_MAX: Final = 10_000

Ask = Callable[[FetchRequest], Awaitable[Any]]
# The topic's name, and the partition, offset and size that a request names, by place.
Wanted = Mapping[LogPlace, tuple[str, tuple[int, int, int]]]


class SharedPart(NamedTuple):
    """Some records of an answer, and the offset behind them. `more`: others may follow."""

    records: Columns
    size_bytes: int
    next_offset: int
    more: bool


class SharedBatches:
    """The record batches of one partition in an answer. Several actions read them, each in its own thread."""

    def __init__(self, content: bytes) -> None:
        self.size_bytes = self._content_bytes = len(content)
        self.is_whole = True
        self._batches: FetchedBatches | None = FetchedBatches(content)
        self._has_next = self._batches.has_next()
        self._source: PartitionRecords | None = None
        self._parts: list[SharedPart] = []
        self._lock = Lock()

    def has_next(self) -> bool:
        """Whether it has a whole batch."""
        return bool(self._has_next)

    def size_in_bytes(self) -> int:
        """The bytes that came."""
        return self._content_bytes

    def read_from(self, place: Any, aborted: Any, offset: int, *settings: Any) -> SharedRecords:
        """Read it from its beginning. All readers give the same arguments, since they asked for the same place."""
        with self._lock:
            if self._source is None and not self._parts:
                self._source = PartitionRecords(place, self._batches, aborted, offset, *settings)
        return SharedRecords(self, offset)

    def part(self, number: int) -> SharedPart:
        """A part, which is unpacked if it is the next one. Raises CorruptRecordException."""
        with self._lock:
            while len(self._parts) <= number:
                self._parts.append(self._next_part())
            return self._parts[number]

    def _next_part(self) -> SharedPart:
        source = self._source
        assert source is not None
        try:
            found = source.take(PART_RECORDS_MAX)
        except Exception:
            self.is_whole = False  # whoever asks for this place again asks Kafka
            raise
        self.size_bytes += found.size_bytes
        if not found.more:
            self._source = self._batches = None
            self.size_bytes -= self._content_bytes
        return SharedPart(found.records, found.size_bytes, source.next_fetch_offset, found.more)


class SharedRecords:
    """One action's way through shared batches, in the place of `fast_fetch.PartitionRecords`."""

    def __init__(self, batches: SharedBatches, offset: int) -> None:
        self.next_fetch_offset = offset
        self._batches = batches
        self._number = self._taken = 0  # of the part, and records that are taken of it

    def take(self, records_max: int) -> Unpacked:
        """The next records, at most so many. `next_fetch_offset` advances. Raises CorruptRecordException."""
        part = self._batches.part(self._number)
        records = part.records[self._taken : self._taken + records_max]
        self._taken += len(records)
        if self._taken < len(part.records):
            self.next_fetch_offset = records.offsets[-1] + 1
            return Unpacked(records, size_of(records), True)
        size_bytes = part.size_bytes if self._taken == len(records) else size_of(records)
        self._number, self._taken, self.next_fetch_offset = self._number + 1, 0, part.next_offset
        return Unpacked(records, size_bytes, part.more)


class PartitionAnswer(NamedTuple):
    """Kafka's answer for one place: the version of the protocol, the topic's name, and the fields for the partition."""

    version: int
    topic: str
    fields: tuple[Any, ...]

    @property
    def content(self) -> bytes | SharedBatches:
        """The record batches."""
        found: bytes | SharedBatches = self.fields[-1]
        return found

    @property
    def size_bytes(self) -> int:
        """Its memory now."""
        return self.content.size_bytes if isinstance(self.content, SharedBatches) else 0

    @property
    def is_whole(self) -> bool:
        """Whether nobody has found it damaged."""
        return not isinstance(self.content, SharedBatches) or self.content.is_whole


class Response(NamedTuple):
    """An answer in the form of aiokafka's."""

    API_VERSION: int
    topics: list[tuple[str, list[tuple[Any, ...]]]]


class FetchMember:
    """The fetches of one action, on the event loop of its consumer."""

    def __init__(self, action: str, shared: SharedFetches[PartitionAnswer], topic_id: Callable[[Any], str]) -> None:
        self._shared = shared
        self._topic_id = topic_id
        self._news = asyncio.Event()
        self._has_left = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: dict[int, asyncio.Task[dict[LogPlace, PartitionAnswer]]] = {}  # by broker
        self._of_kafka = FETCHES.labels(action, "kafka")
        self._of_others = FETCHES.labels(action, "worker")

    async def answer(self, node_id: int, request: FetchRequest, ask: Ask) -> Any:
        """The answer to a request, for some of its partitions at least. `ask` gets it from Kafka. Raises KafkaError."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._shared.join(self)
        places = self._places(request)
        if places is None or self._has_left or self._shared.is_alone(self):
            response = await ask(request)
            self._of_kafka.inc(sum(bool(part[-1]) for _, parts in response.topics for part in parts))
            return response
        while True:
            self._news.clear()
            if found := self._answered(node_id, places):
                return _response(found)
            taken = self._shared.take(self, places, time.monotonic(), may_claim=node_id not in self._asking)
            SHARED_BYTES.set(self._shared.size_bytes)
            if taken.found:
                self._of_others.inc(len(taken.found))
                return _response(taken.found)
            if taken.claimed:
                self._asking[node_id] = asyncio.create_task(self._ask(request, taken.claimed, places, ask))
            with suppress(TimeoutError):
                async with asyncio.timeout(None if taken.until == inf else taken.until - time.monotonic()):
                    await self._news.wait()

    def tell(self) -> None:
        """Look again for answers of others."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._news.set)

    def leave(self) -> None:
        """Share no more."""
        self._has_left = True
        self._shared.leave(self)
        SHARED_BYTES.set(self._shared.size_bytes)

    async def close(self) -> None:
        """Share no more, and end what is asked."""
        self.leave()
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)

    def _places(self, request: FetchRequest) -> Wanted | None:
        """What a request asks for, by place. None if the id of a topic is unknown."""
        found: dict[LogPlace, tuple[str, tuple[int, int, int]]] = {}
        for topic, partitions in request.topics:
            for wanted in partitions:
                topic_id = self._topic_id((topic, wanted[0]))
                if not topic_id:
                    return None
                found[LogPlace(topic_id, wanted[0], wanted[1])] = topic, wanted
        return found

    def _answered(self, node_id: int, places: Iterable[LogPlace]) -> Mapping[LogPlace, PartitionAnswer]:
        """What Kafka has answered to this action itself, for these places. Raises KafkaError."""
        asking = self._asking.get(node_id)
        if asking is None or not asking.done():
            return {}
        del self._asking[node_id]
        answers = asking.result()
        found = {place: answers[place] for place in places if place in answers}
        self._of_kafka.inc(sum(bool(each.content) for each in found.values()))
        return found

    async def _ask(
        self, request: FetchRequest, claimed: Iterable[LogPlace], places: Wanted, ask: Ask
    ) -> dict[LogPlace, PartitionAnswer]:
        """Ask Kafka for the claimed places, and let the others have the records."""
        answers: dict[LogPlace, PartitionAnswer] = {}
        try:
            response = await ask(_only(request, [places[place] for place in claimed]))
            at = {(places[place][0], place.partition): place for place in claimed}
            for topic, parts in response.topics:
                for fields in parts:
                    answers[at[topic, fields[0]]] = _shareable(response.API_VERSION, topic, fields)
            return answers
        finally:
            records = {place: each for place, each in answers.items() if isinstance(each.content, SharedBatches)}
            self._shared.settle(self, claimed, records, time.monotonic())
            self._news.set()


def _only(request: FetchRequest, wanted: Iterable[tuple[str, tuple[int, int, int]]]) -> FetchRequest:
    """The same request for these partitions alone."""
    by_topic: dict[str, list[tuple[int, int, int]]] = {}
    for topic, partition in wanted:
        by_topic.setdefault(topic, []).append(partition)
    part = copy(request)
    part._topics = list(by_topic.items())
    return part


def _shareable(version: int, topic: str, fields: tuple[Any, ...]) -> PartitionAnswer:
    """The answer for a partition, with its records in a form that several actions can read. Without records it stays as it is."""
    if fields[1] or not fields[-1]:
        return PartitionAnswer(version, topic, fields)
    return PartitionAnswer(version, topic, (*fields[:-1], SharedBatches(fields[-1])))


def _response(found: Mapping[LogPlace, PartitionAnswer]) -> Response:
    """The answers of one version as one; aiokafka asks again for the others."""
    version = next(iter(found.values())).version
    by_topic: dict[str, list[tuple[Any, ...]]] = {}
    for each in found.values():
        if each.version == version:
            by_topic.setdefault(each.topic, []).append(each.fields)
    return Response(version, list(by_topic.items()))


class SharingClient(FreshClient):
    """aiokafka's client, which shares the answers to fetches if its consumer is one of several of a worker."""

    member: FetchMember | None = None

    async def send(self, node_id: int, request: Any, *, group: int = ConnectionGroup.DEFAULT) -> Any:
        """The answer of a broker to a request. Raises KafkaError."""
        ask = partial(super().send, node_id, group=group)
        if self.member is None or not isinstance(request, FetchRequest):
            return await ask(request)
        return await self.member.answer(node_id, request, ask)

    async def close(self) -> None:
        """Close all connections."""
        if self.member is not None:
            await self.member.close()
        await super().close()


def _batches_of(content: bytes | SharedBatches) -> FetchedBatches | SharedBatches:
    return content if isinstance(content, SharedBatches) else FetchedBatches(content)


def _records_of(place: Any, batches: FetchedBatches | SharedBatches, *others: Any) -> PartitionRecords | SharedRecords:
    if isinstance(batches, SharedBatches):
        return batches.read_from(place, *others)
    return PartitionRecords(place, batches, *others)


def install() -> None:
    """Let every aiokafka consumer of this process share, if it is given a member."""
    consumer.AIOKafkaClient = SharingClient
    fetcher.MemoryRecords = _batches_of
    fetcher.PartitionRecords = _records_of
