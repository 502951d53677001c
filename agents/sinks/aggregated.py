"""Aggregated upload, exactly once: a lane repeats these steps from one ledger entry to the next.

1. Resume: the chain of ledger entries gives the first offset that is not durable, the epoch, and the version to continue with.
   Reading begins there, whatever the consumer group has committed. Offsets that Kafka no longer has are a gap with an entry.
2. Append: rows go to the open chunks of their groups. A full chunk is stored while reading goes on.
3. Cut: when the interval has passed, memory is short or the worker stops, all open chunks are stored.
4. Store: an object is created, never overwritten. If its key exists, another writer had the same rows (or an earlier try of this
   lane did). The lane compares that object with its own rows and adopts it. If it is *shorter*, the other writer has cut there,
   and this cut ends at the furthest object of that writer. If it is *longer*, the lane reads on to its end.
5. Ledger: one entry, which is created too, names the objects and counts the records. A writer whose entry exists already has
   lost the partition. A topic that was deleted and created again has another chain, so this chain gets no entry for it.
6. Only then does the offset go to Kafka's commit.

So any number of owners, frozen workers and kills make one chain of objects that holds every row once. The states of a cut and
their events are a table in pipeline/upload/cut.py. This file has the tasks and the requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from agents.lanes.kafka_log import find_place, read_at
from agents.lanes.lane import Fetched, Lane, Partition, QueuedBatch, replacement
from agents.lanes.pieces import now
from agents.metrics import ObjectMeter
from agents.sinks.aggregated_writer import AggregatedWriter, ObjectFacts, columns_of, dead_letters_of, facts_of
from agents.sinks.chain import Chain, end_for_us, when_it_can_be_trusted
from agents.sinks.claims import Claims
from agents.sinks.dead_letter import Run
from agents.sinks.side_by_side import STORES_AT_ONCE_MAX, Rolls, all_of
from pipeline.action import AggregatedAction
from pipeline.errors import FenceLostError, ForeignObjectError, InternalError, RefusedError
from pipeline.rule.batch import DeadLetter, Evaluator, RowBatch
from pipeline.sql.runtime.circuits import Circuits
from pipeline.upload import ledger
from pipeline.upload.buffer import Chunk, EarlyEnd, Group
from pipeline.upload.cut import EARLY_END, TRANSITIONS, Cut, CutState, Transitions
from pipeline.upload.ledger import ChainEnd
from pipeline.upload.source_log import ANEW, of_chain

# Records of one cut. Each takes a byte to count.
CUT_RECORDS_MAX: Final = 20_000_000
# Memory for an object until its entry is written: its key and digest, and their part of the entry's text.
OBJECT_OVERHEAD_BYTES: Final = 1024


class AggregatedLane(Lane):
    """The lane of one partition of an aggregated action."""

    transitions: ClassVar[Transitions] = TRANSITIONS
    chain_type: ClassVar[type[Chain]] = Chain
    early_end: ClassVar[EarlyEnd] = EARLY_END

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: AggregatedWriter) -> None:
        super().__init__(partition, on_room)
        self._writer = writer
        self._chain = self.chain_type(writer, partition)
        self._claims = Claims(writer)
        self._run = writer.name_run()
        self._adopted = 0  # the highest revision of an object that was adopted
        self._meter = ObjectMeter(writer.name)
        self._stores = asyncio.Semaphore(STORES_AT_ONCE_MAX)
        self._one_reads_on = asyncio.Lock()
        self._rolls = Rolls(self._wake)
        self._chain_end: ChainEnd | None = None
        self._opened_at: float | None = None  # time of the cut's first record
        self._cut = Cut(writer.action.limits, self.transitions, self.early_end)
        self._take_up(writer.action)

    def _take_up(self, version: AggregatedAction) -> None:
        """Continue with this version: the configured one, or the older one of a cut that another worker has begun."""
        self.version = version

    @property
    def rules(self) -> Evaluator:
        """The rules of the version."""
        return self.version.lines

    @property
    def held_bytes(self) -> int:
        """Bytes of waiting batches, open chunks, and objects for the next entry."""
        return self.queued_bytes + self._cut.buffer.size_bytes + len(self._cut.objects) * OBJECT_OVERHEAD_BYTES

    @property
    def holds_nothing(self) -> bool:
        """Whether nothing is read beyond the last entry."""
        return super().holds_nothing and self._cut.outcomes.empty

    @property
    def must_read(self) -> bool:
        """Whether an object of another writer holds rows that this lane has not read yet."""
        return self._cut.state is CutState.READING_ON

    @property
    def settled(self) -> int | None:
        """The offset of the first row that is not in an object. Everything before it is settled."""
        return None if self._cut.state is CutState.RESUMING else self._cut.end

    def relieve(self) -> None:
        """Cut as soon as possible."""
        if self._cut.state is CutState.READING and (self._cut.buffer.groups or self._cut.objects):
            self._cut.due()
            self._wake()

    def turn(self) -> None:
        """Cut at once: the next entry turns to the action as it is now."""
        self._wake()

    async def run(self) -> None:
        """Run the steps at the top of this file until cancellation or drain."""
        try:
            if not await when_it_can_be_trusted(self, self._writer.name, self._resume):
                self._cut.last()
                self._cut.finished()
            self.ready = True
            self._on_room()
            while self._cut.state is not CutState.ENDED:
                await self._step()
            self.drained.set()
        except FenceLostError:
            self._cut.lost()
            raise
        finally:
            await self._rolls.stop()

    async def _step(self) -> None:
        """Take a batch if one comes before something else is due. Then do what the cut's state requires."""
        cut = self._cut
        taken = await self._next(self._seconds_to_cut())
        self._rolls.check()
        if taken is not None:
            await self._append(*taken)
        if self.draining and self.idle and cut.state is not CutState.CUTTING:
            cut.last()
        if self._cut_due():
            cut.due()
        if cut.state is CutState.CUTTING:
            await self._store_all()
            await self._write_entry()
        elif cut.state is CutState.DRAINING:
            await self._end()

    # --- 1. Resume

    async def _resume(self) -> None:
        kafka = self._writer.kafka
        self.topic_id = await kafka.topic_id(self.partition.topic)
        self._chain = self.chain_type(self._writer, self.partition, self.topic_id)
        chain_end = await end_for_us(self._chain, self, self._writer)
        if self.draining and chain_end and chain_end.revision > self._writer.action.revision:
            return self._cut.lost()
        # Read after the chain, which another may extend.
        bounds = await kafka.bounds(self.partition, chain_end.first if chain_end else 0)
        if bounds.topic_id != self.topic_id:
            raise replacement(self.partition.topic, self.topic_id, bounds.topic_id)
        where = "/".join(map(str, self.partition))
        reading = of_chain(chain_end.first if chain_end else None, bounds, where)
        if chain_end is not None:  # otherwise the first batch begins the chain
            newest = self._writer.action
            if chain_end.clean:
                chain_end = await self._chain.turn(chain_end, newest, clean=False)
            # Another worker may have begun this cut with the records in Kafka now: this lane keeps the version of the cut.
            if chain_end.version != newest.digest and chain_end.first >= bounds.end:
                chain_end = await self._chain.turn(chain_end, newest, clean=False)
            await self._go_on(chain_end, bounds.end)
        read_at(self, self._writer.action.name, reading)

    async def find_place(self, wanted: int) -> None:
        """Find the place again after other offsets than `wanted` came. Raises LaneError if the topic or its end has changed."""
        await find_place(self, self._writer.action.name, self._writer.kafka, wanted, ANEW)

    async def _go_on(self, chain_end: ChainEnd, read_before: int = 0) -> None:
        """Continue the chain with its offset, its epoch, and its version, which is ours or an older one."""
        self._chain_end = chain_end
        self.durable = chain_end.first
        self._take_up(await self._chain.version(chain_end.version))
        self._cut.resumed(chain_end.first, self.version.limits, read_before=read_before, columns=chain_end.columns)

    # --- 2. Append

    def _made(self, batch: RowBatch) -> bool:
        """Whether rows are made already. Rows of an older or newer version are made again."""
        return super()._made(batch) and batch.rules == self.rules.digest

    async def _append(self, fetched: Fetched, batch: RowBatch | None) -> None:
        if self._chain_end is None:
            await self._begin(fetched.first)
            if batch is not None and batch.records and not self._made(batch):  # before the action was turned
                return self._put_back(fetched, batch)
        if batch is not None:
            await self._append_rows(fetched, batch)
        elif fetched.next <= self._cut.position:
            return
        elif self._cut.outcomes.empty or self._cut.state is CutState.READING_ON:
            self._cut.gone(fetched.next)
        else:  # a gap ends the cut
            self._queue.appendleft(QueuedBatch(fetched, None))
            self._cut.due()
        if self._opened_at is None and not self._cut.outcomes.empty:
            self._opened_at = now()

    async def _begin(self, first: int) -> None:
        """Begin the chain at offset `first`. Raises FenceLostError if another worker has begun it, or has gone on."""
        ours = self._writer.action  # after the restart, `_resume` finishes the cut of another worker
        chain_end = await self._chain.begin(first)
        theirs = chain_end.version != ours.digest or chain_end.clean or chain_end.revision > ours.revision
        if chain_end.first < first or theirs:
            raise FenceLostError(f"another worker has begun the ledger of {self.partition.topic}, for offset {first}")
        await self._go_on(chain_end)

    async def _append_rows(self, fetched: Fetched, batch: RowBatch) -> None:
        if batch.redriven:
            batch = await self._claims.kept(batch, self._cut.position, self.topic_id)
            if self._cut.state is CutState.CUTTING:  # it became due meanwhile
                self._put_back(fetched, batch)
                return
        dead = self._add_rows(fetched, batch)
        await self._send_letters(dead)
        self._release(fetched.size_bytes + batch.size_bytes)

    async def _send_letters(self, dead: Sequence[DeadLetter]) -> None:
        run = Run(self._run, self._writer.bucket, self.topic_id)
        await self._writer.dead_letters.send(dead, run)

    def _add_rows(self, fetched: Fetched, batch: RowBatch) -> list[DeadLetter]:
        """Add rows to chunks. Records before the lane's position were handled by another worker."""
        if fetched.next <= self._cut.position:
            return []
        if fetched.first > self._cut.position:
            raise InternalError(f"offsets {self._cut.position} to {fetched.first - 1} are neither records nor a gap")
        self._meter.arrived(batch.records)
        arrived = self.version.lines.arrived(batch, self._cut.position)
        for group in self._cut.rows(arrived.groups, arrived.offsets, arrived.outcomes, fetched.next):
            self._roll(group)
        return arrived.dead

    def _roll(self, group: Group) -> None:
        """Store full chunks while reading goes on: one after another, because an adopted object moves the next."""
        if group.storing or self._cut.state is not CutState.READING:
            return
        group.storing = True
        self._rolls.add(self._store_rolled(group))

    async def _store_rolled(self, group: Group) -> None:
        try:
            while group.rolled and not self._cut.ends_at_furthest:
                await self._store(group)
        finally:
            group.storing = False

    # --- 3. Cut

    def _seconds_to_cut(self) -> float | None:
        if self._opened_at is None:
            return None
        return max(0.0, self._opened_at + self._cut.wait_seconds(self.version.cut_seconds) - now())

    def _cut_due(self) -> bool:
        outcomes = self._cut.outcomes
        drains = self._cut.state is CutState.DRAINING and not outcomes.empty
        return drains or outcomes.records >= CUT_RECORDS_MAX or self._seconds_to_cut() == 0.0 or self._turns()

    def _turns(self) -> bool:
        """Whether the next entry, which may be without offsets, turns to another version."""
        cut, turns = self._cut, self._writer.turns(self.version, self._adopted)
        return turns and bool(self._chain_end) and cut.state is CutState.READING and cut.position >= cut.read_before

    async def _store_all(self) -> None:
        """Store every chunk of this cut. An object of another writer may change the chunks of the cut."""
        await self._rolls.done()
        self._cut.may_end_early()
        while groups := self._cut.to_store:
            await all_of(self._store(group) for group in groups)

    async def _end(self) -> None:
        """Note an orderly stop in the ledger. So the next worker need not finish cuts that earlier workers may have begun."""
        if (end := self._chain_end) is not None and self._cut.position >= self._cut.read_before:
            await when_it_can_be_trusted(
                self, self._writer.name, lambda: self._chain.turn(end, self.version, clean=True)
            )
        self._cut.finished()

    async def _write_entry(self) -> None:
        """Write the entry of the durable cut. Its end may then be committed, and the next cut begins with the rows beyond it."""
        assert self._chain_end is not None
        newest, revision = self._writer.action, max(self._writer.action.revision, self._adopted)
        turn_to = newest if newest.revision == revision else self.version  # no older rule follows a later revision
        entry = replace(self._cut.entry(self._chain_end, turn_to.digest, revision), run=self._run)
        following = newest if entry.next_version == newest.digest else self.version
        if entry.next_version != entry.version:
            await self._chain.keep_version(following)
        await self._check_topic()
        if not await when_it_can_be_trusted(self, self._writer.name, lambda: self._chain.append(entry)):
            self._cut.lost()
            return
        self._meter.cut(entry.rows)
        self._chain_end = ledger.end_after(entry)
        self.durable = entry.next
        self._take_up(following)
        again = self._cut.early_end is not None  # then the next cut is due as well
        self._cut.entered(entry, following.limits)
        self._opened_at = None if self._cut.outcomes.empty else self._opened_at if again else now()
        self.circuits = Circuits()  # a worker that resumes from this entry also begins with new ones
        self._on_room()
        if revision > self._writer.action.revision:  # of an adopted object; after the restart, `_resume` waits for it
            if not self.draining:
                raise FenceLostError(f"another worker made objects of {self.partition.topic} at revision {revision}")
            self._cut.lost()

    async def _check_topic(self) -> None:
        """Check that the topic is still the topic of this chain. Raises TopicReplacedError."""
        now = await self._writer.kafka.topic_id(self.partition.topic)
        if now and self.topic_id and now != self.topic_id:
            raise replacement(self.partition.topic, self.topic_id, now)

    # --- 4. Store

    async def _store(self, group: Group) -> None:
        """Store the first chunk of a group, or adopt the existing object."""
        async with self._stores:
            chunk = self._cut.next_chunk(group)
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
        rows = None
        if facts is None:
            facts, rows = await self._adopt(where, key, group)
        self._cut.stored(group, facts.stored(key, chunk.first, bucket), rows, facts.columns)
        self._writer.tell_what_is_not_kept(self.partition, facts.columns, self._cut.columns)

    async def _create(self, bucket: str, key: str, chunk: Chunk, epoch: int) -> ObjectFacts | None:
        """Create the object of a chunk in its present state. Returns None if the key exists."""
        made = await self._writer.make(self.version, self._chain.place, chunk, epoch, self._cut.kept)
        with self._meter.writing_rows(bucket, key, chunk.offsets, made.facts.rows) as writing:
            etag = await self._writer.create(self.version, bucket, key, made.body, made.headers)
        if etag is None:
            return None
        writing.confirmed(len(made.body))
        return made.facts._replace(etag=etag)

    async def _give_up(self, group: Group, error: RefusedError) -> None:
        """Make dead letters of the records, because the store will never accept an object with this key."""
        chunk = group.chunks[0]
        rows, offsets = chunk.rows, sorted(set(chunk.offsets))  # now, because more rows may come meanwhile
        await self._send_letters(dead_letters_of(self.partition, offsets, error))
        self._cut.given_up(group, rows, offsets)

    async def _adopt(self, bucket: str, key: str, group: Group) -> tuple[ObjectFacts, int]:
        """Compare the existing object with our rows. Returns its facts, and the number of our rows that it holds."""
        head = await self._writer.store.head(bucket, key)
        if head is None:
            raise ForeignObjectError(f"{bucket}/{key} existed and is gone: something deletes objects of this cut")
        found = facts_of(head, key)
        if head.metadata.get("tidegate-topic-id") != ledger.topic_id_text(self.topic_id):
            raise ForeignObjectError(f"{bucket}/{key} is of another topic of the name {self.partition.topic}")
        if found.last >= self._cut.position and not group.rolled:
            await self._read_on(found.last)
        chunk = group.chunks[0]
        rows = chunk.rows_until(found.last)
        ours = rows == found.rows and chunk.digest(rows) == found.digest
        has_more = self._cut.outcomes.misses(chunk.first, found.last + 1)  # than Kafka, which has deleted these offsets
        if not ours and not (has_more and head.metadata.get("tidegate-version") == self.version.digest):
            raise ForeignObjectError(
                f"{bucket}/{key} holds {found.rows} rows up to offset {found.last} that are not ours; "
                f"expected {rows}: does another action write under this key, or was the object replaced?"
            )
        self._adopted = max(self._adopted, found.revision)
        if rows < chunk.rows:
            self._cut.shorter()
            self._wake()
        found = found._replace(last=chunk.offsets[rows - 1]) if ours else found
        columns = await columns_of(self.version, chunk, rows, self._cut.kept[: found.kept])
        return found._replace(columns=columns), rows

    async def _read_on(self, last: int) -> None:
        """Append until offset `last` is read. Another writer has read it, so it is in Kafka."""
        async with self._one_reads_on:
            if self._cut.position > last:
                return
            self._cut.longer()
            self._on_room()
            while self.must_read and self._cut.position <= last:
                taken = await self._next(None)
                if taken is not None:
                    await self._append(*taken)
            self._cut.reached()
            self._arrived.set()
