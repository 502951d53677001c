"""One partition, one bucket, and workers that come, freeze, wake up, stop and die: what both kinds of upload have in common.

The lanes and what is around them in a worker (`agents.lanes.lanes.Lanes`) are the real ones. Played are Kafka (a log, the
committed offset, and who may commit), the store, and the workers' processes. All of it is driven by one seed, in virtual time.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from agents.lanes.lane import Fetched, Lane, Partition
from agents.lanes.lanes import Lanes
from pipeline.errors import FenceLostError, ForeignObjectError, LaneError, RetryableError, TopicReplacedError
from pipeline.record import Outgoing, Record
from pipeline.rule.batch import Evaluator
from pipeline.upload.source_log import LogBounds
from tests.faults.faults import CALM, Faults
from tests.faults.simulation.bucket import Bucket, Link, Stored
from tests.faults.simulation.clock import jump_wall_clock, with_jumps
from tests.faults.simulation.forged import forge, is_entry

PARTITION: Final = Partition("mqtt.messages", 0)
STEPS: Final = 25
STEP_SECONDS: Final = 8.0
DRAIN_SECONDS, SESSION_SECONDS = 20.0, 10.0
OWNERS_MAX: Final = 30
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
        self.log_start = 0
        self.topic_id = "topic-0"
        self.bucket = Bucket(self.chance, faults)
        self.letters = Letters(self.chance, faults.refuse_letter)
        self.committed: int | None = None
        self.committed_id = ""
        self.configurations = [0]  # by revision, the number of the rule that workers are started with
        self.rules_max = 3
        self.found: list[str] = []  # what was wrong on the way
        self.forged = ""  # key of an entry that no worker wrote
        self.most_held_bytes = 0
        self.workers: list[Worker] = []
        self.owner: Worker | None = None
        self._read_at_once = False
        self._all_there = False
        self._snapshots: list[dict[str, Stored]] = []

    @property
    def passing(self) -> tuple[type[Exception], ...]:
        """With what a lane may end, since its action then starts afresh and goes on."""
        if self.faults.retention or self.faults.replace_topic:
            # Whoever has rows that are gone, or of the topic before, may meet objects without them, or with others.
            return FenceLostError, TopicReplacedError, ForeignObjectError
        return (FenceLostError,)

    # --- What the kinds of upload differ in

    @abstractmethod
    def rules(self, rule: int) -> Evaluator:
        """What the rule agent of a worker with this rule evaluates."""

    @abstractmethod
    def open_lane(self, worker: Worker) -> Callable[[Partition, Callable[[], None]], Lane]:
        """What makes the lanes of a worker that starts now."""

    @abstractmethod
    def uncovered(self, offset: int, topic_id: str) -> list[str]:
        """What must be durable before `offset` of this topic is committed, and is not."""

    def turn(self, worker: Worker) -> None:
        """Give the lane of a worker that runs the worker's present configuration."""
        raise NotImplementedError

    def make_topic_again(self) -> list[Record]:
        """The records of another topic of the same name."""
        raise NotImplementedError

    @abstractmethod
    async def operate(self) -> None:
        """What a person does at a step of the story."""

    @abstractmethod
    def wrongs(self) -> list[str]:
        """What the checkers find, after the story."""

    # --- Kafka

    @property
    def log_end(self) -> int:
        """The end of the log when all records are there."""
        return self.log[-1].offset + 1

    @property
    def end_offset(self) -> int:
        """Records arrive all the time, until the story's end."""
        if self._read_at_once or self._all_there:
            return self.log_end
        arrived = asyncio.get_running_loop().time() / (STEPS * STEP_SECONDS / 2)
        return max(self.log_start, min(self.log_end, 5 + int(self.log_end * arrived)))

    def records(self, first: int, following: int) -> Sequence[Record]:
        """Those of the offsets from `first` up to `following`."""
        begin, end = (bisect_left(self.log, at, key=lambda record: record.offset) for at in (first, following))
        return self.log[begin:end]

    def commit(self, worker: Worker, offset: int | None, topic_id: str) -> None:
        """As the group's coordinator does it: only from the partition's owner."""
        if offset is None or worker is not self.owner or offset == self.committed:
            return
        self.found += self.uncovered(offset, topic_id)
        self.committed, self.committed_id = offset, topic_id

    # --- The story

    async def tell(self) -> None:
        """Owners come and go while records arrive; then the faults heal, and the last ones wake up and finish."""
        faults, chance = self.faults, self.chance
        for _ in range(STEPS):
            if not self.workers or chance.random() < faults.replace:
                await self.start()
            await self._losses()
            if chance.random() < faults.change_rule:
                self.configurations.append(chance.randrange(self.rules_max))
            if chance.random() < faults.jump_clock:
                jump_wall_clock(chance.uniform(-86_400, 86_400))
            for strikes, what in self._misfortunes():
                if self.workers and chance.random() < strikes:
                    what(chance.choice(self.workers))
            await self.operate()
            await asyncio.sleep(chance.random() * STEP_SECONDS)
            self.bury()
        self._read_at_once = True
        await self._finish()
        for worker in self.workers:  # some had been frozen all the while
            worker.thawed.set()
            worker.stopping.set()
        await asyncio.gather(*(worker.task for worker in self.workers), return_exceptions=True)
        self.bury()
        await self.bucket.settle()

    def _misfortunes(self) -> list[tuple[float, Callable[[Worker], Any]]]:
        faults = self.faults
        return [
            (faults.freeze, lambda worker: worker.thawed.clear()),
            (faults.wake, lambda worker: worker.thawed.set()),
            (faults.stop, lambda worker: worker.stopping.set()),
            (faults.kill, lambda worker: worker.task.cancel()),
            *([(faults.reload, Worker.take_up)] if faults.reload else []),
        ]

    async def _losses(self) -> None:
        """What happens to the group, the bucket and the topic."""
        faults, chance = self.faults, self.chance
        if faults.restore:
            self._snapshots.append(dict(self.bucket.objects))
        if faults.reset_group and chance.random() < faults.reset_group:
            self.committed, self.committed_id = chance.randint(self.log_start, self.end_offset), ""
        if faults.retention and chance.random() < faults.retention:
            self.log_start = chance.randint(self.log_start, min(self.end_offset, self.log_start + 30))
        if faults.replace_topic and chance.random() < faults.replace_topic:
            self.log, self.log_start = self.make_topic_again(), 0
            self.topic_id = f"topic-{int(self.topic_id.removeprefix('topic-')) + 1}"
            self._all_there = chance.random() < 0.5  # it may be as long as the one before, when somebody looks
            if chance.random() < 0.5:
                self.committed = None
        if faults.restore and chance.random() < faults.restore:
            await self._kill_all()
            self.bucket.put_back(chance.choice(self._snapshots))
        if faults.expire and chance.random() < faults.expire:
            await self._kill_all()
            entries = sorted(key for key in self.bucket.objects if is_entry(key))
            self.bucket.put_back({key: each for key, each in self.bucket.objects.items() if key not in entries[-1:]})
        if (
            faults.forge
            and self.workers
            and chance.random() < faults.forge
            # Whoever reads the ledger's end afterwards believes it: at its start, or with its first batch.
            and all(each.lane and each.lane.ready and each.lane.durable is not None for each in self.workers)
        ):
            await forge(self)

    async def _kill_all(self) -> None:
        """All workers die, and what they had sent arrives."""
        for before in self.workers:
            before.task.cancel()
        await asyncio.gather(*(each.task for each in self.workers), return_exceptions=True)
        self.bury()
        await self.bucket.settle()

    async def start(self) -> Worker:
        if not self.faults.zombies:
            await self._kill_all()
        if self.faults.recur and self.owner:
            session_end, self.owner = self.owner.kafka.heard_at + SESSION_SECONDS, None
            await asyncio.sleep(max(0.0, session_end - asyncio.get_running_loop().time()))
        worker = Worker(self)
        self.owner = worker
        self.workers.append(worker)
        return worker

    def bury(self) -> None:
        """Those that ended. Who lost the fence may end so, and starts afresh; nothing else may make a lane give up."""
        for worker in [each for each in self.workers if each.task.done()]:
            self.workers.remove(worker)
            if worker.task.cancelled():
                continue
            error = worker.task.exception()
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            passing = isinstance(error, self.passing)
            if isinstance(error, LaneError) and not passing:
                self.found.append(f"the lane gave up: {error}")
            elif error and not passing:
                raise error

    async def _finish(self) -> None:
        """S3 and Kafka heal; owners without faults follow each other, while zombies may still be at it."""
        self.bucket.faults = replace(CALM, delay_seconds=1.0)
        self.letters.refuse = 0.0
        for _ in range(OWNERS_MAX):
            worker = await self.start()
            worker.stopping.set()
            await asyncio.wait({worker.task})
            self.bury()
            if self.committed == self.log_end and self.committed_id == self.topic_id:
                return
        self.found.append(f"lag stays: committed {self.committed} of {self.log_end}")

    async def heal(self) -> None:
        """Whoever starts from now on works without faults, until everything is committed."""
        await self._finish()
        await self.bucket.settle()

    async def read_again(self) -> None:
        """An operator sets the committed offset back to the beginning, and one worker reads all of it again."""
        self.committed = 0
        await self.heal()


class Worker:
    """One process with the partition's lane: it fetches, offers and commits until it dies or has drained."""

    def __init__(self, world: World) -> None:
        self.thawed = asyncio.Event()
        self.thawed.set()
        self.stopping = asyncio.Event()
        self.link = Link(world.bucket, self.thawed)
        self.kafka = WorkersKafka(world, self.thawed)
        self._world = world
        newest = len(world.configurations) - 1
        is_behind = newest and not world._read_at_once and world.chance.random() < world.faults.outdated
        self._configure(newest - 1 if is_behind else newest)
        self._finishes = world._read_at_once
        self._bytes_max = BYTES_SHORT if world.faults.memory_short else BYTES_AMPLE
        self.lane: Lane | None = None
        self.task = asyncio.create_task(self._live())

    def _configure(self, revision: int) -> None:
        self.revision, self.rule = revision, self._world.configurations[revision]
        self._rules = self._world.rules(self.rule)

    def take_up(self) -> None:
        """Go on under the newest configuration, unless frozen or not there yet."""
        if self.lane is not None and self.thawed.is_set():
            self._configure(len(self._world.configurations) - 1)
            self._world.turn(self)
            self.lane.turn()

    async def _live(self) -> None:
        world = self._world
        lanes = Lanes("a", world.open_lane(self), self._bytes_max)
        lanes.assign([PARTITION])
        lane = self.lane = lanes.lane(PARTITION)
        assert lane is not None
        drain_until = None
        at = world.committed or 0
        try:
            while not lane.drained.is_set():
                await asyncio.wait({lanes.failed}, timeout=world.chance.random() * (1.0 if self._finishes else 4.0))
                if lanes.failed.done():
                    lanes.failed.result()
                await self.thawed.wait()
                if self._finishes and lane.stopped:  # it would stand still until a person acts
                    world.found.append(f"the partition stands still: {lane.stopped}")
                    return
                self.kafka.hear(self)
                at = self._fetch(lanes, lane, at)
                if world.faults.replace_topic and world.chance.random() < 0.1:
                    lanes.replaced(PARTITION.topic, world.topic_id)
                if world.chance.random() < world.faults.relieve:
                    lane.relieve()
                if world.chance.random() < world.faults.commit:
                    world.commit(self, lanes.durable(PARTITION), lanes.topic_id(PARTITION))
                if self.stopping.is_set() and (at == world.log_end or not self._finishes):
                    lane.drain()
                    now = asyncio.get_running_loop().time()
                    drain_until = drain_until or now + DRAIN_SECONDS
                    if now > drain_until and not self._finishes:
                        return
            world.commit(self, lanes.durable(PARTITION), lanes.topic_id(PARTITION))
        finally:
            await lanes.close()

    def _fetch(self, lanes: Lanes, lane: Lane, at: int) -> int:
        """As the transport does it: seek where the lane says, read on, or from the log's start if Kafka does not have that."""
        world = self._world
        seeks = lanes.seeks()
        at = seeks.get(PARTITION, at)
        lanes.sought(seeks)
        if not world.log_start <= at <= world.end_offset:
            at = world.log_start
        following = min(world.end_offset, at + world.chance.randint(1, BATCH_RECORDS_MAX))
        if following == at or not lanes.has_room(PARTITION):
            return at
        records = world.records(at, following)
        if lanes.reserve(PARTITION, Fetched(at, following, sum(len(each.value or b"") for each in records))):
            lanes.offer(PARTITION, lanes.rows(self._rules, records), world.end_offset)
        if not lane.must_read:
            world.most_held_bytes = max(world.most_held_bytes, lane.held_bytes)
        return following


class WorkersKafka:
    """A process's way to Kafka. While the process is frozen, it sees no answer."""

    def __init__(self, world: World, thawed: asyncio.Event) -> None:
        self._world = world
        self._thawed = thawed
        self.heard_at = asyncio.get_running_loop().time()

    def hear(self, worker: Worker) -> None:
        """A heartbeat. The group answers the partition's owner."""
        if worker is self._world.owner:
            self.heard_at = asyncio.get_running_loop().time()

    def owns(self) -> bool:
        """As by the last heartbeat. A frozen process learns nothing."""
        return self._thawed.is_set() and asyncio.get_running_loop().time() < self.heard_at + SESSION_SECONDS / 2

    async def bounds(self, partition: Partition, read_to: int = 0) -> LogBounds:
        await self._answer()
        world = self._world
        return LogBounds(world.topic_id, world.log_start, world.end_offset, world.committed, world.committed_id)

    async def topic_id(self, topic: str) -> str:
        await self._answer()
        return self._world.topic_id

    async def _answer(self) -> None:
        await asyncio.sleep(self._world.chance.random() * 0.1)
        await self._thawed.wait()
