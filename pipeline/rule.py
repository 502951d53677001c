"""The compiled rules of one action: they make rows from a batch of Kafka records.

FROM is matched first, for all rules together, before anything is decoded. A record that no rule matches costs only the
look-up of its topic. Rules that match the same record share its decoded payload. If a rule fails on a record, the
record becomes a value, a DeadLetter, and the batch goes on. Evaluation is a pure function of the record: "now" is its
arrival, and its place in Kafka seeds random numbers. So a replay gives the same rows.

With a hundred rules, or with FOREACH, the rows can be far larger than the fetched batch. So evaluation can stop at a
limit, and the rest of the batch is evaluated when there is room for its rows.

This file does not know Faust, S3 or time.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson

from pipeline import record as fields
from pipeline.errors import EvaluationError, RecordError, located
from pipeline.record import Record
from pipeline.redriven import REDRIVEN, of_letter, row_of
from pipeline.sql import Context, Event, Program, Row, compile_statement, share_payload
from pipeline.sql.functions.registry import grown
from pipeline.sql.runtime.circuits import Circuits
from pipeline.sql.runtime.event import DEFAULT_CONTEXT
from pipeline.sql.runtime.sandbox import Sandbox
from pipeline.sql.runtime.schemas import SchemaText, build
from pipeline.sql.runtime.values import TimeOverError
from pipeline.topics import TopicIndex

TOPICS_REMEMBERED_MAX: Final = 10_000
# Rows of one record, over all rules, because a record is handled completely or not at all.
ROWS_OF_RECORD_MAX: Final = 200_000
# Memory of a row or a dead letter besides its values.
ROW_BYTES: Final = 256


class RuleProgram(NamedTuple):
    """The compiled statement of a rule."""

    rule_id: str
    program: Program


Programs = tuple[RuleProgram, ...]


@dataclass(slots=True)
class DeadLetter:
    """A record that could not be handled, with the reason. `rule` is empty if no rule is the cause.

    `row` is the number of the row that could not be written, among the rule's rows, or None if the rule made no rows.
    """

    record: Record
    cause: str
    error: str
    rule: str = ""
    row: int | None = None


@dataclass(slots=True)
class RowBatch:
    """The rows of one record batch from one partition, in order of offset. The rule `makers[i]` made `rows[i]` from
    `origins[i]`.

    `redriven` are records that were sent again for a rule of this set.

    `rest` are the later records, which are not evaluated yet. `size_bytes` is a high estimate of the memory of rows and
    dead letters. `suspended` are rules that are not tried for a while from now on. `rules` is the digest of the rule
    set that made the rows. By rule id, `matched` counts the records that the rule matched, and `no_result` counts those
    of them without a row.
    """

    records: Sequence[Record]
    rules: str = ""
    rest: Sequence[Record] = ()
    suspended: list[str] = field(default_factory=list)
    size_bytes: int = 0
    rows: list[Row] = field(default_factory=list)
    origins: list[Record] = field(default_factory=list)
    makers: list[str] = field(default_factory=list)
    redriven: list[Record] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    matched: dict[str, int] = field(default_factory=dict)
    no_result: dict[str, int] = field(default_factory=dict)

    @property
    def next_offset(self) -> int:
        """The offset after the batch's last record."""
        return self.records[-1].offset + 1

    def numbers(self) -> list[int]:
        """The number of each row among its rule's rows of the same record."""
        found: list[int] = []
        before, maker_before, number = None, "", 0
        for record, maker in zip(self.origins, self.makers, strict=True):
            number = number + 1 if record is before and maker == maker_before else row_of(record)
            before, maker_before = record, maker
            found.append(number)
        return found

    def without(self, is_out: Callable[[Record, str, int | None], bool]) -> RowBatch:
        """The same batch without some of its rows and dead letters. The function decides by record, rule and row number."""
        numbers = self.numbers()
        kept = [at for at, made in enumerate(zip(self.origins, self.makers, numbers, strict=True)) if not is_out(*made)]
        return replace(
            self,
            rows=[self.rows[at] for at in kept],
            origins=[self.origins[at] for at in kept],
            makers=[self.makers[at] for at in kept],
            dead=[letter for letter in self.dead if not is_out(letter.record, letter.rule, letter.row)],
        )


class RuleSet:
    """All rules that feed one action. Any change of a statement changes `digest`."""

    def __init__(
        self, rules: Mapping[str, str], *, node: str, schemas: Mapping[str, SchemaText] | None = None, action: str = ""
    ) -> None:
        """Compile `rules`, which are statements by rule id. `node` is the value of that column. `schemas` are for the
        schema functions, by name. `action` is the action that these rules feed: redriven dead letters for another
        action, or for another pipeline, are skipped.

        Raises ConfigError, which names the rule or the schema. Its cause is the SqlError.
        """
        self._action = action
        self.statements = dict(rules)
        self.node = node
        named = sorted((name, tuple(text)) for name, text in (schemas or {}).items())
        self.digest = hashlib.sha256(orjson.dumps([sorted(rules.items()), named])).hexdigest()
        self._context = context = context_with(schemas or {})
        self._index: TopicIndex[RuleProgram] = TopicIndex()
        self.topics: set[str] = set()
        programs = []
        for rule_id, statement in rules.items():
            with located(f"rules.{rule_id}.sql"):
                program = compile_statement(statement, context)
            programs.append(program)
            for topic_filter in program.topics:
                self.topics.add(topic_filter)
                self._index.add(topic_filter, RuleProgram(rule_id, program))
        share_payload(programs)
        self._programs = programs
        self._grows = any(program.calls for program in programs)
        columns = _union(programs)
        self._read = fields.message_reader(columns, node)
        self._metadata = columns is None or "metadata" in columns
        self._answers: dict[bytes, Programs] = {}
        self._known: dict[tuple[str, ...], Programs] = {}  # one object for each set of rules that match a topic

    @property
    def reads_events(self) -> bool:
        """Whether any FROM names a client event."""
        return any(topic.startswith("$events/") for topic in self.topics)

    @property
    def reads_messages(self) -> bool:
        """Whether any FROM names a topic filter of messages."""
        return any(not topic.startswith("$events/") for topic in self.topics)

    @property
    def waits(self) -> bool:
        """Whether any rule waits for another process. Such rules should be evaluated in a thread."""
        return any(program.waits for program in self._programs)

    def interrupt(self) -> None:
        """Make an evaluation in a thread end soon. Its result must not be used."""
        self._context.sandbox.interrupt()

    def evaluate(
        self,
        records: Sequence[Record],
        bytes_max: int = sys.maxsize,
        *,
        circuits: Circuits | None = None,
        ended: Callable[[], bool] | None = None,
    ) -> RowBatch:
        """Make the rows of a record batch, or of its first records, until they take `bytes_max` or `ended` is true.

        `circuits` decide which rules are not tried, and learn which ran out of time. Never raises because of a record.
        """
        circuits = Circuits() if circuits is None else circuits
        batch = RowBatch(records, self.digest)
        alike: Programs = ()  # the programs of the last records, which were all the same
        run = 0  # the number of these records
        size_bytes = 0
        waiting = iter(records)
        for record in waiting:
            headers = record.headers
            try:
                if headers and headers[0][0] == fields.TOPIC:
                    # A message. The programs for its topic are cached by the topic's bytes.
                    found = self._answers.get(headers[0][1])
                    if found is None:
                        found = self._remember(record, headers[0][1])
                    if not found:
                        continue
                    columns = self._read(record)
                elif headers and headers[0][0] == REDRIVEN:
                    size_bytes += self._again(record, batch)
                    if size_bytes >= bytes_max:
                        break
                    continue
                else:
                    found = self._route(record)
                    if not found:
                        continue
                    columns = self._other_columns(record)
            except RecordError as error:
                size_bytes += self._dead(batch, record, error.cause, str(error))
                continue
            except (ValueError, TypeError, AttributeError) as error:  # a null header, a qos that is not a number
                found_error = f"the headers are not those that the ingress writes: {error}"
                size_bytes += self._dead(batch, record, RecordError.cause, found_error)
                continue
            if found is alike:
                run += 1
            else:
                _count(batch.matched, alike, run)
                alike, run = found, 1
            size_bytes += self._run(found, Event(columns, record.timestamp, record), record, batch, circuits)
            if size_bytes >= bytes_max or (ended is not None and ended()):
                break
        _count(batch.matched, alike, run)
        batch.size_bytes = size_bytes
        batch.rest = list(waiting)
        if batch.rest:
            batch.records = records[: len(records) - len(batch.rest)]
        return batch

    def _run(self, found: Programs, event: Event, record: Record, batch: RowBatch, circuits: Circuits) -> int:
        """Evaluate the programs that match a record. Returns the estimated bytes of its rows."""
        size_bytes, made, value_bytes = 0, batch.rows, len(record.value or b"")
        rows_max = len(made) + ROWS_OF_RECORD_MAX
        grown_before = grown.bytes if self._grows else 0
        for rule_id, program in found:
            if self._metadata:
                event.columns["metadata"] = {"rule_id": rule_id}
            if program.waits and circuits and (refusal := circuits.refusal(rule_id, record)):
                size_bytes += self._dead(batch, record, EvaluationError.cause, refusal, rule_id)
                continue
            try:
                rows = program.evaluate(event)
            except RecordError as error:
                if type(error.__cause__) is TimeOverError and circuits.late(rule_id, record):
                    batch.suspended.append(rule_id)
                size_bytes += self._dead(batch, record, error.cause, str(error), rule_id)
                continue
            if not rows:
                batch.no_result[rule_id] = batch.no_result.get(rule_id, 0) + 1
                continue
            count = len(rows)
            if len(made) + count > rows_max:
                too_many = f"the rules make more than {ROWS_OF_RECORD_MAX} rows of this record"
                size_bytes += self._dead(batch, record, EvaluationError.cause, too_many, rule_id)
                continue
            made += rows
            if count == 1:
                batch.origins.append(record)
                batch.makers.append(rule_id)
            else:
                batch.origins += [record] * count
                batch.makers += [rule_id] * count
            of_row, of_record = program.weight
            size_bytes += count * ROW_BYTES + (count * of_row + of_record) * value_bytes
        return size_bytes + grown.bytes - grown_before if self._grows else size_bytes

    @staticmethod
    def _dead(batch: RowBatch, record: Record, cause: str, error: str, rule_id: str = "") -> int:
        """Add a failed record to the batch as a dead letter. Returns its estimated bytes."""
        batch.dead.append(DeadLetter(record, cause, error, rule_id))
        return 2 * ROW_BYTES + len(error) + len(record.value or b"")

    def _other_columns(self, record: Record) -> dict[str, Any]:
        """The fields of a client event, or of a message that another producer wrote."""
        return self._read(record) if fields.is_message(record) else fields.event_columns(record, self.node)

    def _again(self, record: Record, batch: RowBatch) -> int:
        """Evaluate a redriven dead letter: only the row that failed, of the rule that failed."""
        again = of_letter(record)
        failure = again.failure
        if failure.action and (failure.action, failure.pipeline) != (self._action, self.node):
            return 0  # without an action it is from the ingress, and for all actions
        batch.redriven.append(record)
        one = self.evaluate([again.original(record)])
        for letter in one.dead:
            if not letter.rule or failure.rule in ("", letter.rule):
                rule = failure.rule or letter.rule
                batch.dead.append(replace(letter, record=record, rule=rule, row=failure.row))
        number = dict.fromkeys(one.makers, 0)
        for row, rule in zip(one.rows, one.makers, strict=True):
            if failure.rule in ("", rule) and failure.row in (None, number[rule]):
                batch.rows.append(row)
                batch.origins.append(record)
                batch.makers.append(rule)
            number[rule] += 1
        for rule in self.statements if not failure.rule else [failure.rule]:
            for counts, of_one in ((batch.matched, one.matched), (batch.no_result, one.no_result)):
                if rule in of_one:
                    counts[rule] = counts.get(rule, 0) + of_one[rule]
        return one.size_bytes

    def _route(self, record: Record) -> Programs:
        """The programs whose FROM matches a record."""
        return _match_all(self._index.match, fields.routing_topics(record))

    def _remember(self, record: Record, topic: bytes) -> Programs:
        """The same for a message, cached by its topic name."""
        if len(self._answers) >= TOPICS_REMEMBERED_MAX:
            self._answers.clear()
        found = self._route(record)
        found = self._answers[topic] = self._known.setdefault(tuple(each.rule_id for each in found), found)
        return found


def context_with(schemas: Mapping[str, SchemaText], context: Context = DEFAULT_CONTEXT) -> Context:
    """A context with the environment and tables of `context`, and with these schemas. Raises ConfigError."""
    built = {}
    for name, schema in sorted(schemas.items()):
        with located(f"schemas.{name}"):
            built[name] = build(*schema)
    return replace(context, schemas=built, sandbox=Sandbox())


def _count(matched: dict[str, int], programs: Programs, records: int) -> None:
    for rule_id, _ in programs:
        matched[rule_id] = matched.get(rule_id, 0) + records


def _match_all(match: Any, topics: Sequence[str]) -> Programs:
    """The programs for a topic, or for all spellings of an event, each once."""
    found = []
    for topic in topics:
        for each in match(topic):
            if each not in found:
                found.append(each)
    return tuple(found)


def _union(programs: Sequence[Program]) -> frozenset[str] | None:
    """The columns that any of the programs reads, or None for all."""
    wanted: frozenset[str] = frozenset()
    for program in programs:
        if program.columns is None:
            return None
        wanted |= program.columns
    return wanted
