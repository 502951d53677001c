"""Lanes: one for each partition of an action. A lane writes in its own task, so that the agent never waits.

A lane takes row batches in order of offset, writes them (direct.py, aggregated.py) and reports its durable offset. It
counts the bytes that it holds, and the transport fetches only for lanes that have room. Rows count as soon as they are
made. If the action is at its limit, the rest of a batch waits in the form of its records, and is evaluated piece by
piece when there is room. This file knows neither S3 nor Faust.

A lane also says where reading begins: the transport seeks to `reads_from`, and gives the lane only records that follow
the earlier ones. If Kafka gives others, the lane finds out why, and takes offsets that Kafka no longer has as a gap.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from agents.lanes.pieces import Pace, RulesThread
from pipeline.columns import size_of
from pipeline.errors import TopicReplacedError
from pipeline.rule.batch import Evaluator, RowBatch
from pipeline.sql.runtime.circuits import Circuits

# Batches of one partition that wait while the lane writes: enough to keep it busy, and few enough to drop.
QUEUED_BATCHES_MAX: Final = 8
# Bytes of one partition that wait. One batch of any size is always accepted.
QUEUED_BYTES_MAX: Final = 16 << 20
# A larger batch has a record that is larger than a piece of rows. The bytes of its pieces are counted.
COUNTED_BYTES_MIN: Final = 2 << 20


class Partition(NamedTuple):
    """A partition of a topic. It equals Faust's TP."""

    topic: str
    partition: int


class Fetched(NamedTuple):
    """The facts of a batch before its rows exist: Kafka showed all offsets from `first` up to `next`, which is not included."""

    first: int
    next: int
    size_bytes: int


class QueuedBatch(NamedTuple):
    """A batch, or the rest of one, that waits for its lane. Metrics have counted the rows of its records below offset
    `counted`.

    Without a batch it is a gap: Kafka no longer has these offsets.
    """

    fetched: Fetched
    batch: RowBatch | None
    counted: int = 0

    @property
    def holds_records(self) -> bool:
        """Whether it holds something to evaluate or to write."""
        return self.batch is not None and bool(self.batch.records or self.batch.rest)


class TakenRows(NamedTuple):
    """A batch, or a piece of one, for its lane. Its rows count in addition to the fetched bytes. None: a gap."""

    fetched: Fetched
    batch: RowBatch | None


class Room(Protocol):
    """The interface that a lane needs of all lanes of its action."""

    count: Callable[[RowBatch], None]
    thread: RulesThread

    def have_room_for_rows(self, asking: Lane) -> bool:
        """Whether the action may hold more rows. If not, the lane that asks is told to `look_again` when there may be room."""


class Lane:
    """The lane of one partition of one action. Subclasses write: `run` until cancelled, or until drained after `drain`.

    `queued_bytes` are fetched bytes that wait for this lane, and rows that are already made from them. `held_bytes` are
    all bytes that it keeps in memory. `lanes` are the lanes of its action, if it is one of several.
    """

    lanes: Room | None = None

    def __init__(self, partition: Partition, on_room: Callable[[], None]) -> None:
        self.partition = partition
        self.ready = False
        self.draining = False
        self.stopped = ""  # reason why it stands still until a person has acted
        self.end_offset = 0  # last known end of the partition
        self.durable: int | None = None
        self.queued_bytes = 0
        self.topic_id = ""  # Kafka's id of the topic at the start of this lane
        self.reads_from: int | None = None  # the offset to fetch next; None while it is unknown
        self.sought = False  # whether the transport has fetched from there
        self._on_room = on_room
        self._coming: deque[Fetched | QueuedBatch] = deque()  # batches fetched and not offered yet; gaps between them
        self._queue: deque[QueuedBatch] = deque()
        self._arrived = asyncio.Event()
        self._woken = False
        self._taking = asyncio.Lock()
        self._pace = Pace()
        self.circuits = Circuits()
        self.drained = asyncio.Event()

    @property
    def rules(self) -> Evaluator:
        """The rules for the next rows."""
        raise NotImplementedError

    @property
    def held_bytes(self) -> int:
        """Fetched bytes that are not durable."""
        return self.queued_bytes

    @property
    def must_read(self) -> bool:
        """Whether the lane needs more rows to finish its work, beyond all limits and even during a drain."""
        return False

    @property
    def settled(self) -> int | None:
        """The offset up to which every record is durable, filtered or a dead letter. None before the first record."""
        return self.durable

    def lag(self) -> int:
        """Records between the settled offset and the last known end of the partition."""
        return max(0, self.end_offset - (self.settled or 0))

    @property
    def has_room(self) -> bool:
        """Whether another batch may be fetched."""
        return (
            self.ready
            and self.reads_from is not None
            and (self.must_read or not self.draining)
            and len(self._queue) + len(self._coming) < QUEUED_BATCHES_MAX
            and self.queued_bytes < QUEUED_BYTES_MAX
        )

    def reads_at(self, offset: int) -> None:
        """Make the transport fetch from this offset on."""
        self.reads_from, self.sought = offset, False
        self._on_room()

    async def find_place(self, wanted: int) -> None:
        """Handle other offsets than `wanted`, the next one: take the `gone` offsets, and set `reads_at` to the place to
        go on.

        Raises LaneError if reading cannot go on.
        """
        raise NotImplementedError

    def gone(self, first: int, following: int) -> None:
        """Take the next offsets, from `first` up to `following`, as a gap, because Kafka no longer has them."""
        self._coming.append(QueuedBatch(Fetched(first, following, 0), None))
        self._take_gaps()

    def reserve(self, fetched: Fetched) -> None:
        """Note that a batch was fetched whose rows will be offered."""
        self._coming.append(fetched)
        self.queued_bytes += fetched.size_bytes
        self.reads_from = fetched.next

    def offer(self, batch: RowBatch) -> None:
        """Take a reserved batch with the rows of its first records. Never waits."""
        fetched = self._coming.popleft()
        assert isinstance(fetched, Fetched)
        self._queue.append(QueuedBatch(fetched, batch, batch.next_offset if batch.records else 0))
        self.queued_bytes += batch.size_bytes
        self._take_gaps()

    def look_again(self) -> None:
        """Check for room for rows again, because there may be some now."""
        self._arrived.set()

    def _take_gaps(self) -> None:
        while self._coming and isinstance(gap := self._coming[0], QueuedBatch):
            self._queue.append(gap)
            self._coming.popleft()
        self._arrived.set()

    def drain(self) -> None:
        """Take no more batches, write the rest, then set `drained`."""
        self.draining = True
        self._arrived.set()

    async def told(self) -> None:
        """Wait until `drain` or `turn` is called, or a batch comes. For a lane that has nothing else to wait for."""
        self._arrived.clear()
        await self._arrived.wait()

    def relieve(self) -> None:
        """Write early if that frees memory, because the action is at its memory limit."""

    def turn(self) -> None:
        """Take up the action as it is now. Rows that were made and not taken yet are made again."""

    async def run(self) -> None:
        """Write until cancelled. Raises LaneError if the lane cannot go on."""
        raise NotImplementedError

    @property
    def holds_nothing(self) -> bool:
        """Whether everything that it has taken is durable."""
        return self.idle and not self.queued_bytes

    @property
    def idle(self) -> bool:
        """Whether no batch waits and no batch is on its way to this lane."""
        return not self._queue and not self._coming

    async def _next(self, timeout_seconds: float | None) -> TakenRows | None:
        """The next rows. None after `timeout_seconds`, after a wake-up, or when drained."""
        try:
            async with asyncio.timeout(timeout_seconds):
                while (
                    not self._may_take() and not self._woken and (self.must_read or not (self.draining and self.idle))
                ):
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return None
        if self._woken:  # the reason of the wake-up comes before further rows
            self._woken = False
            return None
        async with self._taking:  # the first caller appends first
            await self._make_rows()
            if self._woken:  # drained meanwhile
                self._woken = False
                return None
            return self._first() if self._queue else None

    def _may_take(self) -> bool:
        """Whether rows wait, or records wait and there is room for their rows."""
        return bool(self._queue) and (self._is_made(self._queue[0]) or self.has_room_for_rows)

    @property
    def has_room_for_rows(self) -> bool:
        """Whether the action may hold more rows of this lane."""
        return self.lanes is None or self.must_read or self.lanes.have_room_for_rows(self)

    def _is_made(self, queued: QueuedBatch) -> bool:
        return queued.batch is None or not queued.holds_records or self._made(queued.batch)

    def _made(self, batch: RowBatch) -> bool:
        """Whether a batch begins with rows. If not, none of it is evaluated yet."""
        return bool(batch.records)

    async def _make_rows(self) -> None:
        """Evaluate the next piece of the first batch, if that begins with records."""
        if not self._queue or self._is_made(self._queue[0]):
            return
        await asyncio.sleep(0)  # lets other lanes and other actions run
        fetched, batch, counted = self._queue[0]
        assert batch is not None
        made_bytes, records = batch.size_bytes, batch.all_records
        if self.rules.waits and self.lanes:
            batch = await self.lanes.thread.piece(self.rules, records, self.circuits)
        else:
            batch = self._pace.piece(self.rules, records)
        self.queued_bytes += batch.size_bytes - made_bytes
        if self.lanes and batch.next_offset > counted:
            self.lanes.count(batch)
        self._queue[0] = QueuedBatch(fetched, batch, max(counted, batch.next_offset))

    def _first(self) -> TakenRows:
        """Take the rows at the start of the first batch. The rest of the batch stays."""
        (first, following, size_bytes), batch, counted = self._queue.popleft()
        if batch is None or not batch.rest:
            return TakenRows(Fetched(first, following, size_bytes), batch)
        end = batch.next_offset
        taken = Fetched(first, end, _share(size_bytes, batch))
        left = Fetched(end, following, size_bytes - taken.size_bytes)
        self._queue.appendleft(QueuedBatch(left, RowBatch((), rest=batch.rest), counted))
        return TakenRows(taken, batch)

    def _put_back(self, fetched: Fetched, batch: RowBatch) -> None:
        """The batch comes again; its rows are made again if another version made them."""
        self._queue.appendleft(QueuedBatch(fetched, replace(batch, rest=()), batch.next_offset))

    def _wake(self) -> None:
        """Let `_next` return without a batch, because other work is due."""
        self._woken = True
        self._arrived.set()

    def _release(self, size_bytes: int) -> None:
        self.queued_bytes -= size_bytes
        self._on_room()


def _share(size_bytes: int, batch: RowBatch) -> int:
    """The bytes of a batch's records that have rows. In a small batch each record counts alike, which costs nothing."""
    if size_bytes > COUNTED_BYTES_MIN:
        return min(size_bytes, size_of(batch.records))
    return size_bytes * len(batch.records) // (len(batch.records) + len(batch.rest))


def replacement(topic: str, before: str, now: str) -> TopicReplacedError:
    """The error of a lane whose topic was deleted and created again."""
    return TopicReplacedError(f"topic {topic} was deleted and made again: its id was {before} and is {now}")
