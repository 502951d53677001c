"""A replay: handles a range of Kafka's records again with an action's present rules, into another prefix or the same
keys.

1. Ranges: find the offsets of each partition. Under another prefix, skip the offsets that an earlier run has done.
2. Plan: read and evaluate the records, and count what would be written. Write nothing.
3. Run: handle some partitions side by side, each with a reader and the lane of a worker. Under another prefix, an aggregated
   action has its own ledger. So the replay is exactly once, continues after a kill, and `verify` proves it. A direct action's
   rows replace the objects that they made before, and never an object of a later row.

A replay touches no consumer group and writes no dead letters: it counts and reports records that fail, and they are still in
Kafka. agents/operate/replay_in_place.py handles the same keys of an aggregated action.
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

from agents.lanes.lane import Fetched, Lane, Partition
from agents.lanes.lanes import Lanes
from agents.lanes.pieces import PIECE_BYTES_MAX
from agents.sinks import writers
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.chain import Chain
from agents.sinks.dead_letter import NO_RUN, Run
from agents.sinks.patient_store import PatientStore
from agents.sinks.writers import Outside
from pipeline.action import AggregatedAction, CompiledAction, compile_action
from pipeline.columns import size_of
from pipeline.config import Config, DirectParameters, KafkaConfig
from pipeline.connectors.kafka import reader
from pipeline.connectors.kafka.reader import Span
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import CommandError, ConfigError, ConflictError, InternalError, RecordError
from pipeline.record import Record
from pipeline.redriven import redriven
from pipeline.rule.batch import DeadLetter, RowBatch
from pipeline.upload.buffer import Buffer
from pipeline.upload.source_log import LogBounds

PARTITIONS_AT_ONCE: Final = 4
# A replay cuts when memory is short and at its end. It also cuts by time, but so rarely that the plan's number of
# objects holds.
CUT_SECONDS: Final = 86_400.0
# Characters that are safe in every key, without ~, which stands for a slash in the name of the ledger.
_PREFIX: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9!_.*'()/=]*")


Progress = Callable[[int], None]  # called with the number of records in each batch


@dataclass
class LeftOut:
    """Counts rows and records that cannot be handled, by rule and cause, and keeps the first of each."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    first: dict[tuple[str, str], DeadLetter] = field(default_factory=dict)

    async def send(self, letters: Sequence[DeadLetter], run: Run = NO_RUN) -> None:
        """Count the letters."""
        self.note(letters)

    def note(self, letters: Sequence[DeadLetter]) -> None:
        """Count the letters."""
        for letter in letters:
            self.counts[letter.rule, letter.cause] += 1
            self.first.setdefault((letter.rule, letter.cause), letter)


@dataclass
class Plan:
    """The plan of a replay. For direct upload, `objects` is the largest possible number, because rows may share a key."""

    spans: list[Span]
    records: int = 0
    bytes: int = 0  # of these records
    rows: int = 0
    objects: int = 0
    puts: int = 0
    left_out: LeftOut = field(default_factory=LeftOut)


def prefix(text: str) -> str:
    """A prefix for keys, with a slash at its end. Raises CommandError."""
    found = text.strip("/") + "/"
    if not _PREFIX.fullmatch(found) or "//" in found:
        raise CommandError(
            f"expected a prefix such as replays/2026-01, of letters, digits, / and -_.=!*'(), found {text!r}"
        )
    return found


def ledger_name(action: str, into: str) -> str:
    """The name of a replay's own ledger."""
    return f"{action}@{into.strip('/').replace('/', '~')}"


def moved(config: Config, action: str, into: str) -> Config:
    """The same configuration with the action's keys below a prefix."""
    settings = config.actions.s3[action]
    parameters = settings.parameters.model_copy(update={"key": into + settings.parameters.key})
    actions = {**config.actions.s3, action: settings.model_copy(update={"parameters": parameters})}
    return config.model_copy(update={"actions": config.actions.model_copy(update={"s3": actions})})


class Replay:
    """One replay of one action into another prefix, or of a direct action into the same keys."""

    def __init__(self, config: Config, action: str, into: str, store: S3Store) -> None:
        """Compile the present rules. `into`: see `prefix`; empty for the same keys. Raises ConfigError."""
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
        # None: direct upload, which has no ledger.
        self.writer = writer if isinstance(writer, AggregatedWriter) else None
        self._open_lane = writers.lanes_of(writer)

    @property
    def forgets_order(self) -> bool:
        """Whether rows of this replay replace those of later records: if it writes the same keys without a fence."""
        parameters = self.compiled.parameters
        return not self.into and isinstance(parameters, DirectParameters) and parameters.write == "overwrite"

    # --- 1. Ranges

    async def ranges(self, spans: Sequence[Span]) -> list[Span]:
        """The parts of `spans` that are left to do. Raises ConflictError if the prefix holds another replay."""
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
            raise ConflictError(f"{where} under other rules or settings: use another prefix, or remove its objects")
        if start.first > span.first or end.first < span.first:
            raise ConflictError(
                f"{where} of offsets {start.first} to {end.first - 1}, and this one begins at {span.first}: "
                "begin within it or at its end, or use another prefix"
            )
        return span._replace(first=max(span.first, end.first))

    # --- 2. Plan

    def plan(self, spans: Sequence[Span], progress: Progress) -> Plan:
        """Read the ranges, and count. Blocks."""
        plan = Plan(list(spans))
        for span in spans:
            count = Counted(self.writer.action if self.writer else None, self.compiled.options.max_buffer_bytes)
            for records in reader.batches(self._config.kafka, span):
                plan.records += len(records)
                plan.bytes += size_of(records)
                for batch in pieces(self.compiled, records, self._spans):
                    plan.left_out.note(count.add(batch))
                progress(len(records))
            count.cut()
            plan.rows += count.rows
            plan.objects += count.objects
            # A ledger has a start, an entry for each cut, and an entry for its orderly end.
            plan.puts += count.objects + (count.cuts + 2 if count.cuts else 0)
        if self.writer is not None and plan.records:
            plan.puts += 1  # the version's text
        return plan

    # --- 3. Run

    async def run(self, spans: Sequence[Span], progress: Progress) -> None:
        """Write everything, and return when it is durable. After a kill or a cancellation, the same call continues."""
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
        """Feed one partition from its reader to its lane."""
        partition = Partition(span.topic, span.partition)
        self._log.spans[partition] = span
        lanes.assign([partition])
        lane = lanes.lane(partition)
        assert lane is not None
        reading = reader.batches(self._config.kafka, span)
        at = span.first
        try:
            while records := await step(reading):
                for batch in pieces(self.compiled, records, self._spans):
                    await _room(lanes, partition)
                    lanes.sought({partition: at})
                    size_bytes = size_of(batch.records)
                    fetched = Fetched(at, batch.next_offset, size_bytes)
                    if not lanes.reserve(partition, fetched):
                        raise InternalError(f"a replay reads {span} at {at}, and its lane at {lane.reads_from}")
                    lanes.offer(partition, batch, span.end)
                    at = fetched.next
                progress(len(records))
            lane.drain()
            await _drained(lane, lanes, span)
        finally:
            with suppress(ValueError):  # its last step may still run
                reading.close()
        lanes.revoke([partition])


class ReplayedLog:
    """Kafka's log for the lanes of a replay: the replayed range of each partition."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self.spans: dict[Partition, Span] = {}
        self._ids = TopicIds(kafka, "replay")
        self._known: dict[str, str] = {}
        self._one_asks = asyncio.Lock()

    async def bounds(self, partition: Partition, read_to: int = 0) -> LogBounds:
        """The range, as if it were the whole log."""
        span = self.spans[partition]
        return LogBounds(await self.topic_id(partition.topic), span.first, span.end)

    async def topic_id(self, topic: str) -> str:
        """The topic's id, requested once. Raises ConnectorError or NotFoundError."""
        async with self._one_asks:
            if topic not in self._known:
                self._known[topic] = await asyncio.to_thread(self._ids.of_one, topic)
        return self._known[topic]

    def owns(self) -> bool:
        """Never: a worker may write later rows meanwhile."""
        return False


class Counted:
    """Counts what a lane would write for one partition, in the groups of its buffer. None: direct upload."""

    def __init__(self, version: AggregatedAction | None, bytes_max: int) -> None:
        self.rows = self.objects = self.cuts = 0
        self._version = version
        self._bytes_max = bytes_max
        self._buffer = Buffer(version.limits) if version else None
        self._records = 0

    def add(self, batch: RowBatch) -> list[DeadLetter]:
        """Count one batch. Returns its records that cannot be handled."""
        self._records += len(batch.records)
        if self._version is None or self._buffer is None:
            self.rows += len(batch.rows)
            self.objects += len(batch.rows)
            return batch.dead
        arrived = self._version.lines.arrived(batch, batch.records[0].offset)
        for name, lines in arrived.groups.items():
            self.rows += lines.rows
            group = self._buffer.extend(name, lines)
            while group is not None and group.rolled:
                self.objects += 1
                self._buffer.stored(group, group.chunks[0].rows)
        if self._buffer.size_bytes >= self._bytes_max:
            self.cut()
        return arrived.dead

    def cut(self) -> None:
        """Count all open chunks as objects."""
        if self._version is None or not self._records:
            return
        assert self._buffer is not None
        self.objects += len(self._buffer.open_groups())
        self.cuts += 1
        self._buffer, self._records = Buffer(self._version.limits), 0


def pieces(action: CompiledAction, records: list[Record], spans: Sequence[Span]) -> Iterator[RowBatch]:
    """The rows of a batch, some at a time. Skips a redriven dead letter if the replay also reads its original record."""
    wanted: Sequence[Record] = [record for record in records if not is_repetition(record, spans)]
    while records:
        batch = action.rules.evaluate(wanted, PIECE_BYTES_MAX)
        batch.rules = action.evaluator.digest  # or a lane would make rows again, also of what is skipped here
        wanted = batch.rest
        end = bisect_left(records, wanted[0].offset, key=attrgetter("offset")) if wanted else len(records)
        batch.records, batch.rest = records[:end], ()
        records = records[end:]
        yield batch


def is_repetition(record: Record, spans: Sequence[Span]) -> bool:
    """Whether a record is a redriven dead letter whose original record is in the ranges."""
    try:
        again = redriven(record)
    except RecordError:
        return False  # the rules make a dead letter of it
    return again is not None and any(
        (span.topic, span.partition) == (place.topic, place.partition) and span.first <= place.offset < span.end
        for place in (again.failure.place, again.first)
        for span in spans
    )


async def step(reading: Generator[list[Record]]) -> list[Record] | None:
    """The next batch, read in a thread. Always waits for the thread, because two threads must not run one generator."""
    step = asyncio.ensure_future(asyncio.to_thread(next, reading, None))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        await asyncio.wait({step})
        raise


async def _room(lanes: Lanes, partition: Partition) -> None:
    """Wait until another batch of a partition may be fetched."""
    while not lanes.has_room(partition):
        lanes.room.clear()
        if not lanes.has_room(partition):
            await lanes.room.wait()


async def _drained(lane: Lane, lanes: Lanes, span: Span) -> None:
    """Wait until everything is durable. Raises ConflictError if an object needs rows beyond the range."""
    while not lane.drained.is_set():
        if lane.must_read and lane.idle:
            raise ConflictError(
                f"an earlier replay into this prefix read {span.topic}/{span.partition} beyond offset {span.end - 1} and was "
                "killed: repeat that replay, or use another prefix"
            )
        waiting = {asyncio.ensure_future(lane.drained.wait()), asyncio.ensure_future(lanes.room.wait())}
        lanes.room.clear()
        _, late = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in late:
            task.cancel()
