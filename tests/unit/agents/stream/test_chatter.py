"""What Faust and aiokafka say: known states are nothing, warnings that matter pass."""

from __future__ import annotations

import logging

import pytest
from aiokafka.errors import GroupAuthorizationFailedError

from agents.stream.chatter import Chatter


def line(logger: str, text: str, level: int = logging.WARNING, error: Exception | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord(logger, level, "there.py", 1, text, (), exc_info)


@pytest.mark.parametrize(
    ("logger", "text"),
    [
        ("aiokafka", "Unable connect to node with id 1: [Errno 111] Connect call failed ('127.0.0.1', 1)"),
        ("aiokafka", "Unable to update metadata from [1]"),
        ("aiokafka.consumer.group_coordinator", "Marking the coordinator dead (node 1)for group p.a."),
        ("aiokafka.consumer.group_coordinator", "Heartbeat failed for group p.a because it is rebalancing"),
        (
            "aiokafka.consumer.group_coordinator",
            "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError",
        ),
        ("aiokafka.consumer.fetcher", "Failed fetch messages from 1: KafkaConnectionError: Connection at h:1 closed"),
        ("mode.timers", "Timer commit is overlapping (interval=0.2 runtime=11.4)"),
    ],
)
def test_a_known_state_is_nothing(logger: str, text: str) -> None:
    """Library lines about Kafka being away, and about rebalances, are dropped, because our own lines report these."""
    assert not Chatter().filter(line(logger, text, logging.ERROR))


@pytest.mark.parametrize(
    ("logger", "text"),
    [
        ("aiokafka.cluster", "Topic mqtt.messages is not authorized for this client"),
        ("aiokafka.cluster", "Topic mqtt.messages not found in cluster metadata"),
        ("aiokafka.consumer.group_coordinator", "Group Coordinator Request failed: GroupAuthorizationFailedError: p.a"),
        ("aiokafka.consumer.group_coordinator", "Heartbeat failed: GroupAuthorizationFailedError('p.a')"),
        ("mode.threads", "Thread keepalive is not responding..."),
        ("agents.stream.transport", "Committing raised exception: KafkaError()"),
        ("tidegate.kafka", "Unable to connect"),
        ("botocore", "Unable to connect"),
    ],
)
def test_a_warning_that_matters_is_told(logger: str, text: str) -> None:
    """Warnings that matter pass, and so do lines of other libraries."""
    assert Chatter().filter(line(logger, text))


def test_what_services_do_is_nothing() -> None:
    """Faust's lines about starting and stopping services are dropped."""
    assert not Chatter().filter(line("agents.stream.app", "[^ActionApp]: Starting...", logging.INFO))


def test_an_error_of_kafka_has_no_traceback() -> None:
    """A known error of Kafka has no traceback, and an unknown one keeps it."""
    known = line("agents.stream.app", "Crashed reason=…", error=GroupAuthorizationFailedError("p.a"))
    unknown = line("agents.stream.app", "Crashed reason=…", error=KeyError("x"))

    assert all(Chatter().filter(each) for each in (known, unknown))
    assert known.exc_info is None
    assert unknown.exc_info is not None
