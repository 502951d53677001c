"""Dead letters: what a worker or the ingress wrote can be read, and sent again as it was."""

from __future__ import annotations

from typing import Any

import pytest

from agents.sinks.dead_letter import outgoing
from ingress.dead_letter import dead_letter
from pipeline import dead_letter as letters
from pipeline.dead_letter import Letter
from pipeline.errors import RecordError, RefusedError
from pipeline.record import Outgoing, Record, event_record
from pipeline.rule import DeadLetter, RuleSet
from tests.parts.records import published

TOPICS: Any = {"messages_topic": "mqtt.messages", "events_topic": "mqtt.events"}


def in_topic(record: Outgoing, offset: int = 9) -> Record:
    """A letter as it lies in its topic."""
    return Record("dead", 2, offset, record.timestamp_ms, record.key, record.value, record.headers)


def letter(record: Outgoing) -> Letter:
    found = letters.read(in_topic(record))
    assert isinstance(found, Letter)
    return found


def sent_again(found: Letter) -> tuple[str, Record]:
    """Topic and record as a worker gets it."""
    topic, record = letters.redriven(found, **TOPICS)
    return topic, Record(topic, 3, 100, record.timestamp_ms, record.key, record.value, record.headers)


def test_a_workers_letter_tells_what_happened_and_where() -> None:
    """Each fact comes back from its header."""
    found = letter(outgoing(DeadLetter(published(), "evaluation", "in t + 1: no", "hot"), "lake"))

    assert (found.cause, found.error, found.action, found.rule) == ("evaluation", "in t + 1: no", "lake", "hot")
    assert (found.origin, found.place) == (("mqtt.messages", 3, 42), "2:9")


def test_a_letter_is_sent_again_as_it_was() -> None:
    """Key, value, time and headers of the record itself, to its own topic; and once more if it fails again."""
    once = sent_again(letter(outgoing(DeadLetter(published(), "evaluation", "no", "hot"), "lake")))
    twice = sent_again(letter(outgoing(DeadLetter(once[1], "evaluation", "no", "hot"), "lake")))

    for (topic, record), offset in ((once, 42), (twice, 100)):
        assert topic == "mqtt.messages"
        assert (record.key, record.value, record.timestamp) == (
            published().key,
            published().value,
            published().timestamp,
        )
        assert list(record.headers) == [
            ("redriven_for", b"lake/hot"),
            ("redriven_from", b"mqtt.messages/3/%d" % offset),
            *published().headers,
        ]


@pytest.mark.parametrize(
    ("action", "failed", "expected"),
    [("lake", "hot", [{"rule": "hot"}]), ("lake", "", [{"rule": "hot"}, {"rule": "all"}]), ("other", "hot", [])],
)
def test_only_the_action_and_the_rule_that_failed_see_it_again(action: str, failed: str, expected: list[Any]) -> None:
    """The others made their rows of it the first time, and would make them twice."""
    statement = 'SELECT metadata.rule_id AS rule FROM "t/#"'
    rules = RuleSet({"hot": statement, "all": statement}, node="n", action="lake")
    _, record = sent_again(letter(outgoing(DeadLetter(published(), "evaluation", "no", failed), action)))

    assert rules.evaluate([record]).rows == expected


def test_an_event_that_is_sent_again_is_an_event() -> None:
    """Its header is no longer the first, and it is found."""
    event = event_record("client.connected", {"keepalive": 30}, clientid="d", timestamp_ms=5)
    record = Record("mqtt.events", 0, 1, 5, event.key, event.value, event.headers)
    rules = RuleSet({"r": 'SELECT keepalive FROM "$events/client/connected"'}, node="n", action="lake")

    _, again = sent_again(letter(outgoing(DeadLetter(record, "evaluation", "no"), "lake")))

    assert rules.evaluate([again]).rows == [{"keepalive": 30}]


@pytest.mark.parametrize(
    ("record", "topic"),
    [
        (Outgoing(b"d", b"{}", [("topic", b"t/1")], 5), "mqtt.messages"),
        (event_record("client.connected", {}, clientid="d", timestamp_ms=5), "mqtt.events"),
    ],
)
def test_a_letter_of_the_ingress_goes_where_it_was_to_go(record: Outgoing, topic: str) -> None:
    """Kafka never took the record, so all actions are to see it."""
    problem = RefusedError("Kafka said no", reason="policy_violation")
    found = letter(dead_letter(record, problem, "plant", 1 << 20))

    assert (found.source, found.cause, found.origin) == ("plant", "policy_violation", None)
    assert letters.redriven(found, **TOPICS) == (topic, record)


def test_a_letter_without_its_whole_value_is_not_sent() -> None:
    """Half a payload is another payload; the message says where the whole one is."""
    large = Outgoing(b"d", b"x" * 5000, [("topic", b"t/1")], 5)
    cut = letter(dead_letter(large, RefusedError("too large", reason="msg_size_too_large"), "plant", 2000))
    bare = outgoing(DeadLetter(published(), "evaluation", "no"), "lake")
    left_out = letter(bare._replace(value=b"", headers=[*bare.headers, (letters.VALUE_LEFT_OUT, b"1")]))

    with pytest.raises(RecordError, match="2:9 holds only a part"):
        letters.redriven(cut, **TOPICS)
    with pytest.raises(RecordError, match=r"mqtt\.messages/3/42"):
        letters.redriven(left_out, **TOPICS)


def test_a_mark_names_the_letter() -> None:
    """A second run knows by it what was sent."""
    found = letter(outgoing(DeadLetter(published(), "evaluation", "no"), "lake"))

    assert letters.read(in_topic(letters.mark(found, 77), offset=10)) == "2:9"
