"""Kafka's log for the lanes of a worker: its start and end, the committed offset, and the topic's id.

The bounds come from the reading consumer, so that they belong to the log that it reads. Ids of topics come from one
client for all actions of a worker. Lanes that ask at the same time share one request, which is made after they asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, Protocol

from agents.lanes.lane import Partition
from agents.sinks.attempts import Attempts
from agents.stream.transport import Committed, LogSpan
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.errors import OperatorError, RetryableError
from pipeline.upload.source_log import LogBounds

# How often ids are checked without other requests. A direct action writes no entries, so it would not ask.
WATCH_SECONDS: Final = 10.0


class SharedTopicIds:
    """The ids of a worker's topics. Callers at the same time share a request."""

    def __init__(self, ids: TopicIds, topics: Iterable[str]) -> None:
        self._ids = ids
        self._topics = frozenset(topics)
        self._answer: dict[str, str] = {}
        self._asked = self._answered = 0  # number of the last request
        self._one_asks = asyncio.Lock()

    async def now(self, topic: str) -> str | None:
        """A topic's id, by a request after this call, or None if the topic does not exist. Raises ConnectorError."""
        wanted = self._asked + 1
        async with self._one_asks:
            if self._answered < wanted:
                self._asked += 1
                self._answer = await asyncio.to_thread(self._ids.of, self._topics)
                self._answered = self._asked
        return self._answer.get(topic)


class ReadLog(Protocol):
    """The log that a consumer reads. `agents.stream.transport.Consumer` implements it."""

    async def log_span(self, topic: str, partition: int) -> LogSpan:
        """The offsets of the log. Raises RetryableError."""

    async def group_offset(self, topic: str, partition: int) -> Committed | None:
        """The group's committed offset. Raises RetryableError."""

    def owns(self) -> bool:
        """Whether no other member of the group can have the partitions."""


class WorkerLog:
    """Kafka's log for the lanes of one action. Waits while Kafka is away.

    `goes_to(topic, partition, end)` blocks, and tells whether the log goes up to `end`. It is asked only when Kafka names an end
    before what was read already. The embedded Kafka does: it counts one record of its newest batch.
    """

    def __init__(
        self,
        ids: SharedTopicIds,
        attempts: Attempts,
        reading: Callable[[], ReadLog],
        goes_to: Callable[[str, int, int], bool],
    ) -> None:
        self._ids = ids
        self._until_done = attempts.until_done
        self._reading = reading
        self._goes_to = goes_to

    async def bounds(self, partition: Partition, read_to: int = 0) -> LogBounds:
        """The present start and end of the partition's log, and the group's committed offset."""
        return await self._until_done(lambda: self._bounds(partition, read_to))

    async def _bounds(self, partition: Partition, read_to: int) -> LogBounds:
        """All of one topic: its id is asked for before and after. Raises RetryableError."""
        topic_id = await id_of_existing(self._ids, partition.topic)
        committed = await self._reading().group_offset(*partition)
        start, end = await self._reading().log_span(*partition)  # last, because another worker may go on meanwhile
        if await id_of_existing(self._ids, partition.topic) != topic_id:
            raise RetryableError(
                f"topic {partition.topic} was deleted and made again meanwhile", reason="unknown_topic"
            )
        found = LogBounds(topic_id, start, end, *(committed or ()))
        if committed is not None and not found.commit_is_of_another_topic:
            read_to = max(read_to, committed.offset)
        if read_to > end and await asyncio.to_thread(self._goes_to, *partition, read_to):
            return found._replace(end=read_to)
        return found

    async def topic_id(self, topic: str) -> str:
        """The topic's id, by a request after this call. Empty if the broker has no ids, or while the topic does not exist."""
        return await self._until_done(lambda: self._ids.now(topic)) or ""

    def owns(self) -> bool:
        """Whether no other worker can have taken over the partitions."""
        return self._reading().owns()


async def id_of_existing(ids: SharedTopicIds, topic: str) -> str:
    """A topic's id. Raises ConnectorError, also if the topic does not exist."""
    found = await ids.now(topic)
    if found is None:
        raise RetryableError(f"there is no topic {topic} in Kafka now", reason="unknown_topic")
    return found


async def watch(
    topics: Iterable[str], ids: SharedTopicIds, replaced: Callable[[str, str], None], attempts: Attempts
) -> None:
    """Report the id of each topic regularly, until cancelled. Callers that need Kafka report that it is away.

    A topic that is gone, or hidden from our user, is a failure of the action until it is back: without partitions, no lane asks.
    """
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        for topic in topics:
            try:
                found = await ids.now(topic)
            except RetryableError:
                continue
            except OperatorError:
                found = None
            if found is None:
                found = await attempts.until_done(partial(id_of_existing, ids, topic))
            if found:
                replaced(topic, found)
