"""A lane of direct upload on a store in memory that fails now and then, for tests in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from agents.lanes.lane import Fetched, Partition
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from pipeline.connectors.s3.store import PROBE, Head
from pipeline.errors import ConnectorError, RefusedError, RetryableError
from pipeline.record import Record
from pipeline.rule.rule_set import RuleSet
from pipeline.upload.headers import METADATA_PREFIX
from tests.faults.simulation.clock import VirtualLoop
from tests.faults.simulation.world import Letters, kafka_record
from tests.parts.actions import direct
from tests.parts.bench import PlayedLog


class Store:
    """Takes puts in its own time, fails now and then, and remembers the order of what took effect."""

    def __init__(self, seed: int = 0, failing: float = 0.2, *, conditional: bool = True) -> None:
        self.chance = random.Random(seed)
        self.failing = failing
        self.confirmed: list[tuple[str, bytes]] = []
        self.objects: dict[str, tuple[bytes, Mapping[str, str], str]] = {}
        self.under_way = 0
        self.most_under_way = 0
        self.refused: set[str] = set()
        self.refused_bodies: set[bytes] = set()
        self.failing_keys: dict[str, ConnectorError] = {}
        self.probed = 0
        self._conditional = conditional

    async def conditional(self, bucket: str) -> bool:
        return self._conditional

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str | None:
        return await self._write(key, body, headers, lambda there: True)

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        return await self._write(key, body, headers, lambda there: there is None)

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        return await self._write(key, body, headers, lambda there: there == etag)

    async def head(self, bucket: str, key: str) -> Head | None:
        found = self.objects.get(key)
        metadata = {name.removeprefix(METADATA_PREFIX): value for name, value in found[1].items()} if found else {}
        return Head(len(found[0]), found[2], metadata) if found else None

    async def _write(
        self, key: str, body: bytes, headers: Mapping[str, str], holds: Callable[[str | None], bool]
    ) -> str | None:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self.chance.random())
            if key in self.refused or body in self.refused_bodies:
                raise RefusedError("never", reason="key_length")
            if key in self.failing_keys:
                raise self.failing_keys[key]
            if self.chance.random() < self.failing:
                raise RetryableError("the request was lost", reason="simulated")
            if key == PROBE:
                self.probed += 1
                return "probe"
            if not holds(self.objects[key][2] if key in self.objects else None):
                return None
            self.confirmed.append((key, body))
            self.objects[key] = body, headers, f"e{len(self.confirmed)}"
            if self.chance.random() < self.failing:
                raise RetryableError("the answer was lost", reason="simulated")
        finally:
            self.under_way -= 1
        return self.objects[key][2]


class Bench:
    """A lane of partition 0 on a store, fed with messages of some clients."""

    def __init__(
        self, store: Store, *, window: int = 10, action: str = "d", kafka: PlayedLog | None = None, **parameters: Any
    ) -> None:
        self.store = store
        self.letters = Letters()
        self.kafka = kafka or PlayedLog()
        writer = DirectWriter(
            direct(action, window=window, **parameters),
            PatientStore(store, Attempts(action)),  # type: ignore[arg-type]
            DeadLetters(self.letters, "dead", action, Attempts(action)),
            self.kafka,
        )
        self.writer = writer
        self.rules = RuleSet({"r": 'SELECT * FROM "t/#"'}, node="n")
        self.lane = DirectLane(Partition("mqtt.messages", 0), lambda: None, writer)

    @property
    def rules(self) -> RuleSet:
        """The rules of the action."""
        return self.writer.version.action.rules

    @rules.setter
    def rules(self, rules: RuleSet) -> None:
        self.writer.turn_to(replace(self.writer.version.action, rules=rules))

    def feed(self, records: list[Record], rules: RuleSet | None = None) -> None:
        """`rules`: those under which the rows are made first; the default are the action's."""
        size_bytes = sum(len(each.value or b"") for each in records)
        self.lane.reserve(Fetched(records[0].offset, records[-1].offset + 1, size_bytes))
        self.lane.offer((rules or self.rules).evaluate(records))

    async def finish(self) -> None:
        """Drain; fails if the lane does not end."""
        self.lane.drain()
        await self.lane.run()


def messages(count: int, clients: int = 5, seed: int = 1) -> list[Record]:
    chance = random.Random(seed)
    return [kafka_record(offset, b"c%d" % chance.randrange(clients), b"%d" % offset) for offset in range(count)]


def in_virtual_time(story: Coroutine[Any, Any, None]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story)
    finally:
        loop.close()
