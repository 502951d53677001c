"""Loops and the evaluation of single records give the same: lines, outcomes, dead letters and counts."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.action import AggregatedAction
from pipeline.columns import Columns
from pipeline.errors import ConfigError
from pipeline.record import MESSAGE_COLUMNS, Record
from pipeline.rule.batch import RowBatch
from pipeline.rule.line_batch import LineBatch
from pipeline.rule.rule_set import RuleSet
from pipeline.rule_trial import read_cases
from pipeline.sql.compilation.loops import COLUMNS
from tests.parts.actions import aggregated
from tests.parts.evaluations import HEADERS, KEYS, PAYLOADS, batches, found, record
from tests.parts.lines import rows_in
from tests.parts.memory import traced
from tests.parts.record_batches import are_plain

CASES = Path(__file__).parents[1] / "conformance"
SELECT = {"r": 'SELECT payload.n AS n, clientid FROM "t/#" WHERE payload.n > 1'}
BATCH_RECORDS = 12


def same_both_ways(action: AggregatedAction, records: Sequence[Record], bytes_max: int = 1 << 20) -> list[RowBatch]:
    """Check that lines are the same with loops and without. Returns the batches that loops have made."""
    columns = Columns.of(records)
    with_loops = list(batches(action.lines, columns, bytes_max))

    expected = found(action, list(batches(action.rules, records, bytes_max)))
    assert found(action, with_loops) == expected
    if are_plain(record.value for record in records):
        columns.plain = True
        assert found(action, list(batches(action.lines, columns, bytes_max))) == expected
    return with_loops


def statements() -> list[str]:
    """All statements of the conformance cases that compile."""
    said = {case["sql"]: None for path in sorted(CASES.glob("*.jsonl")) for case in read_cases(path) if "sql" in case}
    return list(said)


def records_of(case: Mapping[str, Any], offset: int) -> Record:
    """The record of a case's message, with what it says of it."""
    context = {"topic": "t/1", "payload": "{}", **case.get("context", {})}
    payload = context["payload"]
    value = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
    headers = [("topic", str(context["topic"]).encode()), ("clientid_from", b"topic")]
    headers += [
        (name, str(context[name]).encode()) for name in ("qos", "username", "peerhost", "id") if name in context
    ]
    return Record(
        "mqtt.messages", 3, offset, 1_700_000_000_000, str(context.get("clientid", "c")).encode(), value, headers
    )


MESSAGES = [
    records_of(case, 0)
    for path in sorted(CASES.glob("*.jsonl"))
    for case in read_cases(path)
    if "sql" in case and isinstance(case.get("context", {}), dict)
]


@pytest.mark.parametrize("part", range(8))
def test_loops_give_what_single_evaluations_give(part: int) -> None:
    """Each statement of the conformance cases, on the messages of the cases around it."""
    looped = 0
    for number, statement in list(enumerate(statements()))[part::8]:
        try:
            action = aggregated("a", {"r": statement})
        except (ConfigError, ValueError):  # a statement that is refused
            continue
        if not action.rules.programs[0].repeatable:  # its tables remember the first evaluation
            continue
        some = [MESSAGES[(number + step * 37) % len(MESSAGES)] for step in range(BATCH_RECORDS)]
        records = [each._replace(offset=offset) for offset, each in enumerate(some)]
        looped += any(isinstance(batch, LineBatch) for batch in same_both_ways(action, records))

    assert looped > 20


RECORDS = st.lists(
    st.builds(
        lambda key, value, headers: Record("mqtt.messages", 3, 0, 0, key, value, headers), KEYS, PAYLOADS, HEADERS
    ),
    max_size=20,
)
RULES = {
    "narrow": 'SELECT payload.n AS n, clientid, qos, topic, id, username, flags, timestamp FROM "t/+" WHERE payload.n > 1',
    "all": 'SELECT *, payload.n + 1 AS more FROM "t/1"',
    "none": 'SELECT payload.n AS n FROM "t/2/#", "$events/client/connected" WHERE payload.n = \'x\'',
    "each": 'FOREACH [payload.n, 1] AS item FROM "t/2/x"',
    "chance": 'SELECT random() AS r, clientid() AS c FROM "t/+" WHERE is_not_null(payload.n)',
}
KEYS_OF_OBJECTS = ["rows/${partition}.jsonl", "${clientid}/${datetime.YYYY}/${n}.jsonl"]
CONTAINERS: list[dict[str, Any]] = [{"type": "json_lines"}, {"type": "csv"}, {"type": "raw_lines", "field": "n"}]


@settings(max_examples=150, deadline=None)
@given(
    RECORDS,
    st.sets(st.sampled_from(sorted(RULES)), min_size=1),
    st.sampled_from(KEYS_OF_OBJECTS),
    st.sampled_from(CONTAINERS),
    st.sampled_from([1, 300, 2000, 1 << 20]),
    st.data(),
)
def test_any_records_give_the_same_both_ways(
    records: list[Record], chosen: set[str], key: str, container: dict[str, Any], bytes_max: int, data: st.DataObject
) -> None:
    """Whatever stands in Kafka, whichever rules match it, wherever a piece ends: same lines, letters, outcomes, counts."""
    rules = {name: RULES[name] for name in sorted(chosen)}
    action = aggregated("a", rules, key=key, container=container, aggregation={"time_interval": "1s"})
    offset, log = 0, []
    for each in records:
        offset += data.draw(st.integers(1, 2))
        log.append(each._replace(offset=offset, timestamp=1_700_000_000_000 + offset * 300))

    same_both_ways(action, log, bytes_max)


def test_a_batch_of_lines_ends_before_a_redriven_record() -> None:
    """Its lane asks the ledger for that record, which therefore stays rows; the lines go on behind it."""
    action = aggregated("a", SELECT)
    again = orjson.dumps([["n", "a", "r", None, ["mqtt.messages", 3, 1, ""], ""], ["mqtt.messages", 3, 1, ""]])
    log = [record(offset, b'{"n": %d}' % offset) for offset in range(9)]
    log[4] = log[4]._replace(headers=[("redriven", again), *log[4].headers])

    made = same_both_ways(action, log)

    assert [(type(batch), len(batch.records)) for batch in made] == [(LineBatch, 4), (RowBatch, 5)]


def test_lines_stop_at_the_limit_and_go_on_later() -> None:
    """A piece takes little more than its limit, and what is left are records that are not evaluated."""
    action = aggregated("a", {"r": 'SELECT payload AS a, payload AS b FROM "t/#"'})
    log = [record(offset, b"x" * 1000) for offset in range(100)]

    made = same_both_ways(action, log, bytes_max=10_000)

    assert [len(batch.records) for batch in made] == [5] * 20
    assert all(10_000 <= batch.size_bytes <= 13_000 for batch in made)


@pytest.mark.parametrize("topics", [1, 3])
@pytest.mark.parametrize("short", [0, 1, 1013, 1014])
def test_lines_that_are_long_all_at_once_take_no_more_than_there_is_room(short: int, topics: int) -> None:
    """Whatever came before, and however many sets of rules match: a device that chooses how long rows are fills no memory."""
    rules = {f"r{number}": f'SELECT pad(payload.x, payload.n) AS p FROM "t/{number}"' for number in range(topics)}
    records = [
        record(at, b'{"x": "a", "n": %d}' % (3 if at < short else 200_000))._replace(
            headers=[("topic", b"t/%d" % (at % topics)), ("clientid_from", b"topic")]
        )
        for at in range(short + 600)
    ]
    lines = aggregated("a", rules).lines
    lines.evaluate(records[:topics])  # compiles the loops
    with traced():
        batch = lines.evaluate(records, 1 << 20)
        _, peak_bytes = tracemalloc.get_traced_memory()

    assert len(batch.records) < short + 10
    assert peak_bytes < 8 << 20


def test_records_that_others_have_written_are_left_out() -> None:
    """A lane whose position is inside a batch takes the rest of it."""
    action = aggregated("a", SELECT)
    log = [record(offset, b'{"n": %d}' % offset) for offset in range(9)]

    arrived = action.lines.arrived(action.lines.evaluate(log), 6)

    assert list(arrived.offsets) == [6, 7, 8]
    (lines,) = arrived.groups.values()
    assert list(lines.offsets) == [6, 7, 8]


def test_rules_for_two_topics_take_turns() -> None:
    """Records of several sets of rules come in their order, each from the loop of its set."""
    rules = {"one": 'SELECT 1 AS rule, payload.n AS n FROM "t/1"', "two": 'SELECT 2 AS rule, payload.n AS n FROM "t/2"'}
    action = aggregated("a", rules)
    log = [record(offset, b'{"n": %d}' % offset) for offset in range(8)]
    log = [each._replace(headers=[("topic", b"t/%d" % (1 + each.offset % 3))]) for each in log]

    made = same_both_ways(action, log)

    (batch,) = made
    assert isinstance(batch, LineBatch)
    (lines,) = batch.groups.values()
    assert [json.loads(line)["n"] for line, _ in rows_in(lines)] == [0, 1, 3, 4, 6, 7]


def test_loops_know_every_column() -> None:
    """A column of messages that only the other way knows would be undefined in loops."""
    assert set(COLUMNS) == MESSAGE_COLUMNS | {"metadata"}


def test_very_many_rules_are_evaluated_without_a_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loops are compiled while others wait, so an action compiles only so many statements."""
    monkeypatch.setattr("pipeline.rule.lines.STATEMENTS_MAX", 3)
    rules = {f"r{n}": f'SELECT {n} AS n FROM "t/{n % 2}"' for n in range(6)}
    action = aggregated("a", rules)
    log = [record(offset, b"{}")._replace(headers=[("topic", b"t/%d" % (offset % 2))]) for offset in range(4)]

    same_both_ways(action, log)

    assert [action.lines.loop_of(action.rules.programs_of[topic]) is None for topic in (b"t/0", b"t/1")] == [
        False,
        True,
    ]


def test_a_loop_that_raises_often_is_entered_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that sends nothing but wrong payloads costs little more than without loops, and the others keep their loop."""
    evaluated: list[int] = []
    real = RuleSet.evaluate

    def counted(self: RuleSet, records: Sequence[Record], *limits: Any, **how: Any) -> RowBatch:
        evaluated.append(len(records))
        return real(self, records, *limits, **how)

    action = aggregated("a", SELECT)
    log = [record(offset, b"{" if offset < 700 or offset == 900 else b'{"n": 2}') for offset in range(1000)]
    same_both_ways(action, log)
    monkeypatch.setattr(RuleSet, "evaluate", counted)
    action.lines.evaluate(log)

    assert evaluated == [2, 4, 8, 16, 32, 64, 128, 256, 256, 1]


@pytest.mark.parametrize("key", KEYS_OF_OBJECTS)
@pytest.mark.parametrize("bytes_max", [5_000, 1 << 20])
def test_long_stretches_give_the_same_both_ways(key: str, bytes_max: int) -> None:
    """Thousands of records, so that stretches are long: of several sets of rules, over windows, with errors here and there."""
    chance = random.Random(7)
    rules = {name: RULES[name] for name in ("narrow", "all", "none")}
    action = aggregated("a", rules, key=key, aggregation={"time_interval": "10m"})
    topics = [*[b"t/1"] * 9, b"t/2", b"t/2/x", b"u"]
    log = []
    for offset in range(3_000):
        alike, size = offset % 1_000 < 600, chance.choice([0, 0, 0, 100, 3_000])
        value = b"{" if not chance.randrange(90) else b'{"n": %d, "text": "%s"}' % (chance.randrange(4), b"x" * size)
        topic = b"t/1" if alike else chance.choice(topics)
        log.append(record(offset, value)._replace(headers=[("topic", topic), ("clientid_from", b"topic")]))

    made = same_both_ways(action, log, bytes_max)

    assert all(isinstance(batch, LineBatch) for batch in made)
