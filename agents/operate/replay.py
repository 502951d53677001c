"""A replay: a range of Kafka's records goes through an action's present rules once more, into another prefix or the same keys.

1. Ranges: which offsets of each partition; under another prefix, less what an earlier run of the same replay has done.
2. Plan: the records are read and evaluated, and what would be written is counted. Nothing is written.
3. Run: some partitions side by side, each with a reader and a lane, the same lane that a worker would use. Under another prefix
   an aggregated action has a ledger of its own, so that the replay is exactly once, goes on where it was killed, and `verify`
   proves it. A direct action's rows replace the objects that they made before, and never one of a later row.

No consumer group is touched, and no dead letter is written: what cannot be handled is counted and told, and is still in Kafka.
The same keys of an aggregated action are agents/operate/replay_in_place.py's.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Final

from agents.lanes.lanes import Lanes
from agents.sinks import writers
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.arrival import arrival
from agents.sinks.attempts import Attempts
from agents.sinks.chain import Chain
from agents.sinks.dead_letter import NO_RUN, Run
from agents.sinks.lane import Fetched, Lane, Partition
from agents.sinks.patient_store import PatientStore
from agents.sinks.pieces import PIECE_BYTES_MAX
from agents.sinks.writers import Outside
from pipeline.action import AggregatedAction, compile_action
from pipeline.config import Config, DirectParameters, KafkaConfig
from pipeline.connectors.kafka import reader
from pipeline.connectors.kafka.reader import Span
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import CommandError, ConfigError, ConflictError, InternalError, RecordError
from pipeline.record import Record
from pipeline.redriven import REDRIVEN, redriven
from pipeline.rule import DeadLetter, RowBatch, RuleSet
from pipeline.upload.buffer import Buffer
from pipeline.upload.source_log import LogBounds

PARTITIONS_AT_ONCE: Final = 4
# A replay cuts for memory and at its end. The clock cuts too, but so rarely that the plan's number of objects holds.
CUT_SECONDS: Final = 86_400.0
# What is safe in a key everywhere, without the ~ that stands for a slash in the name of the ledger.
_PREFIX: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9!_.*'()/=]*")


Progress = Callable[[int], None]  # told the number of records of each batch


@dataclass
class LeftOut:
    """Rows and records that cannot be handled: counted by rule and cause, the first of each kept."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], DeadLetter] = field(default_factory=dict)

    async def send(self, letters: Sequence[DeadLetter], run: Run = NO_RUN) -> None:
        """Take note of them."""
        self.note(letters)

    def note(self, letters: Sequence[DeadLetter]) -> None:
        """Take note of them."""
        for letter in letters:
            self.counts[letter.rule, letter.cause] += 1
            self.first.setdefault((letter.rule, letter.cause), letter)


@dataclass
class Plan:
    """What a replay would do. For direct upload `objects` is the most that it can be: rows may share a key."""

    spans: list[Span]
    records: int = 0
    rows: int = 0
    objects: int = 0
    puts: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


def prefix(text: str) -> str:
    """A prefix for keys, with its slash at the end. Raises CommandError."""
    found = text.strip("/") + "/"
    if not _PREFIX.fullmatch(found) or "//" in found:
        raise CommandError(
            f"expected a prefix such as replays/2026-01, of letters, digits, / and -_.=!*'(), found {text!r}"
        )
    return found


def ledger_name(action: str, into: str) -> str:
    """Whose ledger a replay writes: its own."""
    return f"{action}@{into.strip('/').replace('/', '~')}"


def moved(config: Config, action: str, into: str) -> Config:
    """The same configuration, with the action's keys below a prefix."""
    settings = config.actions.s3[action]
    parameters = settings.parameters.model_copy(update={"key": into + settings.parameters.key})
    actions = {**config.actions.s3, action: settings.model_copy(update={"parameters": parameters})}
    return config.model_copy(update={"actions": config.actions.model_copy(update={"s3": actions})})


class Replay:
    """One replay of one action into another prefix, or of a direct action into the same keys."""

    def __init__(self, config: Config, action: str, into: str, store: S3Store) -> None:
        """Compile the rules as they are now. `into`: see `prefix`; empty for the same keys. Raises ConfigError."""
        self.action = action
        self.into = into
        self._config = config
        self._spans: list[Span] = []
        self.left_out = LeftOut()
        compiled = compile_action(moved(config, action, into), action)
        if not compiled.rules.statements:
            raise ConfigError(f"expected an enabled rule whose actions name s3:{action}, found none")
        if isinstance(compiled, AggregatedAction):
            compiled = replace(compiled, cut_seconds=CUT_SECONDS)
        self.compiled = compiled
        attempts = Attempts(action, cap_seconds=compiled.options.resume_interval)
        self._log = ReplayedLog(config.kafka)
        outside = Outside(PatientStore(store, attempts), self.left_out, self._log)
        writer = writers.writer_of(compiled, outside, ledger=ledger_name(action, into) if into else "", again=True)
        self.writer = writer if isinstance(writer, AggregatedWriter) else None  # none: direct upload, without a ledger
        self._open_lane = writers.lanes_of(writer)

    @property
    def forgets_order(self) -> bool:
        """Whether rows of this replay replace those of later records: the same keys, without a fence."""
        parameters = self.compiled.parameters
        return not self.into and isinstance(parameters, DirectParameters) and parameters.write == "overwrite"

    # --- 1. Ranges

    async def ranges(self, spans: Sequence[Span]) -> list[Span]:
        """What of `spans` is left to do. Raises ConflictError if the prefix holds another replay."""
        self._spans = list(spans)
        if self.writer is None:
            return self._spans
        left = [await self._left(span, self.writer) for span in spans]
        return [span for span in left if span.end > span.first]

    async def _left(self, span: Span, writer: AggregatedWriter) -> Span:
        topic_id = await self._log.topic_id(span.topic)
        chain = Chain(writer, Partition(span.topic, span.partition), topic_id)
        end, start = await chain.end(), await chain.start()
        if end is None or start is None:
            return span
        where = f"the prefix holds a replay of {span.topic}/{span.partition}"
        if end.version != writer.action.digest:
            raise ConflictError(f"{where} under other rules or settings: take another prefix, or remove what is there")
        if start.first > span.first or end.first < span.first:
            raise ConflictError(
                f"{where} of offsets {start.first} to {end.first - 1}, and this one begins at {span.first}: begin "
                f"within it or at its end, or take another prefix"
            )
        return span._replace(first=max(span.first, end.first))

    # --- 2. Plan

    def plan(self, spans: Sequence[Span], progress: Progress) -> Plan:
        """Read the ranges and count. Blocks."""
        plan = Plan(list(spans))
        for span in spans:
            count = Counted(self.writer.action if self.writer else None, self.compiled.options.max_buffer_bytes)
            for records in reader.batches(self._config.kafka, span):
                plan.records += len(records)
                for batch in pieces(self.compiled.rules, records, self._spans):
                    plan.left_out.note(count.add(batch))
                progress(len(records))
            count.cut()
            plan.rows += count.rows
            plan.objects += count.objects
            # A ledger has a beginning, an entry a cut, and one that says that it ended in order.
            plan.puts += count.objects + (count.cuts + 2 if count.cuts else 0)
        if self.writer is not None and plan.records:
            plan.puts += 1  # the version's text
        return plan

    # --- 3. Run

    async def run(self, spans: Sequence[Span], progress: Progress) -> None:
        """Write everything; returns when it is durable. Killed or cancelled, the same call goes on where it was."""
        self.left_out.counts.clear()
        self.left_out.first.clear()
        lanes = Lanes(self.action, self._open_lane, self.compiled.options.max_buffer_bytes)
        gate = asyncio.Semaphore(PARTITIONS_AT_ONCE)

        async def one(span: Span) -> None:
            async with gate:
                await self._feed(span, lanes, progress)

        async def watch() -> None:
            await lanes.failed

        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(watch())
                feeding = [group.create_task(one(span)) for span in spans]
                await asyncio.wait(feeding)
                watching.cancel()
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        finally:
            await lanes.close()

    async def _feed(self, span: Span, lanes: Lanes, progress: Progress) -> None:
        """One partition, from its reader to its lane."""
        partition = Partition(span.topic, span.partition)
        self._log.spans[partition] = span
        lanes.assign([partition])
        lane = lanes.lane(partition)
        assert lane is not None
        reading = reader.batches(self._config.kafka, span)
        at = span.first
        try:
            while records := await step(reading):
                for batch in pieces(self.compiled.rules, records, self._spans):
                    await _room(lanes, partition)
                    lanes.sought({partition: at})
                    size_bytes = sum([len(record.value or b"") for record in batch.records])
                    fetched = Fetched(at, batch.next_offset, size_bytes)
                    if not lanes.reserve(partition, fetched):
                        raise InternalError(f"a replay reads {span} at {at}, and its lane at {lane.reads_from}")
                    lanes.offer(partition, batch, span.end)
                    at = fetched.next
                progress(len(records))
            lane.drain()
            await _drained(lane, lanes, span)
        finally:
            with suppress(ValueError):  # its last step may be under way
                reading.close()
        lanes.revoke([partition])


class ReplayedLog:
    """Kafka, as the lanes of a replay see it: of each partition the range that is replayed."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self.spans: dict[Partition, Span] = {}
        self._ids = TopicIds(kafka, "tidegate-replay")
        self._known: dict[str, str] = {}
        self._one_asks = asyncio.Lock()

    async def bounds(self, partition: Partition) -> LogBounds:
        """The range, as if the log were no longer."""
        span = self.spans[partition]
        return LogBounds(await self.topic_id(partition.topic), span.first, span.end)

    async def topic_id(self, topic: str) -> str:
        """The topic's id, asked for once. Raises ConnectorError or NotFoundError."""
        async with self._one_asks:
            if topic not in self._known:
                self._known[topic] = await asyncio.to_thread(self._ids.of_one, topic)
        return self._known[topic]


class Counted:
    """What a lane would write of one partition, counted as its buffer would group it. None: direct upload."""

    def __init__(self, version: AggregatedAction | None, bytes_max: int) -> None:
        self.rows = self.objects = self.cuts = 0
        self._version = version
        self._bytes_max = bytes_max
        self._buffer = Buffer(version.limits) if version else None
        self._records = 0

    def add(self, batch: RowBatch) -> list[DeadLetter]:
        """One batch; its records that cannot be handled."""
        self._records += len(batch.records)
        if self._version is None or self._buffer is None:
            self.rows += len(batch.rows)
            self.objects += len(batch.rows)
            return batch.dead
        arrived = arrival(batch, batch.records[0].offset, self._version)
        for name, (lines, offsets) in arrived.groups.items():
            self.rows += len(lines)
            group = self._buffer.extend(name, lines, offsets)
            while group is not None and group.rolled:
                self.objects += 1
                self._buffer.stored(group, group.chunks[0].rows)
        if self._buffer.size_bytes >= self._bytes_max:
            self.cut()
        return arrived.dead

    def cut(self) -> None:
        """All open chunks become objects."""
        if self._version is None or not self._records:
            return
        assert self._buffer is not None
        self.objects += len(self._buffer.open_groups())
        self.cuts += 1
        self._buffer, self._records = Buffer(self._version.limits), 0


def pieces(rules: RuleSet, records: list[Record], spans: Sequence[Span]) -> Iterator[RowBatch]:
    """The rows of a batch, so many at a time. A dead letter that was sent again counts for nothing where its original is read."""
    wanted: Sequence[Record] = [record for record in records if not is_repetition(record, spans)]
    while records:
        batch = rules.evaluate(wanted, PIECE_BYTES_MAX)
        wanted = batch.rest
        end = bisect_left(records, wanted[0].offset, key=attrgetter("offset")) if wanted else len(records)
        batch.records, batch.rest = records[:end], ()
        records = records[end:]
        yield batch


def is_repetition(record: Record, spans: Sequence[Span]) -> bool:
    """Whether a record is a dead letter that was sent again, and the record that it was made of is in the ranges."""
    if not record.headers or record.headers[0][0] != REDRIVEN:
        return False
    try:
        again = redriven(record)
    except RecordError:
        return False  # the rules make a dead letter of it
    assert again is not None
    return any(
        (span.topic, span.partition) == (place.topic, place.partition) and span.first <= place.offset < span.end
        for place in (again.failure.place, again.first)
        for span in spans
    )


async def step(reading: Generator[list[Record]]) -> list[Record] | None:
    """The next batch, read in a thread, which is waited for whatever happens: two may not run one generator."""
    step = asyncio.ensure_future(asyncio.to_thread(next, reading, None))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait({step})
        raise


async def _room(lanes: Lanes, partition: Partition) -> None:
    """Until another batch of a partition may be fetched."""
    while not lanes.has_room(partition):
        lanes.room.clear()
        if not lanes.has_room(partition):
            await lanes.room.wait()


async def _drained(lane: Lane, lanes: Lanes, span: Span) -> None:
    """Until everything is durable. Raises ConflictError if an object wants rows beyond the range."""
    while not lane.drained.is_set():
        if lane.must_read and lane.idle:
            raise ConflictError(
                f"an earlier replay into this prefix read {span.topic}/{span.partition} beyond offset {span.end - 1} and was "
                "killed: repeat that one, or take another prefix"
            )
        waiting = {asyncio.ensure_future(lane.drained.wait()), asyncio.ensure_future(lanes.room.wait())}
        lanes.room.clear()
        _, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
