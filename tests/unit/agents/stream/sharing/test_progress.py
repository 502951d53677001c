"""Whatever the actions of a worker do, each gets all of its records, and waits for none of them longer than it would alone.

The consumers are aiokafka's, in virtual time. Only Kafka is played, with the way in which it waits for records.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

import pytest
from aiokafka.consumer import consumer, fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from agents.stream import fast_fetch
from agents.stream.sharing import consumers
from agents.stream.sharing.consumers import FetchMember, Response, WorkerFetches
from agents.stream.sharing.fetches import CLAIM_SECONDS
from tests.faults.simulation.clock import tell
from tests.parts.record_batches import batch

TOPIC: Final = "messages"
MAX_WAIT_SECONDS: Final = 1.5
ANSWER_RECORDS_MAX: Final = 5  # of a partition
# The network, and aiokafka's own back-off while something that came is not yet taken.
OVERHEAD_SECONDS: Final = 0.3


@pytest.fixture(autouse=True)
def _our_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka with our classes and the clock of its loop."""
    for name in ("MemoryRecords", "PartitionRecords", "FetchResult"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))
    monkeypatch.setattr(consumer, "Fetcher", consumer.Fetcher)
    fast_fetch.install()
    consumers.install()
    looks = (
        count()
    )  # a clock has moved on at each look; aiokafka waits for the last 1e-17 seconds again and again otherwise
    monkeypatch.setattr(fetcher, "time", SimpleNamespace(monotonic=lambda: now() + next(looks) * 1e-7, time=now))


def now() -> float:
    """Virtual time."""
    return asyncio.get_running_loop().time()


class PlayedKafka:
    """Brokers that answer as soon as there is something, or when the time of a request is over."""

    def __init__(self, partitions: int, brokers: int = 1) -> None:
        self.partitions, self.brokers = range(partitions), brokers
        self.came: list[list[float]] = [[] for _ in self.partitions]  # when each record came
        self._news = asyncio.Event()

    def broker_of(self, place: TopicPartition) -> int:
        """The broker that leads a partition."""
        return int(place.partition % self.brokers)

    def write(self, partition: int, records: int = 1) -> None:
        """Append records."""
        self.came[partition] += [now()] * records
        self._news.set()
        self._news = asyncio.Event()

    async def ask(self, request: FetchRequest) -> Response:
        """What there is for a request."""
        end = now() + request._max_wait_ms / 1000
        while True:
            await asyncio.sleep(random.uniform(0.001, 0.01))
            found = [self._fields(*wanted[:2]) for _, partitions in request.topics for wanted in partitions]
            if any(fields[-1] for fields in found) or now() >= end:
                return Response(11, [(TOPIC, found)])
            news = self._news
            try:
                async with asyncio.timeout_at(end):
                    await news.wait()
            except TimeoutError:
                continue

    def _fields(self, partition: int, offset: int) -> tuple[Any, ...]:
        end = len(self.came[partition])
        until = min(end, offset + ANSWER_RECORDS_MAX)
        content = batch(offset, range(offset, until)) if offset < until else b""
        return partition, 0, end, end, 0, [], -1, content


@dataclass(eq=False)
class Action:
    """An action with aiokafka's fetcher. It takes records of partitions with room, and notes how long each was there."""

    kafka: PlayedKafka
    shared: WorkerFetches
    pace_seconds: float = 0.0
    hangs: bool = False  # its requests are not answered
    fails: bool = False  # its requests end with an error
    room: set[int] = field(default_factory=set)
    next: dict[int, int] = field(default_factory=dict)
    ready_since: dict[int, float] = field(default_factory=dict)  # when a partition got room, or gave its last record
    waited_seconds: float = 0.0  # the longest time that a record was there and could be taken

    def start(self, *, room: bool = True) -> None:
        """Begin to fetch all partitions from offset 0."""
        cluster = SimpleNamespace(leader_for_partition=self.kafka.broker_of, broker_metadata=lambda _: True)
        loop = asyncio.get_running_loop()
        client = SimpleNamespace(_loop=loop, _metadata_max_age_ms=300_000, cluster=cluster, send=self._send)
        self.member = FetchMember("action", self.shared, lambda _: "id", now)
        consumers.share(SimpleNamespace(_client=client), self.member)
        self.subscriptions = SubscriptionState()
        self.subscriptions.assign_from_user({TopicPartition(TOPIC, number) for number in self.kafka.partitions})
        self._fetcher = fast_fetch.Fetcher(
            client,
            self.subscriptions,
            fetch_max_wait_ms=int(MAX_WAIT_SECONDS * 1000),
            isolation_level="read_committed",
        )
        for number in self.kafka.partitions:
            self.seek(number, 0)
            if not room:
                self.room.discard(number)
        self._reading = asyncio.create_task(self._read())

    async def end(self) -> None:
        """End."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._fetcher.close()
        self.member.leave()

    def seek(self, partition: int, offset: int) -> None:
        """Go on there."""
        self._fetcher.seek_to(TopicPartition(TOPIC, partition), offset)
        self.next[partition] = offset
        self.ready_since[partition] = now()
        self.room.add(partition)

    def pause(self, seconds: float) -> None:
        """Take nothing for a while, and begin anew then."""
        self._reading.cancel()

        async def later() -> None:
            await asyncio.sleep(seconds)
            for number in self.kafka.partitions:
                self.ready_since[number] = now()
            await self._read()

        self._reading = asyncio.create_task(later())

    async def _send(self, node_id: int, request: FetchRequest, *, group: int) -> Response:
        if self.hangs:
            await asyncio.sleep(60)
        if self.fails:
            raise KafkaConnectionError("gone")
        return await self.kafka.ask(request)

    async def _read(self) -> None:
        while True:
            places = [TopicPartition(TOPIC, number) for number in self.room]
            found = await self._fetcher.fetched_records(places, timeout=1.0, max_records=7) if places else {}
            for place, fetched in found.items():
                self._take(place.partition, fetched)
            await asyncio.sleep(self.pace_seconds if found else 0.01)

    def _take(self, partition: int, fetched: Any) -> None:
        """Note what came. Only the next record may come."""
        assert [fetched.first, *[record.offset for record in fetched.records]][0] == self.next[partition]
        for record in fetched.records:
            assert record.offset == self.next[partition]
            there_since = max(self.ready_since[partition], self.kafka.came[partition][record.offset])
            self.waited_seconds = max(self.waited_seconds, now() - there_since)
            self.next[partition] += 1
        self.ready_since[partition] = now()

    def has_all(self) -> bool:
        """Whether it has come to the end of all partitions."""
        return all(self.next[number] == len(self.kafka.came[number]) for number in self.kafka.partitions)


async def until(reached: Callable[[], bool], seconds: float) -> None:
    """Wait until this is so, for so much virtual time."""
    end = now() + seconds
    while not reached():
        assert now() < end, "nothing moves any more"
        await asyncio.sleep(0.01)


def in_virtual_time(seed: int, story: Callable[[], Awaitable[None]]) -> None:
    """Run a story."""

    async def whole() -> None:
        await story()

    tell(seed, whole())


def started(kafka: PlayedKafka, number: int, **how: Any) -> list[Action]:
    """So many actions of one worker."""
    shared = WorkerFetches()
    actions = [Action(kafka, shared, **how) for _ in range(number)]
    for each in actions:
        each.start()
    return actions


@pytest.mark.parametrize("seed", range(3))
def test_a_record_after_silence_comes_to_all(seed: int) -> None:
    """Twenty actions get one record, and after a silence another one, at once."""

    async def story() -> None:
        kafka = PlayedKafka(8)
        actions = started(kafka, 20)
        for number in (3, 5):
            await asyncio.sleep(random.uniform(1, 20))
            kafka.write(number)
            await until(lambda: all(each.has_all() for each in actions), MAX_WAIT_SECONDS)
        assert max(each.waited_seconds for each in actions) < OVERHEAD_SECONDS
        for each in actions:
            await each.end()

    in_virtual_time(seed, story)


@pytest.mark.parametrize("seed", range(3))
def test_a_place_that_is_found_late_is_asked_for(seed: int) -> None:
    """A record is there already when twenty actions, which wait for others at the end, learn one after another where to begin."""

    async def story() -> None:
        kafka = PlayedKafka(8)
        kafka.write(2)
        actions = started(kafka, 20)
        for each in actions:
            for number in kafka.partitions:
                each.seek(number, len(kafka.came[number]))
        await asyncio.sleep(random.uniform(0, 3))
        for each in actions:
            await asyncio.sleep(random.uniform(0, 0.3))
            each.seek(2, 0)
        await until(lambda: all(each.has_all() for each in actions), 2 * MAX_WAIT_SECONDS)
        assert max(each.waited_seconds for each in actions) < MAX_WAIT_SECONDS + OVERHEAD_SECONDS
        for each in actions:
            await each.end()

    in_virtual_time(seed, story)


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_each_action_gets_each_record(seed: int) -> None:
    """Actions come and go, seek, stand still, are slow, and lose their connections. Each gets each record from its place on."""

    async def story() -> None:
        kafka = PlayedKafka(random.randint(1, 6), random.randint(1, 3))
        shared = WorkerFetches()
        actions: list[Action] = []
        for _ in range(150):
            await asyncio.sleep(random.choice([0, 0.001, 0.05, 0.5, 2]))
            step = random.choice(["write", "write", "write", "backlog", "come", "go", "seek", "pause", "break", "heal"])
            action = random.choice(actions) if actions else None
            if step in {"write", "backlog"}:
                kafka.write(random.choice(kafka.partitions), 1 if step == "write" else random.randint(1, 60))
            elif step == "come" and len(actions) < 8:
                actions.append(Action(kafka, shared, random.choice([0, 0, 0.02, 0.3])))
                actions[-1].start()
            elif action is not None:
                await _do(step, action, actions)
        for each in actions:
            each.hangs = each.fails = False
        await until(lambda: all(each.has_all() for each in actions), 300)
        for each in actions:
            await each.end()
        assert shared.size_bytes == 0

    in_virtual_time(seed, story)


async def _do(step: str, action: Action, actions: list[Action]) -> None:
    if step == "go":
        actions.remove(action)
        await action.end()
    elif step == "seek":
        number = random.choice(action.kafka.partitions)
        action.seek(number, random.randint(0, len(action.kafka.came[number])))
    elif step == "pause":
        action.pause(random.uniform(0, 10))
    elif step == "break":
        action.hangs, action.fails = random.choice([(True, False), (False, True)])
    elif step == "heal":
        action.hangs = action.fails = False


@pytest.mark.parametrize("seed", range(3))
def test_an_action_that_hangs_or_stands_still_delays_no_other(seed: int) -> None:
    """Of five actions with a backlog one gets no answers and one takes nothing; the others wait for a claim at most."""

    async def story() -> None:
        kafka = PlayedKafka(4)
        actions = started(kafka, 5)
        for number in range(60):
            await asyncio.sleep(random.uniform(0, 0.5))
            kafka.write(random.choice(kafka.partitions), random.randint(1, 20))
            if number == 20:
                actions[0].hangs = True
                actions[1].pause(1_000)
        good = actions[2:]
        await until(lambda: all(each.has_all() for each in good), 30)
        assert max(each.waited_seconds for each in good) < CLAIM_SECONDS + MAX_WAIT_SECONDS + OVERHEAD_SECONDS
        actions[0].hangs = False
        actions[1].pause(0)
        await until(lambda: all(each.has_all() for each in actions), 120)
        for each in actions:
            await each.end()

    in_virtual_time(seed, story)


@pytest.mark.parametrize("seed", range(3))
def test_a_backlog_is_fetched_once(seed: int) -> None:
    """Twenty actions that read a backlog at about the same pace make few more requests than one."""

    async def story() -> None:
        kafka = PlayedKafka(8)
        for number in kafka.partitions:
            kafka.write(number, 100)
        actions = started(kafka, 20, pace_seconds=0.001)
        asked = 0
        ask = kafka.ask

        async def counted(request: FetchRequest) -> Response:
            nonlocal asked
            asked += sum(len(partitions) for _, partitions in request.topics)
            return await ask(request)

        kafka.ask = counted  # type: ignore[method-assign]
        await until(lambda: all(each.has_all() for each in actions), 60)
        assert asked < 3 * 8 * 100 / ANSWER_RECORDS_MAX
        for each in actions:
            await each.end()

    in_virtual_time(seed, story)
