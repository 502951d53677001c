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
from dataclasses import replace
from typing import Any, Final, NamedTuple

import orjson

from pipeline import record as fields
from pipeline.errors import EvaluationError, RecordError, located
from pipeline.memo import Memo
from pipeline.record import PROPERTIES, QOS, TOPIC, Record, names_events
from pipeline.redriven import is_redriven, of_letter
from pipeline.rule.batch import DeadLetter, RowBatch
from pipeline.sql import Context, Event, Program, Row, compile_statement, share_payload
from pipeline.sql.functions.registry import grown
from pipeline.sql.runtime.circuits import Circuits
from pipeline.sql.runtime.event import DEFAULT_CONTEXT
from pipeline.sql.runtime.looping import written_size
from pipeline.sql.runtime.sandbox import Sandbox
from pipeline.sql.runtime.schemas import SchemaText, build
from pipeline.sql.runtime.values import TimeOverError
from pipeline.topics import TopicIndex

TOPICS_REMEMBERED_MAX: Final = 10_000
TOPICS_BYTES_MAX: Final = 16 << 20
SETS_REMEMBERED_MAX: Final = 1_000
# Rows of one record, over all rules, because a record is handled completely or not at all.
ROWS_OF_RECORD_MAX: Final = 200_000
# The same for what they take when they are written.
BYTES_OF_RECORD_MAX: Final = 128 << 20
# Memory of a row or a dead letter besides its values.
ROW_BYTES: Final = 256
# How much more memory properties take when they are decoded.
PROPERTIES_DECODED: Final = 4
# Payloads from this length on are looked at: `[],[],…` takes twenty times its length when it is decoded.
DECODED_BYTES_MIN: Final = 256
LIST_BYTES: Final = 64
MAP_BYTES: Final = 200
ITEM_BYTES: Final = 40
# Headers whose values are read as something, and what an error shows of one.
HEADERS_READ: Final = frozenset({TOPIC, QOS, PROPERTIES})
HEADER_SHOWN_MAX: Final = 100


class RuleProgram(NamedTuple):
    """The compiled statement of a rule. `evaluate` is its program's. `weight`: how often its only row may hold the payload."""

    rule_id: str
    program: Program
    evaluate: Callable[[Event], list[Row] | None]
    weight: int


Programs = tuple[RuleProgram, ...]


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
                self._index.add(topic_filter, RuleProgram(rule_id, program, program.evaluate, sum(program.weight)))
        share_payload(programs)
        self.programs = programs
        self._grows = any(program.grows for program in programs)
        self.columns = columns = _union(programs)
        self.columns_of = fields.message_reader(columns, node)
        self._metadata = columns is None or "metadata" in columns
        self._properties = columns is None or "pub_props" in columns
        self._plain = not (self._grows or self.waits or self._metadata or self._properties)
        self.programs_of = _ProgramsOf(self._index)

    @property
    def reads_events(self) -> bool:
        """Whether any FROM names a client event."""
        return any(map(names_events, self.topics))

    @property
    def reads_messages(self) -> bool:
        """Whether any FROM names a topic filter of messages."""
        return not all(map(names_events, self.topics))

    @property
    def waits(self) -> bool:
        """Whether any rule waits for another process. Such rules should be evaluated in a thread."""
        return any(program.waits for program in self.programs)

    @property
    def uneven(self) -> bool:
        """Whether short records may take long under any rule."""
        return any(program.uneven for program in self.programs)

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
        rows, origins, makers = batch.rows, batch.origins, batch.makers
        programs, read = self.programs_of, self.columns_of
        alike: Programs = ()  # the programs of the last records, which were all the same
        run = 0  # the number of these records
        only: RuleProgram | None = None  # their only program, if it is plain: most records have one
        for done, record in enumerate(records, 1):
            headers = record.headers
            try:
                if headers and headers[0][0] == TOPIC:
                    found = programs[headers[0][1]]
                    if not found:
                        continue
                    columns = read(record)
                else:
                    found, columns = self._other(record, batch)
            except (RecordError, ValueError, TypeError, AttributeError) as error:
                found, columns = (), {}
                _unreadable(batch, record, error)
            if found is not alike:
                _count(batch.matched, alike, run)
                alike, run = found, 0
                only = found[0] if self._plain and len(found) == 1 else None
            run += 1
            if only is None:
                self._evaluate_all(found, Event(columns, record.timestamp, record), record, batch, circuits)
            else:
                try:
                    made = only.evaluate(Event(columns, record.timestamp, record))
                except RecordError as error:
                    _dead(batch, record, error.cause, str(error), only.rule_id)
                else:
                    if made and len(made) == 1:
                        rows.append(made[0])
                        origins.append(record)
                        makers.append(only.rule_id)
                        batch.size_bytes += ROW_BYTES + only.weight * len(record.value or b"")
                    else:
                        _keep(batch, record, made, only, 0, batch.size_bytes)
                        origins += [record] * (len(rows) - len(origins))
            if origins and origins[-1] is record:
                batch.size_bytes += _decoded_bytes(record.value)
            if batch.size_bytes >= bytes_max or (ended is not None and ended()):
                batch.records, batch.rest = records[:done], records[done:]
                break
        _count(batch.matched, alike, run)
        return batch

    def _other(self, record: Record, batch: RowBatch) -> tuple[Programs, dict[str, Any]]:
        """The programs for an event or a foreign record, and its fields. Evaluates a redriven dead letter itself."""
        if is_redriven(record.headers):
            self._again(record, batch)
            return (), {}
        found = _match_all(self._index.match, fields.routing_topics(record))
        if not found:
            return (), {}
        return found, self.columns_of(record) if fields.is_message(record) else fields.event_columns(record, self.node)

    def _evaluate_all(self, found: Programs, event: Event, record: Record, batch: RowBatch, circuits: Circuits) -> None:
        """Evaluate the programs that match a record."""
        made, makers, before, with_metadata = batch.rows, batch.makers, len(batch.rows), self._metadata
        single = weights = 0
        size_before = batch.size_bytes
        grown_before = grown.bytes if self._grows else 0
        for each in found:
            rule_id, program, evaluate, weight = each
            if with_metadata:
                event.columns["metadata"] = {"rule_id": rule_id}
            if program.waits and circuits and (refusal := circuits.refusal(rule_id, record)):
                _dead(batch, record, EvaluationError.cause, refusal, rule_id)
                continue
            try:
                rows = evaluate(event)
            except RecordError as error:
                if type(error.__cause__) is TimeOverError and circuits.late(rule_id, record):
                    batch.suspended.append(rule_id)
                _dead(batch, record, error.cause, str(error), rule_id)
                continue
            if rows and len(rows) == 1:
                made.append(rows[0])
                makers.append(rule_id)
                single += 1
                weights += weight
            else:
                _keep(batch, record, rows, each, len(made) - before, size_before)
        batch.origins += [record] * (len(made) - before)
        batch.size_bytes += single * ROW_BYTES + weights * len(record.value or b"")
        if self._properties and len(made) > before:  # all rows share them
            batch.size_bytes += PROPERTIES_DECODED * sum([len(value or b"") for _, value in record.headers])
        if self._grows:
            batch.size_bytes += grown.bytes - grown_before

    def _again(self, record: Record, batch: RowBatch) -> None:
        """Evaluate a redriven dead letter: only the row that failed, of the rule that failed."""
        again = of_letter(record)
        failure = again.failure
        if failure.action and (failure.action, failure.pipeline) != (self._action, self.node):
            return  # without an action it is from the ingress, and for all actions
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
        batch.size_bytes += one.size_bytes


class _ProgramsOf(Memo[bytes, Programs]):
    """The programs for messages of a topic name, cached by the topic's bytes."""

    def __init__(self, index: TopicIndex[RuleProgram]) -> None:
        super().__init__(TOPICS_REMEMBERED_MAX, TOPICS_BYTES_MAX)
        self._index = index
        self._known: dict[tuple[str, ...], Programs] = {}  # one object for each set of rules that match a topic

    def __missing__(self, topic: bytes) -> Programs:
        found = _match_all(self._index.match, (topic.decode("utf-8", "surrogateescape"),))
        if len(self._known) >= SETS_REMEMBERED_MAX:
            self._known.clear()
        found = self._known.setdefault(tuple(each.rule_id for each in found), found)
        return self.remember(topic, found, len(topic))


def context_with(schemas: Mapping[str, SchemaText], context: Context = DEFAULT_CONTEXT) -> Context:
    """A context with the environment and tables of `context`, and with these schemas. Raises ConfigError."""
    built = {}
    for name, schema in sorted(schemas.items()):
        with located(f"schemas.{name}"):
            built[name] = build(*schema)
    return replace(context, schemas=built, sandbox=Sandbox())


def _keep(
    batch: RowBatch, record: Record, rows: list[Row] | None, maker: RuleProgram, before: int, size_before: int
) -> None:
    """Add a rule's rows, after `before` rows of others, to a batch that had `size_before` bytes. Origins: the caller."""
    rule_id, program, _, _ = maker
    if not rows:
        batch.no_result[rule_id] = batch.no_result.get(rule_id, 0) + 1
        return
    count = len(rows)
    if before + count > ROWS_OF_RECORD_MAX:
        too_many = f"the rules make more than {ROWS_OF_RECORD_MAX} rows of this record"
        return _dead(batch, record, EvaluationError.cause, too_many, rule_id)
    of_row, of_record = program.weight
    size_bytes = count * ROW_BYTES + (count * of_row + of_record) * len(record.value or b"")
    room = BYTES_OF_RECORD_MAX - (batch.size_bytes - size_before)
    if size_bytes > room and count > 1:  # the estimate is high, because it counts whole payloads
        size_bytes = count * ROW_BYTES + written_size(rows, room)
        if size_bytes > room:
            too_long = f"the rules make rows of more than {BYTES_OF_RECORD_MAX} bytes of this record"
            return _dead(batch, record, EvaluationError.cause, too_long, rule_id)
    batch.rows += rows
    batch.makers += [rule_id] * count
    batch.size_bytes += size_bytes


def _decoded_bytes(payload: bytes | None) -> int:
    """Roughly what the lists and maps of a JSON payload take in memory, beyond its own length."""
    if payload is None or len(payload) < DECODED_BYTES_MIN:
        return 0
    return LIST_BYTES * payload.count(b"[") + MAP_BYTES * payload.count(b"{") + ITEM_BYTES * payload.count(b",")


def _dead(batch: RowBatch, record: Record, cause: str, error: str, rule_id: str = "") -> None:
    """Add a failed record to the batch as a dead letter."""
    batch.dead.append(DeadLetter(record, cause, error, rule_id))
    batch.size_bytes += 2 * ROW_BYTES + len(error) + len(record.value or b"")


def _unreadable(batch: RowBatch, record: Record, error: Exception) -> None:
    """Add a record as a dead letter without a rule: a null header, a qos that is not a number."""
    if isinstance(error, RecordError):
        return _dead(batch, record, error.cause, str(error))
    found = ", ".join(f"{name}: {_short(value)}" for name, value in record.headers if name in HEADERS_READ)
    expected = f"`{TOPIC}` as text, `{QOS}` as a number, `{PROPERTIES}` as a JSON object"
    _dead(
        batch,
        record,
        RecordError.cause,
        f"the headers are not those that the ingress writes: expected {expected}, found {found}",
    )


def _short(value: bytes | None) -> str:
    """The value of a header. Another producer may write one without a value."""
    if value is None:
        return "null"
    return repr(value if len(value) <= HEADER_SHOWN_MAX else value[:HEADER_SHOWN_MAX] + b"...")[1:]


def _count(matched: dict[str, int], programs: Programs, records: int) -> None:
    for rule_id, *_ in programs:
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
    wanted = [program.columns for program in programs]
    return None if None in wanted else frozenset[str]().union(*filter(None, wanted))
