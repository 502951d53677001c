"""Dead letters: what a worker or the ingress wrote can be read, and sent again as it was."""

from __future__ import annotations

from typing import Any

import pytest

from agents.sinks.dead_letter import Run, outgoing
from ingress.dead_letter import dead_letter
from pipeline import dead_letter as letters
from pipeline.dead_letter import Folding, Letter, Mark
from pipeline.errors import RecordError, RefusedError
from pipeline.record import Outgoing, Record, event_record
from pipeline.redriven import Failure, RecordPlace, redriven
from pipeline.rule.batch import DeadLetter
from pipeline.rule.rule_set import RuleSet
from tests.parts.records import published

TOPICS: Any = {"messages_topic": "mqtt.messages", "events_topic": "mqtt.events"}
RUN = Run("5eed", "lake-ledger", "id-1")


def in_topic(record: Outgoing, offset: int = 9) -> Record:
    """A letter as it lies in its topic."""
    return Record("dead", 2, offset, record.timestamp_ms, record.key, record.value, record.headers)


def letter(record: Outgoing, offset: int = 9) -> Letter:
    found = letters.read(in_topic(record, offset))
    assert isinstance(found, Letter)
    return found


def worker_letter(record: Record | None = None, rule: str = "hot", row: int | None = None, **of: Any) -> Letter:
    """What a worker writes of a record."""
    failed = DeadLetter(record or published(), "evaluation", "in t + 1: no", rule, row)
    return letter(outgoing(failed, of.get("action", "lake"), of.get("pipeline", "p"), of.get("run", RUN)))


def sent_again(found: Letter, offset: int = 100) -> tuple[str, Record]:
    """Topic and record as a worker gets it."""
    topic, record = letters.sent_again(found, **TOPICS)
    return topic, Record(topic, 3, offset, record.timestamp_ms, record.key, record.value, record.headers)


def test_a_workers_letter_tells_what_happened_and_where() -> None:
    """Each fact comes back from its header."""
    found = worker_letter(row=2)

    assert (found.cause, found.error, found.action, found.rule) == ("evaluation", "in t + 1: no", "lake", "hot")
    assert found.failure == Failure("p", "lake", "hot", 2, RecordPlace("mqtt.messages", 3, 42, "id-1"), "5eed")
    assert (found.place, found.ledger) == ("2:9", "lake-ledger")


def test_a_letter_is_sent_again_as_it_was() -> None:
    """Key, value, time and headers of the record itself, to its own topic; and once more if it fails again."""
    once = sent_again(worker_letter())
    twice = sent_again(worker_letter(once[1]))

    for (topic, record), offset in ((once, 42), (twice, 100)):
        assert topic == "mqtt.messages"
        assert (record.key, record.value, record.timestamp) == (
            published().key,
            published().value,
            published().timestamp,
        )
        again = redriven(record)
        assert again is not None
        assert again.failure == Failure(
            "p", "lake", "hot", None, RecordPlace("mqtt.messages", 3, offset, "id-1"), "5eed"
        )
        assert again.first == RecordPlace("mqtt.messages", 3, 42, "id-1")
        assert list(record.headers)[1:] == published().headers
        assert again.original(record) == published()


@pytest.mark.parametrize(
    ("reader", "failed", "expected"),
    [
        ({}, "hot", [{"rule": "hot"}]),
        ({}, "", [{"rule": "hot"}, {"rule": "all"}]),
        ({"action": "other"}, "hot", []),
        ({"node": "another-pipeline"}, "hot", []),
    ],
)
def test_only_the_action_and_the_rule_that_failed_see_it_again(
    reader: dict[str, str], failed: str, expected: list[Any]
) -> None:
    """The others made their rows of it the first time, and would make them twice; so would another pipeline's."""
    statement = 'SELECT metadata.rule_id AS rule FROM "t/#"'
    rules = RuleSet({"hot": statement, "all": statement}, **{"node": "p", "action": "lake", **reader})
    _, record = sent_again(worker_letter(rule=failed))

    assert rules.evaluate([record]).rows == expected


def test_only_the_row_that_failed_is_made_again() -> None:
    """Of a record of three rows the second could not be written; the others are where they belong."""
    rules = RuleSet({"each": 'FOREACH payload.v AS n DO n AS n FROM "t/#"'}, node="p", action="lake")
    record = published(payload=b'{"v": [10, 20, 30]}')

    _, again = sent_again(worker_letter(record, "each", 1))
    found = rules.evaluate([again])

    assert (found.rows, found.numbers(), found.makers) == ([{"n": 20}], [1], ["each"])
    assert (found.origins, found.redriven) == ([again], [again])


def test_a_rule_sees_the_record_where_it_stood_first() -> None:
    """Its id and its chance are those of the message, however often it is sent again: the row is the one that was missing."""
    rules = RuleSet({"hot": 'SELECT id, random() AS chance FROM "t/#"'}, node="p", action="lake")
    once = sent_again(worker_letter())[1]
    twice = sent_again(worker_letter(once), offset=200)[1]

    rows = [rules.evaluate([record]).rows for record in (published(), once, twice)]

    assert rows[0] == rows[1] == rows[2] != []


def test_a_letter_of_a_row_that_was_sent_again_is_of_that_row() -> None:
    """It fails again, by evaluation or because the row cannot be written: rule and number are those of before."""
    of_rule = RuleSet({"each": 'SELECT payload.v * 2 AS n FROM "t/#"'}, node="p", action="lake")
    _, again = sent_again(worker_letter(published(payload=b'{"v": "x"}'), "each", 1))

    (dead,) = of_rule.evaluate([again]).dead

    assert (dead.record, dead.rule, dead.row) == (again, "each", 1)


def test_a_header_that_nobody_wrote_is_a_dead_letter() -> None:
    """And no error of the batch."""
    rules = RuleSet({"hot": 'SELECT 1 AS n FROM "t/#"'}, node="p", action="lake")
    record = published()._replace(headers=[("redriven", b"[1"), *published().headers])

    found = rules.evaluate([record])

    assert [each.record for each in found.dead] == [record]
    assert "the header redriven is not what" in found.dead[0].error


def test_an_event_that_is_sent_again_is_an_event() -> None:
    """Its header is no longer the first, and it is found."""
    event = event_record("client.connected", {"keepalive": 30}, clientid="d", timestamp_ms=5)
    record = Record("mqtt.events", 0, 1, 5, event.key, event.value, event.headers)
    rules = RuleSet({"r": 'SELECT keepalive FROM "$events/client/connected"'}, node="p", action="lake")

    _, again = sent_again(worker_letter(record, ""))

    assert rules.evaluate([again]).rows == [{"keepalive": 30}]


@pytest.mark.parametrize(
    ("record", "topic"),
    [
        (Outgoing(b"d", b"{}", [("topic", b"t/1")], 5), "mqtt.messages"),
        (event_record("client.connected", {}, clientid="d", timestamp_ms=5), "mqtt.events"),
    ],
)
def test_a_letter_of_the_ingress_goes_where_it_was_to_go(record: Outgoing, topic: str) -> None:
    """Kafka never took the record, so all actions are to see it, each time as the same one."""
    problem = RefusedError("Kafka said no", reason="policy_violation")
    found = letter(dead_letter(record, problem, "plant", 1 << 20))
    rules = RuleSet(
        {"r": f'SELECT id FROM "{("t/#", "$events/client/connected")["event" in dict(record.headers)]}"'}, node="q"
    )

    sent_to, again = sent_again(found)
    other = sent_again(found, offset=500)[1]

    assert (found.source, found.cause, found.origin) == ("plant", "policy_violation", None)
    assert sent_to == topic
    assert (again.key, again.value, list(again.headers[1:])) == (record.key, record.value, record.headers)
    assert rules.evaluate([again]).rows == rules.evaluate([other]).rows
    assert rules.evaluate([again]).redriven == [again]


def test_a_letter_without_its_whole_value_is_not_sent() -> None:
    """Half a payload is another payload; the message says where the whole one is."""
    large = Outgoing(b"d", b"x" * 5000, [("topic", b"t/1")], 5)
    cut = letter(dead_letter(large, RefusedError("too large", reason="msg_size_too_large"), "plant", 2000))
    bare = outgoing(DeadLetter(published(), "evaluation", "no"), "lake")
    left_out = letter(bare._replace(value=b"", headers=[*bare.headers, (letters.VALUE_LEFT_OUT, b"1")]))

    with pytest.raises(RecordError, match="2:9 holds only a part"):
        letters.sent_again(cut, **TOPICS)
    with pytest.raises(RecordError, match=r"mqtt\.messages/3/42"):
        letters.sent_again(left_out, **TOPICS)


def test_a_mark_names_all_letters_of_one_failure() -> None:
    """A second run knows by it that copies were sent too. Letters of another run are not meant, nor others of the ingress."""
    first, copy = worker_letter(), worker_letter()._replace(cause="other")
    other_run = worker_letter(run=Run("other", "lake-ledger", "id-1"))
    refused = dead_letter(
        Outgoing(b"d", b"{}", [("topic", b"t/1")], 5), RefusedError("no", reason="policy_violation"), "plant", 1 << 20
    )

    mark = letters.read(in_topic(letters.mark(first, 77), offset=10))
    mark_of_ingress = letters.read(in_topic(letters.mark(letter(refused), 77), offset=11))
    folding = Folding(runs=True)
    for each in (first, copy, other_run, mark, mark_of_ingress):
        folding.learn(each)

    assert isinstance(mark, Mark)
    assert [folding.is_settled(each) for each in (first, copy, other_run)] == [True, True, False]
    assert folding.is_settled(letter(refused, 9))
    assert not folding.is_settled(letter(refused, 12))


@pytest.mark.parametrize(("runs", "expected"), [(True, [0, 2, 1]), (False, [0, 0, 3])])
def test_copies_are_told_once_by_the_last_of_them(runs: bool, expected: list[int]) -> None:
    """Two of one run, and one of the run that came after a kill."""
    found = [worker_letter(), worker_letter(), worker_letter(run=Run("later", "lake-ledger", "id-1"))]
    folding = Folding(runs=runs)
    for each in found:
        folding.learn(each)

    assert [folding.last_of(each) for each in found] == expected


@pytest.mark.parametrize(
    "other",
    [
        {"rule": "cold"},
        {"row": 1},
        {"action": "other"},
        {"pipeline": "q"},
        {"record": published()._replace(offset=43)},
        {"run": Run("5eed", "lake-ledger", "id-2")},
    ],
)
def test_another_failure_is_another_letter(other: dict[str, Any]) -> None:
    """Rule, row, action, pipeline, place and topic id tell them apart."""
    assert worker_letter(**other).name_of_all_runs != worker_letter().name_of_all_runs
