"""What a worker's lanes ask Kafka: where a partition's log begins and ends, what is committed, and which topic it is.

Bounds come from the consumer that reads, so that they are of the very log it reads. Ids of topics come from one client for all
actions of a worker: all lanes that ask at once get the answer to one request, which was made after they asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeVar

from agents.sinks.attempts import Attempts
from agents.sinks.lane import Partition
from agents.stream.transport import Committed
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.errors import RetryableError
from pipeline.upload.source_log import LogBounds

# How often topics are looked at while nothing else asks. A direct action has no entry at which it would ask.
WATCH_SECONDS: Final = 10.0

Result = TypeVar("Result")


class SharedTopicIds:
    """The ids of a worker's topics, asked for by many at once."""

    def __init__(self, ids: TopicIds, topics: Iterable[str]) -> None:
        self._ids = ids
        self._topics = frozenset(topics)
        self._answer: dict[str, str] = {}
        self._asked = self._answered = 0  # number of the last request
        self._one_asks = asyncio.Lock()

    async def now(self, topic: str) -> str | None:
        """A topic's id, by a request that is made after this call; None if there is no such topic. Raises ConnectorError."""
        wanted = self._asked + 1
        async with self._one_asks:
            if self._answered < wanted:
                self._asked += 1
                self._answer = await asyncio.to_thread(self._ids.of, self._topics)
                self._answered = self._asked
        return self._answer.get(topic)


class ReadLog(Protocol):
    """What the consumer knows of the log that it reads: `agents.stream.transport.Consumer` is the real one."""

    async def log_bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """Where the log begins and ends."""

    async def group_offset(self, topic: str, partition: int) -> Committed | None:
        """What the group has committed."""


class WorkerLog:
    """Kafka, as the lanes of one action see it. Waits while Kafka is away."""

    def __init__(self, ids: SharedTopicIds, attempts: Attempts, reading: Callable[[], ReadLog]) -> None:
        self._ids = ids
        self._until_done = attempts.until_done
        self._reading = reading

    async def bounds(self, partition: Partition) -> LogBounds:
        """Where the partition's log begins and ends now, and what the consumer group has committed."""
        topic_id = await self._until_done(lambda: self._id_of_existing(partition.topic))
        committed = await self._reading().group_offset(*partition)
        start, end = await self._reading().log_bounds(*partition)  # after the commit, which another may have moved on
        if committed is None:
            return LogBounds(topic_id, start, end)
        return LogBounds(topic_id, start, end, *committed)

    async def topic_id(self, topic: str) -> str:
        """The topic's id, asked for after this was called; empty where the broker has none, or while there is no such topic."""
        return await self._until_done(lambda: self._ids.now(topic)) or ""

    async def _id_of_existing(self, topic: str) -> str:
        found = await self._ids.now(topic)
        if found is None:
            raise RetryableError(f"there is no topic {topic} in Kafka now", reason="unknown_topic")
        return found


async def watch(topics: Iterable[str], ids: SharedTopicIds, replaced: Callable[[str, str], None]) -> None:
    """Tell now and then which id each topic has, until cancelled. Kafka away is told by whoever needs it."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        for topic in topics:
            found = await _if_known(ids.now(topic))
            if found:
                replaced(topic, found)


async def _if_known(asking: Awaitable[str | None]) -> str | None:
    try:
        return await asking
    except RetryableError:
        return None
