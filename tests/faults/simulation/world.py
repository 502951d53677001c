"""One partition, one bucket, and workers that come, freeze, wake up, stop and die: what both kinds of upload have in common.

The lanes and what is around them in a worker (`agents.sinks.lane.Lanes`) are the real ones. Played are Kafka (a log, the
committed offset, and who may commit), the store, and the workers' processes. All of it is driven by one seed, in virtual time.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from agents.sinks.lane import Lane, Lanes, Partition
from pipeline.errors import FenceLostError, LaneError, RetryableError
from pipeline.record import Outgoing, Record
from pipeline.rule import RuleSet
from tests.faults.faults import CALM, Faults
from tests.faults.simulation.bucket import Bucket, Link
from tests.faults.simulation.clock import jump_wall_clock

PARTITION: Final = Partition("mqtt.messages", 0)
STEPS: Final = 25
STEP_SECONDS: Final = 8.0
DRAIN_SECONDS: Final = 20.0
OWNERS_MAX: Final = 30
DAY_MS: Final = 86_400_000
BATCH_RECORDS_MAX: Final = 12
BYTES_SHORT: Final = 4_000
BYTES_AMPLE: Final = 1 << 30
# What an action may hold beyond its limit: the batch that was let in last, with what rows cost besides their bytes.
BYTES_BEYOND: Final = 16_000


def kafka_record(
    offset: int, key: bytes, value: bytes, headers: Sequence[tuple[str, bytes]] = (("topic", b"t/1"),)
) -> Record:
    """A record of topic t/1, a tenth of a second after its predecessor."""
    return Record("mqtt.messages", 0, offset, 1_700_000_000_000 + offset * 100, key, value, list(headers))


class Letters:
    """A dead letter topic."""

    def __init__(self, chance: random.Random | None = None, refuse: float = 0.0) -> None:
        self.records: list[Outgoing] = []
        self.refuse = refuse
        self._chance = chance or random.Random(0)

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        if self.refuse:
            await asyncio.sleep(self._chance.random() * STEP_SECONDS)
            if self._chance.random() < self.refuse:
                self.records.extend(records[: self._chance.randint(0, len(records))])
                raise RetryableError("not acknowledged", reason="kafka")
        self.records.extend(records)

    @property
    def offsets(self) -> set[int]:
        """Where the dead letters came from."""
        found = [dict(record.headers).get("dead_letter.offset") for record in self.records]
        return {int(offset) for offset in found if offset is not None}  # those of marks have none


class World(ABC):
    """The story of one seed: `tell` it, then ask for `wrongs`."""

    def __init__(self, seed: int, log: Sequence[Record], faults: Faults) -> None:
        self.chance = random.Random(seed)
        self.faults = faults
        self.log = with_jumps(log, self.chance, faults.jump_clock)
        self.bucket = Bucket(self.chance, faults)
        self.letters = Letters(self.chance, faults.refuse_letter)
        self.committed = 0
        self.rule = 0  # number of the rule that workers are started with
        self.rules_max = 3
        self.found: list[str] = []  # what was wrong on the way
        self.most_held_bytes = 0
        self.workers: list[Worker] = []
        self.owner: Worker | None = None
        self._read_at_once = False

    # --- What the kinds of upload differ in

    @abstractmethod
    def rules(self) -> RuleSet:
        """What the rule agent of a worker that starts now evaluates."""

    @abstractmethod
    def open_lane(self, worker: Worker) -> Callable[[Partition, Callable[[], None]], Lane]:
        """What makes the lanes of a worker that starts now."""

    @abstractmethod
    def uncovered(self, offset: int) -> list[str]:
        """What must be durable before `offset` is committed, and is not."""

    @abstractmethod
    async def operate(self) -> None:
        """What a person does at a step of the story."""

    @abstractmethod
    def wrongs(self) -> list[str]:
        """What the checkers find, after the story."""

    # --- Kafka

    @property
    def end_offset(self) -> int:
        """Records arrive all the time, until the story's end."""
        if self._read_at_once:
            return len(self.log)
        arrived = asyncio.get_running_loop().time() / (STEPS * STEP_SECONDS / 2)
        return min(len(self.log), 5 + int(len(self.log) * arrived))

    def commit(self, worker: Worker, offset: int | None) -> None:
        """As the group's coordinator does it: only from the partition's owner."""
        if offset is None or worker is not self.owner or offset == self.committed:
            return
        self.found += self.uncovered(offset)
        self.committed = offset

    # --- The story

    async def tell(self) -> None:
        """Owners come and go while records arrive; then the faults heal, and the last ones wake up and finish."""
        faults, chance = self.faults, self.chance
        for _ in range(STEPS):
            if not self.workers or chance.random() < faults.replace:
                await self._start()
            if chance.random() < faults.change_rule:
                self.rule = chance.randrange(self.rules_max)
            if chance.random() < faults.jump_clock:
                jump_wall_clock(chance.uniform(-86_400, 86_400))
            for strikes, what in self._misfortunes():
                if self.workers and chance.random() < strikes:
                    what(chance.choice(self.workers))
            await self.operate()
            await asyncio.sleep(chance.random() * STEP_SECONDS)
            self._bury()
        self._read_at_once = True
        await self._finish()
        for worker in self.workers:  # some had been frozen all the while
            worker.thawed.set()
            worker.stopping.set()
        await asyncio.gather(*(worker.task for worker in self.workers), return_exceptions=True)
        self._bury()
        await self.bucket.settle()

    def _misfortunes(self) -> list[tuple[float, Callable[[Worker], Any]]]:
        faults = self.faults
        return [
            (faults.freeze, lambda worker: worker.thawed.clear()),
            (faults.wake, lambda worker: worker.thawed.set()),
            (faults.stop, lambda worker: worker.stopping.set()),
            (faults.kill, lambda worker: worker.task.cancel()),
        ]

    async def _start(self) -> Worker:
        if not self.faults.zombies:
            for before in self.workers:
                before.task.cancel()
            await asyncio.gather(*(each.task for each in self.workers), return_exceptions=True)
            self._bury()
            await self.bucket.settle()
        worker = Worker(self)
        self.owner = worker
        self.workers.append(worker)
        return worker

    def _bury(self) -> None:
        """Those that ended. Who lost the fence may end so, and starts afresh; nothing else may make a lane give up."""
        for worker in [each for each in self.workers if each.task.done()]:
            self.workers.remove(worker)
            if worker.task.cancelled():
                continue
            error = worker.task.exception()
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            if isinstance(error, LaneError) and not isinstance(error, FenceLostError):
                self.found.append(f"the lane gave up: {error}")
            elif error and not isinstance(error, FenceLostError):
                raise error

    async def _finish(self) -> None:
        """S3 and Kafka heal; owners without faults follow each other, while zombies may still be at it."""
        self.bucket.faults = replace(CALM, delay_seconds=1.0)
        self.letters.refuse = 0.0
        for _ in range(OWNERS_MAX):
            worker = await self._start()
            worker.stopping.set()
            await asyncio.wait({worker.task})
            self._bury()
            if self.committed == len(self.log):
                return
        self.found.append(f"lag stays: committed {self.committed} of {len(self.log)}")

    async def heal(self) -> None:
        """Whoever starts from now on works without faults, until everything is committed."""
        await self._finish()
        await self.bucket.settle()

    async def read_again(self) -> None:
        """An operator sets the committed offset back to the beginning, and one worker reads all of it again."""
        self.committed = 0
        await self._finish()
        await self.bucket.settle()


class Worker:
    """One process with the partition's lane: it fetches, offers and commits until it dies or has drained."""

    def __init__(self, world: World) -> None:
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.stopping = asyncio.Event()
        self.link = Link(world.bucket, self.thawed)
        self._world = world
        self._rules = world.rules()
        self._finishes = world._read_at_once
        self._bytes_max = BYTES_SHORT if world.faults.memory_short else BYTES_AMPLE
        self.task = asyncio.create_task(self._live())

    async def _live(self) -> None:
        world = self._world
        lanes = Lanes("a", world.open_lane(self), self._bytes_max)
        lanes.assign([PARTITION])
        lane = lanes.lane(PARTITION)
        assert lane is not None
        drain_until = None
        at = world.committed
        try:
            while not lane.drained.is_set():
                await asyncio.wait({lanes.failed}, timeout=world.chance.random() * (1.0 if self._finishes else 4.0))
                if lanes.failed.done():
                    lanes.failed.result()
                await self.thawed.wait()
                at = self._fetch(lanes, lane, at)
                if world.chance.random() < world.faults.relieve:
                    lane.relieve()
                if world.chance.random() < world.faults.commit:
                    world.commit(self, lanes.durable(PARTITION))
                if self.stopping.is_set() and (at == len(world.log) or not self._finishes):
                    lane.drain()
                    now = asyncio.get_running_loop().time()
                    drain_until = drain_until or now + DRAIN_SECONDS
                    if now > drain_until and not self._finishes:
                        return
            world.commit(self, lanes.durable(PARTITION))
        finally:
            await lanes.close()

    def _fetch(self, lanes: Lanes, lane: Lane, at: int) -> int:
        world = self._world
        records = world.log[at : min(world.end_offset, at + world.chance.randint(1, BATCH_RECORDS_MAX))]
        if not records or not lanes.has_room(PARTITION):
            return at
        lanes.reserve(PARTITION, sum(len(each.value or b"") for each in records))
        lanes.offer(PARTITION, lanes.rows(self._rules, records), world.end_offset)
        if not lane.must_read:
            world.most_held_bytes = max(world.most_held_bytes, lane.held_bytes)
        return at + len(records)


def with_jumps(log: Sequence[Record], chance: random.Random, often: float) -> list[Record]:
    """The log as a clock stamps it that is set back and forth."""
    jump_ms, stamped = 0, []
    for record in log:
        if chance.random() < often / 4:
            jump_ms = chance.randint(-DAY_MS, DAY_MS)
        stamped.append(record._replace(timestamp=record.timestamp + jump_ms))
    return stamped
