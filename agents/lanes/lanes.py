"""All lanes of one action: opened and dropped as its partitions come and go, and bounded together.

This is what the transport asks for room, for places to fetch from and for progress. It knows neither S3 nor Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from agents.metrics import HELD_BYTES, LAG
from agents.sinks.lane import Fetched, Lane, Partition, replacement
from agents.sinks.pieces import Pace, RulesThread
from pipeline.log import get_logger
from pipeline.record import Record
from pipeline.rule import RowBatch, RuleSet

log = get_logger("tidegate.action")

# Of what an action may hold, this part is for rows, whatever waits: a batch whose rows find no room would never end.
ROWS_SHARE: Final = 0.25


class RunningLane(NamedTuple):
    """A lane and the task that runs it."""

    lane: Lane
    task: asyncio.Task[None]


class Lanes:
    """All lanes of one action in this process. Implements what agents/stream/transport.py asks for.

    A partition is asked for by whatever equals it, as Faust's TP does; `assign` makes a Partition of it, once.
    """

    def __init__(
        self,
        action: str,
        open_lane: Callable[[Partition, Callable[[], None]], Lane],
        bytes_max: int,
        count: Callable[[RowBatch], None] = lambda batch: None,
    ) -> None:
        """`count` is told of each piece of a batch that a lane evaluates."""
        self.count = count
        self.room = asyncio.Event()
        self.assigned = False  # the consumer group has told which partitions are ours; they may be none
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._action = action
        self._open_lane = open_lane
        self._bytes_max = bytes_max
        self._lanes: dict[tuple[str, int], RunningLane] = {}
        self._finding: dict[tuple[str, int], asyncio.Task[None]] = {}  # lanes that find out where reading goes on
        self._held = HELD_BYTES.labels(action)
        self._pace = Pace()
        self.thread = RulesThread(action)

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Open a lane for each partition."""
        for topic, number in partitions:
            partition = Partition(topic, number)
            lane = self._open_lane(partition, self._on_room)
            lane.lanes = self
            task = asyncio.create_task(lane.run(), name=f"lane {topic}[{number}]")
            task.add_done_callback(self._ended)
            self._lanes[partition] = RunningLane(lane, task)
            LAG.labels(self._action, topic, number).set_function(lane.lag)
        self.assigned = True
        log.info("action.assigned", action=self._action, partitions=len(self._lanes))
        self.room.set()

    def revoke(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Drop the lanes of these partitions."""
        self.assigned = False
        for partition in list(partitions):
            found = self._lanes.pop(partition, None)
            if found:
                found.task.cancel()
                LAG.remove(self._action, *partition)
            if finding := self._finding.pop(partition, None):
                finding.cancel()

    def has_room(self, partition: tuple[str, int]) -> bool:
        """Whether another batch may be fetched from this partition."""
        lane = self.lane(partition)
        if lane is None or not lane.has_room:
            return False
        held, waiting = self.held_bytes, self._queued_bytes
        self._held.set(held)
        if (held < self._bytes_max and waiting < self._bytes_max * (1 - ROWS_SHARE)) or lane.must_read:
            return True
        if held >= self._bytes_max:
            self._relieve()
        return False

    def have_room_for_rows(self) -> bool:
        """Whether more rows may be made of what was fetched: within the limit, or as long as rows take little of it."""
        held = self.held_bytes
        if held < self._bytes_max or held - self._queued_bytes < self._bytes_max * ROWS_SHARE:
            return True
        self._relieve()
        return False

    def rows(self, rules: RuleSet, records: Sequence[Record]) -> RowBatch:
        """The rows of the first records of a batch that was fetched, as far as there is room; a lane goes on with the rest."""
        if rules.waits or self.held_bytes >= self._bytes_max:
            return RowBatch((), rest=records)
        batch = self._pace.piece(rules, records)
        self.count(batch)
        return batch

    def seeks(self) -> dict[tuple[str, int], int]:
        """Where fetching has to go, by partition: lanes that know since the last `sought` where they begin or go on."""
        return {
            partition: lane.reads_from
            for partition, (lane, _) in self._lanes.items()
            if not lane.sought and lane.reads_from is not None
        }

    def sought(self, places: Mapping[tuple[str, int], int]) -> None:
        """Fetching has gone there."""
        for partition, offset in places.items():
            lane = self.lane(partition)
            if lane and lane.reads_from == offset:
                lane.sought = True

    def seek_again(self) -> None:
        """Records were fetched that nobody will see, or fetching has been set elsewhere."""
        for lane, _ in self._lanes.values():
            lane.sought = False

    def reserve(self, partition: tuple[str, int], fetched: Fetched) -> bool:
        """Count a fetched batch against the limits before its rows arrive. False: it is not what comes next; pass it over."""
        lane = self.lane(partition)
        if lane is None or not lane.sought:
            return False
        if fetched.first != lane.reads_from:
            self._find_place(partition, lane)
            return False
        lane.reserve(fetched)
        return True

    def _find_place(self, partition: tuple[str, int], lane: Lane) -> None:
        """Kafka gave other offsets than those that come next. One lane asks why once, and reading waits for the answer."""
        wanted, lane.reads_from, lane.sought = lane.reads_from, None, False
        assert wanted is not None
        task = self._finding[partition] = asyncio.create_task(
            lane.find_place(wanted), name=f"place of {lane.partition}"
        )
        task.add_done_callback(self._found)

    def _found(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error and not self.failed.done() and task in self._finding.values():
            self.failed.set_exception(error)

    def offer(self, partition: tuple[str, int], batch: RowBatch, end_offset: int) -> None:
        """Hand a batch to its lane; without one the partition was lost and its new owner reads it again."""
        lane = self.lane(partition)
        if lane:
            lane.end_offset = end_offset
            lane.offer(batch)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """An error in here ends the action. Faust would count the batch as done, start the agent again and lose it."""
        try:
            yield
        except Exception as error:
            if not self.failed.done():
                self.failed.set_exception(error)
            raise

    def lane(self, partition: tuple[str, int]) -> Lane | None:
        """The lane of a partition."""
        found = self._lanes.get(partition)
        return found.lane if found else None

    def durable(self, partition: tuple[str, int]) -> int | None:
        """The next offset to commit."""
        lane = self.lane(partition)
        return lane.durable if lane else None

    def topic_id(self, partition: tuple[str, int]) -> str:
        """Kafka's id of the topic that a partition's lane reads."""
        lane = self.lane(partition)
        return lane.topic_id if lane else ""

    def replaced(self, topic: str, topic_id: str) -> None:
        """A topic has this id now. Lanes that read another one of its name end the action, which starts afresh."""
        for lane, _ in self._lanes.values():
            if lane.partition.topic == topic and lane.topic_id and topic_id and lane.topic_id != topic_id:
                if not self.failed.done():
                    self.failed.set_exception(replacement(topic, lane.topic_id, topic_id))
                return

    def partitions(self) -> list[Partition]:
        """Partitions that have a lane."""
        return [each.lane.partition for each in self._lanes.values()]

    @property
    def held_bytes(self) -> int:
        """Bytes fetched and not durable, over all partitions."""
        return sum(lane.held_bytes for lane, _ in self._lanes.values())

    @property
    def _queued_bytes(self) -> int:
        return sum(lane.queued_bytes for lane, _ in self._lanes.values())

    async def drain(self, deadline_seconds: float) -> bool:
        """Write what is here. False if the deadline passed first: the rest is read again by the next owner."""
        lanes = [lane for lane, task in self._lanes.values() if not task.done()]
        for lane in lanes:
            lane.drain()
        try:
            async with asyncio.timeout(deadline_seconds):
                for lane in lanes:
                    await lane.drained.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Stop all lanes where they are. What fails on the way is not asked for any more."""
        tasks = [task for _, task in self._lanes.values()]
        self.revoke(self.partitions())
        self.thread.end()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    def _relieve(self) -> None:
        """At the memory limit: the partition whose rows take most is cut."""
        max((lane for lane, _ in self._lanes.values()), key=lambda lane: lane.held_bytes - lane.queued_bytes).relieve()

    def _on_room(self) -> None:
        self.room.set()
        for lane, _ in self._lanes.values():
            lane.look_again()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A lane that fails ends the action, unless its partition was revoked: it is another's then."""
        error = None if task.cancelled() else task.exception()
        if error and not self.failed.done() and any(running.task is task for running in self._lanes.values()):
            self.failed.set_exception(error)
