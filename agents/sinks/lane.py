"""Lanes: one per partition and action, a task of its own that writes, so that the agent never waits.

A lane takes row batches in order of offset, writes them its way (direct.py, aggregated.py) and says how far it is durable.
What it holds is counted in bytes, and the transport fetches for lanes that have room. Rows count as they are made: where the
action holds as much as it may, what is left of a batch waits as the records that were fetched, and is evaluated piece by piece
when there is room. This file knows neither S3 nor Faust.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

from agents.metrics import HELD_BYTES, LAG
from agents.sinks.pieces import Pace, RulesThread
from pipeline.circuits import Circuits
from pipeline.log import get_logger
from pipeline.record import Record
from pipeline.rule import RowBatch, RuleSet

log = get_logger("tidegate.action")

# Batches of one partition that wait while the lane writes: enough to keep it busy, few enough to drop without regret.
QUEUED_BATCHES_MAX: Final = 8
# Bytes of one partition that wait. One batch is let in whatever its size.
QUEUED_BYTES_MAX: Final = 16 << 20
# Of what an action may hold, this part is for rows, whatever waits: a batch whose rows find no room would never end.
ROWS_SHARE: Final = 0.25


class Partition(NamedTuple):
    """A topic's partition; equal to Faust's TP."""

    topic: str
    partition: int


class QueuedBatch(NamedTuple):
    """A batch that waits for its lane, or what is left of one. Metrics know the rows of its records below offset `counted`."""

    batch: RowBatch
    size_bytes: int
    counted: int = 0


class TakenRows(NamedTuple):
    """A batch, or a piece of one, that its lane takes, and the bytes that were fetched for it. Its rows count beside these."""

    batch: RowBatch
    size_bytes: int


class Lane:
    """One partition of one action. Subclasses write: `run` until cancelled, or until drained after `drain`.

    `queued_bytes` is what was fetched and waits for this lane, with rows that are made of it already; `held_bytes` all that it
    keeps in memory. `lanes` are those of its action, if it is one of several.
    """

    lanes: Lanes | None = None

    def __init__(self, partition: Partition, on_room: Callable[[], None]) -> None:
        self.partition = partition
        self.ready = False
        self.draining = False
        self.stopped = ""  # why it stands still, until a person has acted
        self.end_offset = 0  # of the partition, as last seen
        self.durable: int | None = None
        self.queued_bytes = 0
        self._on_room = on_room
        self._sizes: deque[int] = deque()  # of batches fetched and not offered yet
        self._queue: deque[QueuedBatch] = deque()
        self._arrived = asyncio.Event()
        self._woken = False
        self._taking = asyncio.Lock()
        self._pace = Pace()
        self.circuits = Circuits()
        self.drained = asyncio.Event()

    @property
    def rules(self) -> RuleSet:
        """The rules under which the next rows are made."""
        raise NotImplementedError

    @property
    def held_bytes(self) -> int:
        """Bytes of everything that is fetched and not durable."""
        return self.queued_bytes

    @property
    def must_read(self) -> bool:
        """Whether rows are needed to finish what is under way, whatever the limits and although the lane drains."""
        return False

    @property
    def settled(self) -> int | None:
        """The offset up to which every record is durable, filtered or a dead letter; None before anything was read."""
        return self.durable

    def lag(self) -> int:
        """Records between what is settled and the end of the partition as last seen."""
        return max(0, self.end_offset - (self.settled or 0))

    @property
    def has_room(self) -> bool:
        """Whether another batch may be fetched."""
        return (
            self.ready
            and (self.must_read or not self.draining)
            and len(self._queue) + len(self._sizes) < QUEUED_BATCHES_MAX
            and self.queued_bytes < QUEUED_BYTES_MAX
        )

    def reserve(self, size_bytes: int) -> None:
        """A batch was fetched; its rows will be offered."""
        self._sizes.append(size_bytes)
        self.queued_bytes += size_bytes

    def offer(self, batch: RowBatch) -> None:
        """Take a batch, whose size was reserved, with the rows of its first records. Never waits."""
        self._queue.append(QueuedBatch(batch, self._sizes.popleft(), batch.next_offset if batch.records else 0))
        self.queued_bytes += batch.size_bytes
        self._arrived.set()

    def look_again(self) -> None:
        """There may be room for rows now."""
        self._arrived.set()

    def drain(self) -> None:
        """Take no more; write what is here, then set `drained`."""
        self.draining = True
        self._arrived.set()

    def relieve(self) -> None:
        """The action holds as much as it may: write early, if that frees memory."""

    async def run(self) -> None:
        """Write until cancelled. Raises LaneError if the lane cannot go on."""
        raise NotImplementedError

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be taken and nothing is on its way here."""
        return not self._queue and not self._sizes

    async def _next(self, timeout_seconds: float | None) -> TakenRows | None:
        """The next rows; None after `timeout_seconds`, when woken, or when drained."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while (
                    not self._may_take() and not self._woken and (self.must_read or not (self.draining and self.idle))
                ):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return None
        if self._woken:  # what it was woken for comes before further rows
            self._woken = False
            return None
        async with self._taking:  # whoever asked first appends first
            await self._make_rows()
            if self._woken:  # meanwhile
                self._woken = False
                return None
            return self._first() if self._queue else None

    def _may_take(self) -> bool:
        """Whether rows wait, or records and room for their rows."""
        return bool(self._queue) and (self._made(self._queue[0].batch) or self.has_room_for_rows)

    @property
    def has_room_for_rows(self) -> bool:
        """Whether the action may hold more rows of this lane."""
        return self.lanes is None or self.must_read or self.lanes.have_room_for_rows()

    def _made(self, batch: RowBatch) -> bool:
        """Whether a batch begins with rows. Without: nothing of it is evaluated yet."""
        return bool(batch.records)

    async def _make_rows(self) -> None:
        """Where the first batch begins with records, those of the next piece become rows."""
        if not self._queue or self._made(self._queue[0].batch):
            return
        await asyncio.sleep(0)  # other lanes, and other actions, in between
        batch, size_bytes, counted = self._queue[0]
        made_bytes, records = batch.size_bytes, [*batch.records, *batch.rest]
        if self.rules.waits and self.lanes:
            batch = await self.lanes.thread.piece(self.rules, records, self.circuits)
        else:
            batch = self._pace.piece(self.rules, records)
        self.queued_bytes += batch.size_bytes - made_bytes
        if self.lanes and batch.next_offset > counted:
            self.lanes.count(batch)
        self._queue[0] = QueuedBatch(batch, size_bytes, max(counted, batch.next_offset))

    def _first(self) -> TakenRows:
        """The rows that the first batch begins with; what is left of it stays."""
        batch, size_bytes, counted = self._queue.popleft()
        if not batch.rest:
            return TakenRows(batch, size_bytes)
        fetched_bytes = min(size_bytes, sum([len(record.value or b"") for record in batch.records]))
        self._queue.appendleft(QueuedBatch(RowBatch((), rest=batch.rest), size_bytes - fetched_bytes, counted))
        return TakenRows(batch, fetched_bytes)

    def _wake(self) -> None:
        """Let `_next` return without a batch: there is something else to do."""
        self._woken = True
        self._arrived.set()

    def _release(self, size_bytes: int) -> None:
        self.queued_bytes -= size_bytes
        self._on_room()


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

    def reserve(self, partition: tuple[str, int], size_bytes: int) -> None:
        """Count a fetched batch against the limits before its rows arrive."""
        lane = self.lane(partition)
        if lane:
            lane.reserve(size_bytes)

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
