"""A lane of an aggregated action on a played store, in virtual time."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from agents.lanes.lane import Fetched, Partition
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.patient_store import PatientStore
from pipeline.record import Record
from pipeline.upload.source_log import LogBounds
from tests.faults.faults import CALM
from tests.faults.simulation.bucket import Bucket
from tests.faults.simulation.clock import tell
from tests.faults.simulation.world import Letters, kafka_record
from tests.parts.actions import aggregated

PARTITION = Partition("mqtt.messages", 0)


SELECT = {"r": 'SELECT payload.n AS n, clientid FROM "t/#" WHERE payload.n >= 0'}


def bucket(**faults: Any) -> Bucket:
    """A store in which nothing goes wrong but what is said."""
    return Bucket(random.Random(1), replace(CALM, **faults))


def record(offset: int, n: Any = None, client: bytes = b"c") -> Record:
    return kafka_record(offset, client, json.dumps({"n": offset if n is None else n}).encode())


class PlayedLog:
    """A log of Kafka's from `start` to `end`, of a topic with this id."""

    def __init__(self, start: int = 0, end: int = 0, topic_id: str = "id") -> None:
        self.start, self.end, self.id = start, end, topic_id
        self.owned = True
        self.committed: int | None = None
        self.committed_id = ""

    async def bounds(self, partition: Partition, read_to: int = 0) -> LogBounds:
        return LogBounds(self.id, self.start, self.end, self.committed, self.committed_id)

    async def topic_id(self, topic: str) -> str:
        return self.id

    def owns(self) -> bool:
        return self.owned


class Bench:
    """A lane of an aggregated action; another one on the same store is its successor."""

    def __init__(
        self,
        store: Any,
        *,
        action: str = "a",
        rules: Mapping[str, str] = SELECT,
        letters: Any = None,
        **parameters: Any,
    ) -> None:
        compiled = aggregated(action, rules, **parameters)
        self.letters = letters or Letters()
        self.attempts = Attempts(action, cap_seconds=2.0)
        dead_letters = DeadLetters(self.letters, "dead", action, self.attempts)
        self.kafka = PlayedLog()
        self.writer = AggregatedWriter(action, compiled, PatientStore(store, self.attempts), dead_letters, self.kafka)
        self.lane = AggregatedLane(PARTITION, lambda: None, self.writer)
        self.rules = compiled.evaluator
        self.task = asyncio.create_task(self.lane.run())

    def offer(self, records: Sequence[Record]) -> None:
        """Records that follow each other, as one fetch brought them."""
        self.kafka.end = records[-1].offset + 1
        self.lane.reserve(Fetched(records[0].offset, self.kafka.end, 100))
        self.lane.offer(self.rules.evaluate(records))

    async def kill(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def stop(self) -> None:
        self.lane.drain()
        await self.task


def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with structlog.testing.capture_logs():
        tell(1, story())
