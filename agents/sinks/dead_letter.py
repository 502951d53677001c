"""Dead letters: records that could not be handled, kept in a topic of their own with the reason.

The record goes there as it was, key, value and headers, with headers that say what happened and where it came from. Progress
waits for Kafka's acknowledgement, so a dead letter is as durable as an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from agents.metrics import DEAD_LETTERS
from agents.sinks.attempts import Attempts
from pipeline.dead_letter import PREFIX, VALUE_LEFT_OUT
from pipeline.errors import RefusedError
from pipeline.record import Outgoing
from pipeline.rule import DeadLetter


class Sender(Protocol):
    """`pipeline.connectors.kafka.producer.Producer` is the real one."""

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Return when all records are acknowledged; raise a ConnectorError otherwise."""


class DeadLetterSink(Protocol):
    """Where a lane puts dead letters."""

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when all letters are where they cannot be lost."""


class DeadLetters:
    """The dead letter topic of one action."""

    def __init__(self, sender: Sender, topic: str, action: str, attempts: Attempts) -> None:
        self._sender = sender
        self._topic = topic
        self._action = action
        self._attempts = attempts

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when all letters are durable. Waits for Kafka as long as it takes."""
        if not letters:
            return
        records = [outgoing(letter, self._action) for letter in letters]
        try:
            await self._sent(records)
        except RefusedError:
            await self._one_by_one(letters)
        for letter in letters:
            DEAD_LETTERS.labels(self._action, letter.cause).inc()

    async def _one_by_one(self, letters: Sequence[DeadLetter]) -> None:
        """One of them is too large with its headers: that one goes without its value, which its place in Kafka still has."""
        for letter in letters:
            record = outgoing(letter, self._action)
            try:
                await self._sent([record])
            except RefusedError:
                bare = record._replace(value=b"", headers=[*record.headers, (VALUE_LEFT_OUT, b"1")])
                await self._sent([bare])

    async def _sent(self, records: Sequence[Outgoing]) -> None:
        await self._attempts.until_done(lambda: self._sender.send(self._topic, records))


def outgoing(letter: DeadLetter, action: str) -> Outgoing:
    """The record of a dead letter."""
    record = letter.record
    facts = {
        "cause": letter.cause,
        "error": letter.error[:2000],
        "rule": letter.rule,
        "action": action,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
    }
    headers = [(PREFIX + name, value.encode("utf-8", "replace")) for name, value in facts.items() if value]
    return Outgoing(record.key or b"", record.value or b"", [*record.headers, *headers], record.timestamp)
