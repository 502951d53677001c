"""What the doctor says of the permissions of a user, case by case. Real ones are in tests/components/test_kafka_rights.py."""

from __future__ import annotations

import pytest

from pipeline.config.load import load
from pipeline.doctor.rights import INGRESS, WORKER, check_groups, check_topic, groups_of, topics_of

MESSAGES = {INGRESS: frozenset({"WRITE"}), WORKER: frozenset({"READ"})}
LEAD = {INGRESS: frozenset({"READ"})}
LETTERS = {**MESSAGES, WORKER: frozenset({"WRITE"}), "`tidegate dead-letter`": frozenset({"READ", "WRITE"})}


@pytest.mark.parametrize(
    ("needs", "allowed", "state", "words"),
    [
        (MESSAGES, "READ WRITE DESCRIBE", "ok", "this user may read and write"),
        (
            MESSAGES,
            "WRITE DESCRIBE",
            "warn",
            "lacks READ; expected: WRITE for an ingress, READ for a worker; do: nothing, if it",
        ),
        (MESSAGES, "READ DESCRIBE", "warn", "nothing, if it is the user of a worker alone"),
        (MESSAGES, "DESCRIBE", "bad", "lacks READ, WRITE"),
        (MESSAGES, "", "bad", "lacks DESCRIBE, READ, WRITE"),
        (LETTERS, "WRITE DESCRIBE", "warn", "nothing, if it is the user of an ingress or a worker alone"),
        (LETTERS, "READ DESCRIBE", "bad", "lacks WRITE"),
        (LEAD, "READ DESCRIBE", "ok", "this user may read"),
        (LEAD, "", "warn", "nothing, if it is the user of a worker alone"),
    ],
)
def test_a_topic(needs: dict[str, frozenset[str]], allowed: str, state: str, words: str) -> None:
    """A user that is enough for one process is no error, and one that is enough for none is."""
    (found,) = check_topic("t", frozenset(allowed.split()), needs)

    assert found.state == state
    assert words in found.line()


def test_a_topic_of_which_kafka_tells_nothing() -> None:
    """It has no line: there is no such topic yet, or Kafka is an older one."""
    assert not list(check_topic("t", None, MESSAGES))


@pytest.mark.parametrize(("may_read", "state"), [(True, "bad"), (False, "warn")])
def test_many_groups_have_one_line(may_read: bool, state: str) -> None:
    """Whoever reads messages must use the groups. An ingress reads none, and needs none of them."""
    groups = {f"plant7.a{number}": WORKER for number in range(7)}

    (found,) = check_groups(groups, list(groups), may_read=may_read)

    assert found.state == state
    assert "plant7.a0, plant7.a1, plant7.a2, plant7.a3, plant7.a4 and 2 more" in found.found


def test_a_configuration_names_what_its_processes_need() -> None:
    """A stand-by adds the topic and the group of leads, Sparkplug the topic of names."""
    plain = {"server": "127.0.0.1:1", "topics": ["t/#"]}
    both = plain | {"topics": ["spBv1.0/#"], "standby": True, "sparkplug_aliases": True}
    some, more = (
        load(
            {
                "pipeline": "plant7",
                "kafka": {"bootstrap_servers": "127.0.0.1:1"},
                "sources": {"mqtt": {"plant": source}},
            }
        )
        for source in (plain, both)
    )

    assert list(topics_of(some)) == ["mqtt.messages", "mqtt.events", "tidegate.dead-letter"]
    assert set(topics_of(more)) - set(topics_of(some)) == {"tidegate.lead", "tidegate.aliases"}
    assert groups_of(some) == {}
    assert groups_of(more) == {"plant7.ingress.plant": INGRESS}
