"""Lets the consumers of one worker share Kafka's answers (fetches.py), below aiokafka's fetcher.

aiokafka sends a request to each broker, and asks for no other partition of this broker before it has an answer. `share` gives
it an answer that another action has got, where there is one. So everything above stays what it is for an action alone:
positions, seeks, pauses, rebalances, errors, transactions. An answer never comes later than Kafka's would: it is empty if there
is nothing new within the time that the request gives Kafka.

An action that is alone in its worker shares nothing, and this costs it nothing. Nor does an action share before it knows the id
of its topic, or where Kafka has no such ids.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, NamedTuple

from aiokafka.client import ConnectionGroup
from aiokafka.consumer import fetcher
from aiokafka.protocol.fetch import FetchRequest

from agents.metrics import FETCHES, SHARED_BYTES
from agents.stream.checksums import FetchedBatches
from agents.stream.fast_fetch import PartitionRecords
from agents.stream.sharing.batches import SharedBatches, SharedRecords
from agents.stream.sharing.fetches import LogPlace, SharedFetches

# Bytes of a partition that an action fetches at once if others read them, too. With more, what is kept for them would be full
# before they come to it.
SHARED_FETCH_BYTES_MAX: Final = 1 << 20
NOTHING_NEW: Final = 0  # the version of an answer without partitions does not matter

Ask = Callable[[FetchRequest], Awaitable[Any]]
Wanted = Mapping[tuple[str, int], LogPlace]  # by the topic's name, and the partition


class PartitionAnswer(NamedTuple):
    """Kafka's answer for one place: the version of the protocol, the topic's name, and the fields for the partition."""

    version: int
    topic: str
    fields: tuple[Any, ...]

    @property
    def content(self) -> bytes | SharedBatches:
        """The record batches. They are as they came if there are none, or if Kafka tells an error."""
        found: bytes | SharedBatches = self.fields[-1]
        return found

    @property
    def next_offset(self) -> int:
        """The offset behind its records."""
        return self.content.next_offset if isinstance(self.content, SharedBatches) else 0

    @property
    def size_bytes(self) -> int:
        """Its memory now."""
        return self.content.size_bytes if isinstance(self.content, SharedBatches) else 0

    @property
    def is_whole(self) -> bool:
        """Whether nobody has found it damaged."""
        return not isinstance(self.content, SharedBatches) or self.content.is_whole


WorkerFetches = SharedFetches[PartitionAnswer]


class Response(NamedTuple):
    """An answer in the form of aiokafka's."""

    API_VERSION: int
    topics: list[tuple[str, list[tuple[Any, ...]]]]


class FetchMember:
    """The fetches of one action, on the event loop of its consumer."""

    def __init__(
        self,
        action: str,
        shared: WorkerFetches,
        topic_id: Callable[[Any], str],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._topic_id = topic_id
        self._clock = clock
        self._news = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._of_kafka = FETCHES.labels(action, "kafka")
        self._of_others = FETCHES.labels(action, "worker")

    @property
    def shares(self) -> bool:
        """Whether others may take what it fetches now."""
        return self._loop is not None and not self._shared.is_alone(self)

    async def answer(self, request: FetchRequest, ask: Ask) -> Any:
        """The answer to a request, perhaps for some of its partitions. `ask` gets it from Kafka. Raises KafkaError.

        Whoever has waited for others in vain gets an empty answer, and so asks for what it wants by then.
        """
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._shared.join(self)
        wanted = self._wanted(request)
        if wanted is None or self._shared.is_alone(self):
            response = await ask(request)
            self._of_kafka.inc(sum(bool(part[-1]) for _, parts in response.topics for part in parts))
            return response
        until, has_waited = self._clock() + request._max_wait_ms / 1000, False
        while True:
            self._news.clear()
            advice = self._shared.take(self, wanted.values(), self._clock(), may_claim=not has_waited)
            must_ask = not advice.found and advice.wait_until is None
            if must_ask and not has_waited:
                return await self._asked(request, wanted, ask)
            if advice.found or must_ask or self._clock() >= until:
                self._of_others.inc(len(advice.found))
                return _response(advice.found)
            has_waited = True
            with suppress(TimeoutError):
                async with asyncio.timeout(min(until, advice.wait_until or until) - self._clock()):
                    await self._news.wait()

    def tell(self) -> None:
        """Look again for answers of others."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._news.set)

    def leave(self) -> None:
        """Share no more."""
        self._shared.leave(self, self._clock())
        SHARED_BYTES.set(self._shared.size_bytes)

    def _wanted(self, request: FetchRequest) -> Wanted | None:
        """What a request asks for. None if the id of a topic is unknown."""
        found = {
            (topic, partition): LogPlace(self._topic_id((topic, partition)), partition, offset)
            for topic, partitions in request.topics
            for partition, offset, _ in partitions
        }
        return found if all(place.topic_id for place in found.values()) else None

    async def _asked(self, request: FetchRequest, wanted: Wanted, ask: Ask) -> Response:
        """Kafka's answer, whose records the others may have, too."""
        answers: dict[LogPlace, PartitionAnswer] = {}
        try:
            response = await ask(request)
            for topic, parts in response.topics:
                for fields in parts:
                    place = wanted[topic, fields[0]]
                    answers[place] = _shareable(response.API_VERSION, topic, fields, place.offset)
        finally:
            records = {place: each for place, each in answers.items() if isinstance(each.content, SharedBatches)}
            self._shared.settle(self, wanted.values(), records, self._clock())
            SHARED_BYTES.set(self._shared.size_bytes)
        self._of_kafka.inc(len(records))
        return _response(answers)


def _shareable(version: int, topic: str, fields: tuple[Any, ...], offset: int) -> PartitionAnswer:
    """The answer for a partition from an offset on, with its records in a form that several actions can read.

    Without records it stays as it is.
    """
    if fields[1] or not fields[-1]:
        return PartitionAnswer(version, topic, fields)
    return PartitionAnswer(version, topic, (*fields[:-1], SharedBatches(fields[-1], offset)))


def _response(answers: Mapping[LogPlace, PartitionAnswer]) -> Response:
    """The answers of one version as one; aiokafka asks again for the others.

    They are in the order of their places, so that all actions read the partitions in one order, and stay near each other.
    """
    version = next(iter(answers.values())).version if answers else NOTHING_NEW
    by_topic: dict[str, list[tuple[Any, ...]]] = {}
    for _, each in sorted(answers.items()):
        if each.version == version:
            by_topic.setdefault(each.topic, []).append(each.fields)
    return Response(version, list(by_topic.items()))


def share(consumer: Any, member: FetchMember) -> None:
    """Let an aiokafka consumer share what it fetches. aiokafka has no hook for it; its fetcher asks its client."""
    send = consumer._client.send

    async def shared(node_id: int, request: Any, *, group: int = ConnectionGroup.DEFAULT) -> Any:
        if isinstance(request, FetchRequest):
            return await member.answer(request, partial(send, node_id, group=group))
        return await send(node_id, request, group=group)

    consumer._client.send = shared


def _batches_of(content: bytes | SharedBatches) -> FetchedBatches | SharedBatches:
    return content if isinstance(content, SharedBatches) else FetchedBatches(content)


def _records_of(place: Any, batches: FetchedBatches | SharedBatches, *others: Any) -> PartitionRecords | SharedRecords:
    reader = SharedRecords if isinstance(batches, SharedBatches) else PartitionRecords
    return reader(place, batches, *others)


def install() -> None:
    """Let every aiokafka consumer of this process read shared batches, too."""
    fetcher.MemoryRecords = _batches_of
    fetcher.PartitionRecords = _records_of
