"""All lanes of one action: opens and drops them when its partitions come and go, and limits their memory together.

The transport asks it for room, for the offsets to fetch from and for progress. This file knows neither S3 nor Faust.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from agents.lanes.lane import Fetched, Lane, Partition, replacement
from agents.lanes.pieces import Pace, RulesThread
from agents.metrics import HELD_BYTES, LAG
from pipeline.log import get_logger
from pipeline.record import Record
from pipeline.rule.batch import Evaluator, RowBatch

log = get_logger("tidegate.action")

# The part of an action's memory that is kept for rows, because a batch without room for its rows would never end.
ROWS_SHARE: Final = 0.25
# A fetch costs the same, however many records it has. So few partitions are read in larger parts: together at most this part of
# the action's memory, unless each gets the least.
FETCHES_SHARE: Final = 16
FETCH_BYTES_MIN: Final = 1 << 20
FETCH_BYTES_MAX: Final = 2 << 20
# Time for lanes that hold nothing to note their end.
NOTE_SECONDS: Final = 1.0


class RunningLane(NamedTuple):
    """A lane and its task."""

    lane: Lane
    task: asyncio.Task[None]


class Lanes:
    """All lanes of one action in this process. Implements what agents/stream/transport.py asks for.

    The key of a lane may be anything that equals its Partition, such as Faust's TP. `assign` makes the Partition once.
    """

    def __init__(
        self,
        action: str,
        open_lane: Callable[[Partition, Callable[[], None]], Lane],
        bytes_max: int,
        count: Callable[[RowBatch], None] = lambda batch: None,
    ) -> None:
        """`count` is called with each piece of a batch that a lane evaluates."""
        self.count = count
        self.room = asyncio.Event()
        self.assigned = False  # whether the consumer group has assigned partitions, perhaps none
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._action = action
        self._open_lane = open_lane
        self._bytes_max = bytes_max
        self._lanes: dict[tuple[str, int], RunningLane] = {}
        self._refused: set[Lane] = set()  # lanes that wait for room for rows
        self._finding: dict[tuple[str, int], asyncio.Task[None]] = {}  # lanes that are finding the place to go on
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
                self._refused.discard(found.lane)
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

    @property
    def fetch_bytes_max(self) -> int:
        """The most bytes to fetch of a partition at once."""
        fair = self._bytes_max // FETCHES_SHARE // max(1, len(self._lanes))
        return min(max(fair, FETCH_BYTES_MIN), FETCH_BYTES_MAX)

    def have_room_for_rows(self, asking: Lane) -> bool:
        """Whether more rows may be made from fetched records: within the limit, or while rows take only a small part of it.

        A lane that is refused looks again when one of the lanes has written something.
        """
        held = self.held_bytes
        if held < self._bytes_max or held - self._queued_bytes < self._bytes_max * ROWS_SHARE:
            return True
        self._refused.add(asking)
        self._relieve()
        return False

    def rows(self, rules: Evaluator, records: Sequence[Record]) -> RowBatch:
        """The rows of a fetched batch's first records, as many as there is room for. A lane goes on with the rest."""
        if rules.waits or self.held_bytes >= self._bytes_max:
            return RowBatch((), rest=records)
        batch = self._pace.piece(rules, records)
        self.count(batch)
        return batch

    def seeks(self) -> dict[tuple[str, int], int]:
        """The offsets to fetch from, by partition, for lanes that have learnt their place since the last `sought`."""
        return {
            partition: lane.reads_from
            for partition, (lane, _) in self._lanes.items()
            if not lane.sought and lane.reads_from is not None
        }

    def sought(self, places: Mapping[tuple[str, int], int]) -> None:
        """Note that the transport fetches from there."""
        for partition, offset in places.items():
            lane = self.lane(partition)
            if lane and lane.reads_from == offset:
                lane.sought = True

    def seek_again(self) -> None:
        """Seek again, because fetched records were lost, or the transport fetches from elsewhere."""
        for lane, _ in self._lanes.values():
            lane.sought = False

    def reserve(self, partition: tuple[str, int], fetched: Fetched) -> bool:
        """Count a fetched batch against the limits before its rows arrive. False: it is not the next batch, so skip it."""
        lane = self.lane(partition)
        if lane is None or not lane.sought:
            return False
        if fetched.first != lane.reads_from:
            self._find_place(partition, lane)
            return False
        lane.reserve(fetched)
        return True

    def _find_place(self, partition: tuple[str, int], lane: Lane) -> None:
        """Find the place again after other offsets than the next came. The lane asks once, and reading waits for the answer."""
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
        """Give a batch to its lane. Without a lane the partition was lost, and its new owner reads the batch again."""
        lane = self.lane(partition)
        if lane:
            lane.end_offset = end_offset
            lane.offer(batch)

    @contextmanager
    def failing(self) -> Iterator[None]:
        """End the action on an error in the block. Faust would count the batch as done, restart the agent and lose the batch."""
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
        """Take the present id of a topic. A lane that reads another topic of this name ends the action, which then restarts."""
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
        """Write everything that the lanes hold. False if the deadline passed first: the next owner reads the rest again.

        Lanes that hold nothing only note their end, and are not waited for if the store or Kafka is away.
        """
        lanes = [lane for lane, task in self._lanes.values() if not task.done()]
        for lane in lanes:
            lane.drain()
        try:
            async with asyncio.timeout(deadline_seconds):
                for lane in lanes:
                    if not lane.holds_nothing:
                        await lane.drained.wait()
        except TimeoutError:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTE_SECONDS):
                for lane in lanes:
                    await lane.drained.wait()
        return True

    async def close(self) -> None:
        """Stop all lanes at once. Errors during the stop are ignored."""
        tasks = [task for _, task in self._lanes.values()]
        self.revoke(self.partitions())
        self.thread.end()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.failed.done() and not self.failed.cancelled():
            self.failed.exception()

    def turn(self) -> None:
        """Tell all lanes that their action has changed."""
        for lane, _ in self._lanes.values():
            lane.turn()

    def _relieve(self) -> None:
        """Cut the partition with the largest rows if the action is at its memory limit."""
        max((lane for lane, _ in self._lanes.values()), key=lambda lane: lane.held_bytes - lane.queued_bytes).relieve()

    def _on_room(self) -> None:
        self.room.set()
        refused, self._refused = self._refused, set()
        for lane in refused:
            lane.look_again()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """End the action if a lane fails, unless its partition was revoked and belongs to another worker."""
        error = None if task.cancelled() else _cause(task.exception())
        if error and not self.failed.done() and any(running.task is task for running in self._lanes.values()):
            self.failed.set_exception(error)


def _cause(error: BaseException | None) -> BaseException | None:
    """The error of a lane, or the first one of its tasks."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
