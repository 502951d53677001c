"""Trying until it is done, and dead letters that wait for Kafka."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import structlog

from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from pipeline.errors import ConnectorError, OperatorError, RefusedError, RetryableError
from pipeline.record import Outgoing
from pipeline.rule.batch import DeadLetter
from tests.faults.simulation.clock import VirtualLoop
from tests.parts.records import message


class Flaky:
    """Fails as told, then succeeds."""

    def __init__(self, *errors: ConnectorError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def run_virtually(coroutine: object) -> object:
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(coroutine)  # type: ignore[arg-type]
    finally:
        loop.close()


def test_tries_until_it_is_done_and_says_each_change_of_state_once() -> None:
    """Five failures for two reasons and a recovery make three log lines."""
    errors = [RetryableError("away", reason="connection")] * 4 + [OperatorError("who?", reason="AccessDenied")]
    call = Flaky(*errors)
    with structlog.testing.capture_logs() as lines:
        result = run_virtually(Attempts("a").until_done(call))

    assert (result, call.calls) == ("done", 6)
    assert [(line["event"], line.get("reason")) for line in lines] == [
        ("action.disconnected", "connection"),
        ("action.disconnected", "AccessDenied"),
        ("action.connected", None),
    ]


def test_status_is_that_of_the_calls_and_of_the_health_check() -> None:
    """A good health check does not hide failing calls, and a good call ends a failed health check."""
    away = RetryableError("away", reason="connection")

    async def story() -> list[tuple[str, str]]:
        attempts = Attempts("status")
        seen = [(attempts.status, attempts.status_reason)]
        for step in (None, away, None):
            attempts.checked(step)
            seen.append((attempts.status, attempts.status_reason))
        attempts._failed(OperatorError("no", reason="AccessDenied"))
        attempts.checked(None)
        seen.append((attempts.status, attempts.status_reason))
        attempts.checked(away)
        await attempts.until_done(Flaky())
        return [*seen, (attempts.status, attempts.status_reason)]

    assert run_virtually(story()) == [
        ("connecting", ""),
        ("connected", ""),
        ("disconnected", "away"),
        ("connected", ""),
        ("disconnected", "no"),
        ("connected", ""),
    ]


def test_what_will_never_succeed_comes_back() -> None:
    """An error that waiting cannot help is raised at once."""
    with pytest.raises(RefusedError):
        run_virtually(Attempts("a").until_done(Flaky(RefusedError("no", reason="key_length"))))


class Topic:
    """A topic that refuses records above a size."""

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.records: list[Outgoing] = []

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        if any(len(record.value) > self.bytes_max for record in records):
            raise RefusedError("too large", reason="MSG_SIZE_TOO_LARGE")
        self.records.extend(records)


def test_a_letter_tells_where_it_came_from_and_keeps_the_record() -> None:
    """A dead letter has the original key, value and headers, and the reason."""
    topic = Topic(1000)
    letter = DeadLetter(message(7, b"\xff"), "encode", "not UTF-8", "r")
    run_virtually(DeadLetters(topic, "dead", "act", Attempts("act")).send([letter]))

    record, headers = topic.records[0], dict(topic.records[0].headers)
    assert (record.key, record.value, headers["topic"]) == (b"dev", b"\xff", b"t/1")
    assert {
        name: headers["dead_letter." + name] for name in ("cause", "error", "rule", "action", "offset", "partition")
    } == {
        "cause": b"encode",
        "error": b"not UTF-8",
        "rule": b"r",
        "action": b"act",
        "offset": b"7",
        "partition": b"3",
    }


def test_a_letter_that_is_too_large_goes_without_its_value() -> None:
    """A dead letter that is too large goes without its value, which Kafka still has at its place."""
    topic = Topic(10)
    letters = [DeadLetter(message(1, b"x" * 11), "c", "e"), DeadLetter(message(2, b"small"), "c", "e")]
    run_virtually(DeadLetters(topic, "dead", "act", Attempts("act")).send(letters))

    assert [(record.value, dict(record.headers)["dead_letter.offset"]) for record in topic.records] == [
        (b"", b"1"),
        (b"small", b"2"),
    ]
    assert "dead_letter.value_left_out" in dict(topic.records[0].headers)
