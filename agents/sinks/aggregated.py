"""Aggregated upload, exactly once: one lane's life from the ledger's end to the next entry, again and again.

1. Resume: the chain of ledger entries tells the first offset that is not durable, the epoch, and the version to go on under.
2. Append: rows go to the open chunks of their groups. A chunk that is full is stored while reading goes on.
3. Cut: when the interval has passed, memory is short or the worker stops, all open chunks are stored.
4. Store: an object is created, never overwritten. If its key is taken, another writer met the same rows before us (or an
   earlier try of ours did): theirs is compared with ours and adopted. A *shorter* one means that the other has cut there;
   this cut then ends at its furthest object. For a *longer* one we read on to its end.
5. Ledger: one entry, created likewise, names the objects and counts the records. Who finds it taken has lost the partition.
6. Only then is the offset given to Kafka's commit.

Any number of owners, zombies and kills thus make one chain of objects that holds every row once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

import structlog

from agents.metrics import ObjectMeter
from agents.sinks.aggregated_writer import AggregatedWriter, ObjectFacts, dead_letters_of, encoded, facts_of
from agents.sinks.arrival import arrival
from agents.sinks.chain import Chain
from agents.sinks.lane import Lane, Partition
from pipeline.action import AggregatedAction
from pipeline.errors import ForeignObjectError, RefusedError
from pipeline.rule import DeadLetter, RowBatch
from pipeline.upload import ledger
from pipeline.upload.buffer import Buffer, Chunk, Group
from pipeline.upload.ledger import ChainEnd, Entry, StoredObject
from pipeline.upload.outcomes import Tally

# A stretch in which every record was filtered gets an entry of its own this often; it is folded into the next one otherwise.
FILTERED_SECONDS: Final = 600.0
# Records of one cut, which cost a byte each to count.
CUT_RECORDS_MAX: Final = 20_000_000
STORES_AT_ONCE_MAX: Final = 16
# What an object of a cut under way costs until its entry is written: its key and digest, and their share of the entry's text.
OBJECT_OVERHEAD_BYTES: Final = 1024

log = structlog.get_logger("tidegate.aggregated")


class AggregatedLane(Lane):
    """One partition of an aggregated action."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room)
        self._writer = writer
        self._chain = Chain(writer, partition)
        self._meter = ObjectMeter(writer.name)
        self._stores = asyncio.Semaphore(STORES_AT_ONCE_MAX)
        self._reading_on = asyncio.Lock()
        self._rolls: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._chain_end: ChainEnd | None = None
        self._position = 0  # the next offset to take
        self._catch_up_to = 0  # the end of what those before us can have read
        self._begin(writer.action)

    def _begin(self, version: AggregatedAction) -> None:
        """Forget the last cut."""
        self.version = version
        self._buffer = Buffer(version.limits)
        self._tally = Tally()
        self._objects: list[StoredObject] = []
        self._crossing = 0  # the end of the furthest object of this cut
        self._cut_short = False  # a shorter object was met: this cut ends at `_crossing`
        self._cut_wanted = False
        self._opened_at: float | None = None

    @property
    def held_bytes(self) -> int:
        """What waits, what the open chunks hold, and what the next entry will name."""
        return self.queued_bytes + self._buffer.size_bytes + len(self._objects) * OBJECT_OVERHEAD_BYTES

    @property
    def settled(self) -> int | None:
        """Where the first row begins that is not in an object; everything before it needs nothing more."""
        first = self._buffer.first
        return (self._position or None) if first is None else first

    def relieve(self) -> None:
        """Cut at the next opportunity."""
        if (self._buffer.groups or self._objects) and not self._cut_wanted:
            self._cut_wanted = True
            self._wake()

    async def run(self) -> None:
        """From the ledger's end to cancellation or drain: the steps at the top of this file."""
        await self._resume()
        self.ready = True
        self._on_room()
        try:
            while True:
                taken = await self._next(self._seconds_to_cut())
                self._check_rolls()
                if taken is not None:
                    await self._append(*taken)
                last = self.draining and self.idle
                if self._cut_due() or (last and self._tally.records):
                    await self._cut()
                if last and not self._tally.records:
                    await self._end()
                    self.drained.set()
                    return
        finally:
            await self._stop_rolls()

    # --- 1. Resume

    async def _resume(self) -> None:
        chain_end = await self._chain.end()
        if chain_end is None:
            return
        if chain_end.clean:
            chain_end = await self._chain.turn(chain_end, self._writer.action, clean=False)
        await self._go_on(chain_end)
        # Another may have begun this cut, with what is in Kafka now: we finish it as it was begun.
        self._catch_up_to = await self._writer.end_offset(self.partition)
        if self._outdated and self._position >= self._catch_up_to:
            self._chain_end = await self._chain.turn(chain_end, self._writer.action, clean=False)
            self._begin(self._writer.action)

    async def _go_on(self, chain_end: ChainEnd) -> None:
        """Take up the chain: its offset, its epoch, and its version, be it ours or an older one."""
        self._chain_end = chain_end
        self._position = chain_end.first
        self.durable = chain_end.first
        if chain_end.version != self.version.digest:
            self._begin(await self._chain.version(chain_end.version))

    @property
    def _outdated(self) -> bool:
        """Whether this cut goes on under an older version than the one configured."""
        return self.version.digest != self._writer.action.digest

    # --- 2. Append

    async def _append(self, batch: RowBatch, size_bytes: int) -> None:
        if self._chain_end is None:
            await self._go_on(await self._chain.begin(batch.records[0].offset))
        if batch.rules != self.version.rules.digest:
            batch = self.version.rules.evaluate(batch.records)
        dead = self._add_rows(batch)
        await self._writer.dead_letters.send(dead)
        self._release(size_bytes)
        if self._outdated and self._position >= self._catch_up_to:
            self._cut_wanted = True

    def _add_rows(self, batch: RowBatch) -> list[DeadLetter]:
        """Rows into chunks. Records before our place are another's work, and done."""
        if batch.next_offset <= self._position:
            return []
        arrived = arrival(batch, self._position, self.version)
        for name, (lines, offsets) in arrived.groups.items():
            rolled = self._buffer.extend(name, lines, offsets)
            if rolled is not None:
                self._roll(rolled)
        self._tally.add(arrived.offsets, arrived.outcomes)
        self._position = batch.next_offset
        if self._opened_at is None:
            self._opened_at = _now()
        return arrived.dead

    def _roll(self, group: Group) -> None:
        """Store what is full while reading goes on. Rolls of one group follow each other: an adopted object moves the next."""
        if group.storing or self._cut_wanted:
            return
        group.storing = True
        task = asyncio.create_task(self._store_rolled(group))
        self._rolls.add(task)
        task.add_done_callback(self._rolls.discard)
        task.add_done_callback(self._roll_ended)

    async def _store_rolled(self, group: Group) -> None:
        try:
            while group.rolled and not self._cut_short:
                await self._store(group)
        finally:
            group.storing = False

    def _roll_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception():
            self._failure = task.exception()
        if self._failure or self._cut_short:
            self._cut_wanted = True
            self._wake()

    def _check_rolls(self) -> None:
        if self._failure:
            raise self._failure

    async def _stop_rolls(self) -> None:
        """Cancel them and see them end: one that uploads in parts still has to tell the store to forget these."""
        rolls = list(self._rolls)
        for task in rolls:
            task.cancel()
        await asyncio.gather(*rolls, return_exceptions=True)

    # --- 3. Cut

    def _seconds_to_cut(self) -> float | None:
        if self._opened_at is None:
            return None
        limit = self.version.cut_seconds if self._buffer.groups or self._objects else FILTERED_SECONDS
        return max(0.0, self._opened_at + limit - _now())

    def _cut_due(self) -> bool:
        return self._cut_wanted or self._tally.records >= CUT_RECORDS_MAX or self._seconds_to_cut() == 0.0

    async def _cut(self) -> None:
        """Store all open chunks, then write the entry. With a shorter object met, only what begins before the cut's end."""
        assert self._chain_end is not None
        self._cut_wanted = True
        await asyncio.gather(*self._rolls)
        while groups := self._buffer.open_groups(before=self._crossing if self._cut_short else None):
            await all_of(self._store(group) for group in groups)
        left = self._buffer.first
        end = self._position if left is None else left
        await self._write_entry(end)

    async def _end(self) -> None:
        """An orderly stop: say so, and who comes next need not finish anything that those before us can have begun."""
        if self._chain_end is not None and self._position >= self._catch_up_to:
            await self._chain.turn(self._chain_end, self.version, clean=True)

    async def _write_entry(self, end: int) -> None:
        assert self._chain_end is not None
        chain_end = self._chain_end
        # Changed where nothing of the older version is left: neither rows here nor, perhaps, objects of another writer.
        changes = self._outdated and end == self._position >= self._catch_up_to
        following = self._writer.action if changes else self.version
        counts = self._tally.counts(end)
        entry = Entry(
            first=chain_end.first,
            next=end,
            epoch=chain_end.epoch,
            version=self.version.digest,
            next_epoch=chain_end.epoch + 1 if changes else chain_end.epoch,
            next_version=following.digest,
            records=counts.records,
            filtered=counts.filtered,
            dead_lettered=counts.dead_lettered,
            rows=sum(each.rows for each in self._objects),
            objects=tuple(sorted(self._objects, key=lambda each: (each.first, each.key))),
            previous=chain_end.previous,
            next_key_epoch=ledger.next_key_epoch(chain_end, following.digest),
        )
        if changes:
            await self._chain.keep_version(following)
        await self._chain.append(entry)
        self._meter.cut(entry.rows)
        self._after(entry, following)

    def _after(self, entry: Entry, version: AggregatedAction) -> None:
        """The cut is durable: its end may be committed, and the next one begins with the rows beyond its end."""
        self._chain_end = ledger.end_after(entry)
        self.durable = entry.next
        buffer, tally = self._buffer, self._tally
        self._begin(version)
        tally.drop(entry.next)
        if tally.records:
            self._buffer, self._tally = buffer, tally
            self._opened_at = _now()
        self._on_room()

    # --- 4. Store

    async def _store(self, group: Group) -> None:
        """The first chunk of a group becomes an object, or is found to be one already."""
        async with self._stores:
            chunk = group.chunks[0]
            assert self._chain_end is not None
            bucket, key = self.version.key.location(
                group.name,
                partition=self.version.partition_name(*self.partition),
                offset=chunk.first,
                epoch=self._chain_end.key_epoch,
            )
            where = bucket or self._writer.bucket
            try:
                facts = await self._create(where, key, chunk, self._chain_end.key_epoch)
            except RefusedError as error:
                await self._give_up(group, error)
                return
        if facts is None:
            facts = await self._adopt(where, key, group)
        self._objects.append(StoredObject(key, facts.rows, chunk.first, facts.last, facts.digest, bucket))
        self._crossing = max(self._crossing, facts.last + 1)
        self._buffer.stored(group, facts.rows)

    async def _create(self, bucket: str, key: str, chunk: Chunk, epoch: int) -> ObjectFacts | None:
        """Create the object of a chunk as it is now; None if the key is taken."""
        writer, data = self._writer, bytes(chunk.data)
        facts = ObjectFacts(chunk.rows, chunk.last, chunk.digest())  # of now: rows may come while it is on its way
        headers = writer.object_headers(self.version, self.partition, chunk.first, facts, epoch)
        body = await encoded(self.version, data)
        with self._meter.writing() as writing:
            created = await writer.create(self.version, bucket, key, body, headers)
        if created is None:
            return None
        writing.confirmed(len(body))
        return facts

    async def _give_up(self, group: Group, error: RefusedError) -> None:
        """The store will never take an object under this key, whoever sends it: its records are dead letters."""
        chunk = group.chunks[0]
        rows, offsets = chunk.rows, sorted(set(chunk.offsets))
        await self._writer.dead_letters.send(
            dead_letters_of(self.partition, offsets, error)
        )  # more rows may come meanwhile
        self._tally.dead(offsets)
        self._buffer.stored(group, rows)

    async def _adopt(self, bucket: str, key: str, group: Group) -> ObjectFacts:
        """The object under our key, compared with our rows: which of them it holds."""
        head = await self._writer.store.head(bucket, key)
        if head is None:
            raise ForeignObjectError(
                f"{bucket}/{key} was there and is gone: something deletes objects of a cut under way"
            )
        found = facts_of(head, key)
        if found.last >= self._position and not group.rolled:
            await self._read_on(found.last)
        chunk = group.chunks[0]
        rows = chunk.rows_until(found.last)
        if rows != found.rows or chunk.digest(rows) != found.digest:
            raise ForeignObjectError(
                f"{bucket}/{key} holds {found.rows} rows up to offset {found.last} that are not ours; "
                f"expected {rows}: does another action write under this key, or was the object replaced?"
            )
        if rows < chunk.rows:
            self._cut_short = True
        return found._replace(last=chunk.offsets[rows - 1])

    async def _read_on(self, last: int) -> None:
        """Append until everything up to offset `last` is here. Another writer has read it, so it is in Kafka."""
        async with self._reading_on:
            self.must_read = True  # also while we drain
            self._on_room()
            try:
                while self._position <= last:
                    taken = await self._next(None)
                    if taken is not None:
                        await self._append(*taken)
            finally:
                self.must_read = False
                self._arrived.set()


def _now() -> float:
    """Seconds on the loop's clock, which a simulation may run."""
    return asyncio.get_running_loop().time()


async def all_of(calls: Iterator[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines, some side by side, each made when its turn comes: a cut may have hundreds of thousands.

    If one fails, those under way are cancelled, no more are made, and its error is raised.
    """

    async def work() -> None:
        for call in calls:
            await call

    async with asyncio.TaskGroup() as group:
        for _ in range(STORES_AT_ONCE_MAX):
            group.create_task(work())
