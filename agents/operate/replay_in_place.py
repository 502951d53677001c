"""A replay of an aggregated action into the same keys: makes cuts of the ledger again with the present rules.

It makes each cut again as a whole, from the offsets that its entry names, so that the ledger stays one chain.

1. Read, evaluate and group the records of the cut. If Kafka no longer has all of them, leave the cut unchanged.
2. Put each object over the one under its key, or create it. Leave an object that is correct.
3. Write the entry again, over exactly the entry that was read (pipeline/upload/ledger.py: `original`).
4. Remove objects that only the old entry named.

A reader of the bucket sees old and new objects side by side meanwhile. After a kill, the same command repairs the cut.
Records that fail are dead letters of this run, like those of a worker. They count from the new entry on, and those of
the earlier run no longer do. A row that was sent again (`tidegate dead-letter redrive`) stays with the record that
carries it. The worker need not stop: it owns the cut under way, and does not touch objects of entered cuts.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, NamedTuple

from agents.lanes.lane import Partition
from agents.operate.replay import LeftOut, Plan, Progress, pieces, step
from agents.sinks.aggregated_writer import AggregatedWriter, ObjectFacts, columns_of, dead_letters_of, facts_of
from agents.sinks.attempts import Attempts
from agents.sinks.chain import Chain
from agents.sinks.claims import Claims, without_claimed
from agents.sinks.dead_letter import DeadLetters, Run, Sender
from agents.sinks.side_by_side import all_of
from pipeline.columns import size_of
from pipeline.config import Config, KafkaConfig
from pipeline.connectors.kafka import reader
from pipeline.connectors.kafka.reader import Span
from pipeline.connectors.s3.store import Head
from pipeline.errors import RecordsGoneError, RefusedError
from pipeline.formats.kept import NO_COLUMNS, KeptColumns, joined
from pipeline.record import Record
from pipeline.redriven import RecordPlace
from pipeline.rule.batch import DeadLetter
from pipeline.upload.buffer import Buffer, Chunk, Group
from pipeline.upload.ledger import Entry, StoredObject
from pipeline.upload.outcomes import Outcomes


class EnteredCut(NamedTuple):
    """A cut that is in the ledger. `epoch` is the epoch in the keys of its objects.

    `kept` are the kept columns for its objects, if they were made under another version.
    """

    partition: Partition
    topic_id: str
    entry: Entry
    epoch: int
    kept: KeptColumns

    @property
    def span(self) -> Span:
        """The offsets of the cut."""
        return Span(*self.partition, self.entry.first, self.entry.next)

    def chain(self, writer: AggregatedWriter) -> Chain:
        """The chain of the cut."""
        return Chain(writer, self.partition, self.topic_id)


@dataclass(slots=True)
class Making:
    """A cut that is made again: rows that are not in objects yet, the outcomes of records, the objects so far.

    `columns` are the kept ones and those that its objects bring.
    """

    cut: EnteredCut
    buffer: Buffer
    columns: KeptColumns
    tally: Outcomes = field(default_factory=Outcomes)
    objects: list[StoredObject] = field(default_factory=list)


Store = Callable[[Making, StoredObject, Chunk], Coroutine[Any, Any, StoredObject]]


class Reading:
    """Reads the records of one partition's cuts in order, with one consumer, because a consumer for each cut would take hours."""

    def __init__(self, kafka: KafkaConfig, end: int) -> None:
        self._kafka = kafka
        self._end = end  # end of the last cut
        self._source: Generator[list[Record]] | None = None
        self._held: list[Record] = []  # records of the next cut that were read already

    async def batches(self, span: Span) -> AsyncIterator[list[Record]]:
        """The records of a cut, in order. Raises RecordsGoneError; the next cut may still be complete."""
        if self._source is None:
            self._source = reader.batches(self._kafka, span._replace(end=self._end))
        while True:
            try:
                records = self._held or await step(self._source)
            except RecordsGoneError:
                self.close()
                raise
            if not records:
                return
            at = bisect_left(records, span.end, key=lambda record: record.offset)
            self._held = records[at:]
            if at:
                yield records[:at]
            if self._held or (at and records[at - 1].offset == span.end - 1):
                return

    def close(self) -> None:
        """Close the consumer."""
        if self._source is not None:
            with suppress(ValueError):  # its last step may still run
                self._source.close()
        self._source, self._held = None, []


class Rewrite:
    """A replay of one aggregated action into the same keys. `gone`: cuts of which Kafka no longer has all records."""

    def __init__(self, config: Config, writer: AggregatedWriter, sender: Sender) -> None:
        kafka, name = config.kafka, writer.action.name
        letters = DeadLetters(sender, kafka.dead_letter_topic, name, Attempts(name), pipeline=config.pipeline)
        self._kafka = kafka
        self._writer = writer
        self._letters = letters
        self._version = writer.action
        self._claims = Claims(writer)
        self._run = Run(writer.name_run(), writer.bucket)
        self.left_out = LeftOut()
        self.gone: list[EnteredCut] = []
        self.written = self.removed = 0
        self._read_bytes = 0

    async def cuts(self, spans: Sequence[Span]) -> list[EnteredCut]:
        """The cuts that hold offsets of `spans`."""
        found = []
        for span in spans:
            partition, topic_id = Partition(span.topic, span.partition), await self._writer.kafka.topic_id(span.topic)
            chain = Chain(self._writer, partition, topic_id)
            start = await chain.start()
            epoch, kept = start.key_epoch if start else 0, NO_COLUMNS
            async for entry in chain.entries():
                if entry.records and entry.first < span.end and span.first < entry.next:
                    found.append(EnteredCut(partition, topic_id, entry, epoch, kept))
                epoch = entry.next_key_epoch
                if entry.records:
                    kept = entry.columns if self._is_of_now(entry) else NO_COLUMNS
        return found

    async def plan(self, cuts: Sequence[EnteredCut], progress: Progress) -> Plan:
        """Read and count. Objects that are already correct count too."""
        plan = Plan(_joined(cuts))
        async for _, made in self._made(cuts, progress, None):
            if made is not None:
                plan.records += made.records
                plan.rows += made.rows
                plan.objects += len(made.objects)
                plan.puts += len(made.objects) + 1
        plan.puts += bool(plan.records)  # the version's text
        plan.bytes = self._read_bytes
        plan.left_out, self.left_out = self.left_out, LeftOut()
        return plan

    async def run(self, cuts: Sequence[EnteredCut], progress: Progress) -> None:
        """Make the cuts again in order. Raises ConflictError if an entry was changed meanwhile."""
        self.gone.clear()
        if cuts:  # versions lie beside the ledgers of all partitions
            await cuts[0].chain(self._writer).keep_version(self._version)
        async for cut, made in self._made(cuts, progress, self._put):
            if made is None or made == cut.entry:
                continue
            await cut.chain(self._writer).rewrite(cut.entry, made)
            before, now = ({(each.bucket, each.key) for each in entry.objects} for entry in (cut.entry, made))
            for bucket, key in before - now:
                await self._writer.store.delete(bucket or self._writer.bucket, key)
                self.removed += 1

    # --- One cut

    async def _made(
        self, cuts: Sequence[EnteredCut], progress: Progress, store: Store | None
    ) -> AsyncIterator[tuple[EnteredCut, Entry | None]]:
        """Each cut with the result of `_make`."""
        for _, some in groupby(cuts, lambda cut: cut.partition):
            of_partition, kept = list(some), NO_COLUMNS
            with closing(Reading(self._kafka, of_partition[-1].entry.next)) as reading:
                for cut in of_partition:
                    made = await self._make(cut._replace(kept=kept or cut.kept), reading, progress, store)
                    kept = made.columns if made is not None else NO_COLUMNS
                    yield cut, made

    async def _make(self, cut: EnteredCut, reading: Reading, progress: Progress, store: Store | None) -> Entry | None:
        """The entry of a cut under the present rules, or None if Kafka no longer has all records. Its chunks go to `store`."""
        making = Making(cut, Buffer(self._version.limits), cut.kept)
        place = RecordPlace(*cut.partition, cut.entry.first)
        claimed = await self._claims.of(place, cut.entry.first, cut.entry.next)
        with suppress(RecordsGoneError):
            async for records in reading.batches(cut.span):
                progress(len(records))
                self._read_bytes += size_of(records)
                for piece in pieces(self._version, records, ()):
                    batch = without_claimed(piece, claimed)
                    if store is not None and batch.redriven:
                        batch = await self._claims.kept(batch, cut.entry.first)
                    arrived = self._version.lines.arrived(batch, cut.entry.first)
                    await self._leave_out(arrived.dead, store)
                    first, following = piece.records[0].offset, piece.next_offset
                    making.tally.add(first, following, arrived.offsets, arrived.outcomes)
                    groups = [making.buffer.extend(name, lines) for name, lines in arrived.groups.items()]
                    await self._store(making, [group for group in groups if group], store)
        if making.tally.records != cut.entry.records:
            if making.objects and store is not None:
                raise RecordsGoneError(
                    f"Kafka deleted records of {cut.partition.topic}/{cut.partition.partition} while they were read: "
                    f"{len(making.objects)} objects from offset {cut.entry.first} on are made again and their entry is not"
                )
            self.gone.append(cut)
            return None
        await self._store(making, making.buffer.open_groups(), store, last=True)
        making.tally.dead(sorted(claimed))
        return self._entry(making)

    async def _leave_out(self, dead: Sequence[DeadLetter], store: Store | None) -> None:
        """Count records that fail. With `store`, also send their dead letters."""
        self.left_out.note(dead)
        if store is not None:
            await self._letters.send(dead, self._run)

    def _entry(self, making: Making) -> Entry:
        old, counts = making.cut.entry, making.tally.counts(making.cut.entry.next)
        made = replace(
            old,
            version=self._version.digest,
            filtered=counts.filtered,
            dead_lettered=counts.dead_lettered,
            rows=sum(each.rows for each in making.objects),
            objects=tuple(sorted(making.objects, key=lambda each: (each.first, each.key))),
            columns=old.columns if self._is_of_now(old) else making.columns,
        )
        return made if made == old else replace(made, original=old.digest, run=self._run.name)

    async def _store(self, making: Making, groups: Sequence[Group], store: Store | None, *, last: bool = False) -> None:
        """Store the full chunks of these groups, and with `last` the open ones too. Chunks with refused keys are dead letters."""
        chunks: list[tuple[StoredObject, Chunk]] = []
        for group in groups:
            while group.rolled or (last and group.first is not None):
                chunk = group.chunks[0]
                bucket, key = self._version.key.location(
                    group.name,
                    partition=self._version.partition_name(*making.cut.partition),
                    offset=chunk.first,
                    epoch=making.cut.epoch,
                )
                facts = ObjectFacts(chunk.rows, chunk.last, chunk.digest())
                chunks.append((facts.stored(key, chunk.first, bucket), chunk))
                making.buffer.stored(group, chunk.rows)

        async def one(made: StoredObject, chunk: Chunk) -> None:
            try:
                if store is not None:
                    made = await store(making, made, chunk)
            except RefusedError as error:
                offsets = sorted(set(chunk.offsets))
                await self._leave_out(dead_letters_of(making.cut.partition, offsets, error), store)
                making.tally.dead(offsets)
            else:
                making.objects.append(made)

        await all_of(one(*each) for each in chunks)

    async def _put(self, making: Making, made: StoredObject, chunk: Chunk) -> StoredObject:
        """Put an object over the existing one, unless that is correct. Raises RefusedError for its key."""
        writer, version, cut = self._writer, self._version, making.cut
        bucket, key = made.bucket or writer.bucket, made.key
        named = next((each for each in cut.entry.objects if (each.bucket, each.key) == (made.bucket, made.key)), None)
        kept = self._kept(cut, named)
        head = await writer.store.head(bucket, key, any_key=True)  # the write gives the reason why a key is refused
        if head and self._is_as_it_should_be(named, made, head):
            facts = facts_of(head, key)
            if not self._is_of_now(cut.entry):  # otherwise its columns are in the entry
                columns = await columns_of(version, chunk, chunk.rows, kept[: facts.kept])
                making.columns = joined(making.columns, columns)
            return facts.stored(key, made.first, made.bucket)
        again = await writer.make(version, cut.chain(writer).place, chunk, cut.epoch, kept)
        making.columns = joined(making.columns, again.facts.columns)
        write = writer.create if head is None else writer.put
        etag = await write(version, bucket, key, again.body, again.headers)
        if etag is None:  # an earlier try of this request succeeded, and its answer was lost
            head = await writer.store.head(bucket, key)
            etag = head.etag if head else ""
        self.written += 1
        return again.facts._replace(etag=etag).stored(key, made.first, made.bucket)

    def _kept(self, cut: EnteredCut, named: StoredObject | None) -> KeptColumns:
        """The kept columns for an object: those with which it was made, if that was under this version."""
        if not self._is_of_now(cut.entry):
            return cut.kept
        return cut.entry.columns[: named.columns] if named else cut.entry.columns

    def _is_of_now(self, entry: Entry) -> bool:
        """Whether the objects of an entry were made under the present version."""
        return entry.version == self._version.digest

    def _is_as_it_should_be(self, named: StoredObject | None, made: StoredObject, head: Head) -> bool:
        """Whether an object holds these rows under this version and is unchanged since its entry was written.

        `named` is the object in this entry.
        """
        wanted = {"digest": made.digest, "rows": str(made.rows), "version": self._version.digest}
        if any(head.metadata.get(f"tidegate-{name}") != value for name, value in wanted.items()):
            return False
        if named is None:
            return True
        made_again = named.sha256 != head.metadata.get("tidegate-sha256")  # a run that was killed has written it
        return made_again or named.etag == head.etag


def _joined(cuts: Sequence[EnteredCut]) -> list[Span]:
    """The cuts of each partition as one range, because they follow each other."""
    joined = []
    for _, some in groupby(cuts, lambda cut: cut.partition):
        of_partition = list(some)
        joined.append(of_partition[0].span._replace(end=of_partition[-1].span.end))
    return joined
