"""A world in one process, in virtual time, driven by one seed: a partition, a bucket, and writers that come and go.

The bucket obeys the rules of a conditional store and fails as stores do: before the effect, after it (the answer is lost), or
with a delay. Writers are the real lanes. Time jumps to the next thing that happens, so hours take milliseconds.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.aggregated import AggregatedLane
from agents.attempts import Attempts
from agents.chain import AggregatedWriter
from agents.dead_letter import DeadLetters
from agents.lane import Partition
from agents.version import Version
from pipeline.config import AggregatedParameters
from pipeline.connectors.s3 import Head
from pipeline.connectors.s3_headers import METADATA_PREFIX
from pipeline.errors import RetryableError
from pipeline.record import Outgoing, Record


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the simulation stands still: nothing is ready and no timer is set")
        self._loop.now += max(0.0, timeout)
        return super().select(0)


@dataclass(frozen=True)
class Faults:
    """How often what goes wrong, as chances per request or step. All of it is decided by one seed."""

    fail_before: float = 0.05  # the request never arrives
    fail_after: float = 0.05  # the answer is lost, the effect stays
    delay_seconds: float = 2.0  # longest time a request takes
    replace: float = 0.1  # per step: another owner appears, the present one becomes a zombie
    kill: float = 0.1  # per step: a writer dies where it stands


class Bucket:
    """A store with conditional writes, in memory."""

    def __init__(self, chance: random.Random, faults: Faults) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.etags: dict[str, str] = {}
        self.history: list[tuple[str, bytes]] = []  # every write that took effect
        self._chance = chance
        self.faults = faults

    async def _travel(self) -> None:
        await asyncio.sleep(self._chance.random() * self.faults.delay_seconds)
        if self._chance.random() < self.faults.fail_before:
            raise RetryableError("cut before the request arrived", reason="simulated")

    def _answer(self) -> None:
        if self._chance.random() < self.faults.fail_after:
            raise RetryableError("the answer was lost", reason="simulated")

    async def conditional(self, bucket: str) -> bool:
        return True

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        await self._travel()
        free = key not in self.objects
        if free:
            self._store(key, body, headers)
        self._answer()
        return self.etags[key] if free else None

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        await self._travel()
        same = self.etags.get(key) == etag
        if same:
            self._store(key, body, headers)
        self._answer()
        return self.etags[key] if same else None

    def _store(self, key: str, body: bytes, headers: Mapping[str, str]) -> None:
        metadata = {name.removeprefix(METADATA_PREFIX): value for name, value in headers.items()}
        self.objects[key] = body, metadata
        self.history.append((key, body))
        self.etags[key] = f"e{len(self.history)}"

    async def head(self, bucket: str, key: str) -> Head | None:
        await self._travel()
        found = self.objects.get(key)
        return Head(len(found[0]), self.etags[key], found[1]) if found else None

    async def get(self, bucket: str, key: str) -> bytes | None:
        await self._travel()
        found = self.objects.get(key)
        return found[0] if found else None

    async def keys(self, bucket: str, prefix: str, *, after: str = "") -> AsyncIterator[str]:
        await self._travel()
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield key

    def contents(self) -> dict[str, bytes]:
        return {key: body for key, (body, _) in self.objects.items()}


class Letters:
    """A dead letter topic that takes everything."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        self.records.extend(records)


def kafka_record(offset: int, key: bytes, value: bytes) -> Record:
    """A record of topic t/1, a tenth of a second after its predecessor."""
    return Record("mqtt.messages", 0, offset, 1_700_000_000_000 + offset * 100, key, value, [("topic", b"t/1")])


PARTITION = Partition("mqtt.messages", 0)


class World:
    """One partition with its log, its bucket and its writers."""

    def __init__(self, seed: int, log: Sequence[Record], parameters: AggregatedParameters, faults: Faults) -> None:
        self.chance = random.Random(seed)
        self.log = log
        self.parameters = parameters
        self.bucket = Bucket(self.chance, faults)
        self.letters = Letters()
        self.committed = 0
        self.statements = {"r": 'SELECT payload.g AS g, payload.n AS n FROM "t/#" WHERE payload.keep = true'}

    def writer(self) -> AggregatedWriter:
        """What a worker with the present configuration has."""
        return AggregatedWriter(
            action="a",
            bucket="b",
            headers={},
            version=Version("a", "sim", self.statements, self.parameters),
            store=self.bucket,  # type: ignore[arg-type]
            dead_letters=DeadLetters(self.letters, "dead", "a", Attempts("a")),
            attempts=Attempts("a", cap_seconds=5.0),
            events_topic="",
            end_offset=self._end_offset,
        )

    async def _end_offset(self, partition: Partition) -> int:
        return len(self.log)

    async def own(self, pace_seconds: float) -> None:
        """A writer from the committed offset to the end of the log: it fetches, writes, commits, and drains."""
        writer = self.writer()
        lane = AggregatedLane(PARTITION, lambda: None, writer)
        run = asyncio.create_task(lane.run())
        try:
            at = self.committed
            while at < len(self.log):
                await asyncio.wait({run}, timeout=self.chance.random() * pace_seconds)
                if run.done():
                    break
                if lane.has_room:
                    at += self._fetch(lane, writer, at)
                self._commit(lane)
            while not lane.drained.is_set() and not run.done():
                if lane.idle:
                    lane.drain()
                await asyncio.wait({run}, timeout=1.0)
            self._commit(lane)
        finally:
            run.cancel()
        if run.done() and not run.cancelled() and run.exception():
            raise run.exception()  # type: ignore[misc]

    def _fetch(self, lane: AggregatedLane, writer: AggregatedWriter, at: int) -> int:
        records = self.log[at : at + self.chance.randint(1, 12)]
        lane.reserve(sum(len(each.value) for each in records))
        lane.offer(writer.version.rules.evaluate(records))
        return len(records)

    def _commit(self, lane: AggregatedLane) -> None:
        if lane.durable is not None:
            self.committed = max(self.committed, lane.durable)
