"""Dead letters: records that could not be handled, kept with the reason in a separate topic.

The dead letter has the unchanged key, value and headers of the record, and further headers with the reason and the place. The
offset is committed only after Kafka's acknowledgement, so a dead letter is as durable as an object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from agents.metrics import DEAD_LETTERS, RULE_ROWS_FAILED
from agents.sinks.attempts import Attempts
from pipeline.dead_letter import VALUE_LEFT_OUT, headers_of
from pipeline.errors import RefusedError
from pipeline.record import Outgoing
from pipeline.redriven import Failure, RecordPlace
from pipeline.rule.batch import DeadLetter


class Sender(Protocol):
    """Sends records. `pipeline.connectors.kafka.producer.Producer` implements it."""

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Return when all records are acknowledged; raise a ConnectorError otherwise."""


class Run(NamedTuple):
    """The run of a lane that writes a ledger: its name, which is also in the ledger's entries, and the ledger's bucket.

    A letter counts if the entry over its record is of the same run. Direct upload has no ledger, and all fields are
    empty.
    """

    name: str = ""
    ledger: str = ""
    topic_id: str = ""


NO_RUN: Final = Run()


class DeadLetterSink(Protocol):
    """A destination for the dead letters of a lane."""

    async def send(self, letters: Sequence[DeadLetter], run: Run = NO_RUN) -> None:
        """Return when all letters are durable."""


class DeadLetters:
    """The dead letter topic of one action of one pipeline."""

    def __init__(self, sender: Sender, topic: str, action: str, attempts: Attempts, *, pipeline: str = "") -> None:
        self._sender = sender
        self._topic = topic
        self._action = action
        self._pipeline = pipeline
        self._attempts = attempts

    async def send(self, letters: Sequence[DeadLetter], run: Run = NO_RUN) -> None:
        """Return when all letters are durable. Waits for Kafka as long as it takes."""
        if not letters:
            return
        records = [outgoing(letter, self._action, self._pipeline, run) for letter in letters]
        try:
            await self._sent(records)
        except RefusedError:
            await self._one_by_one(records)
        for letter in letters:
            DEAD_LETTERS.labels(self._action, letter.cause).inc()
            if letter.row is not None:
                RULE_ROWS_FAILED.labels(self._action, letter.rule).inc()

    async def _one_by_one(self, records: Sequence[Outgoing]) -> None:
        """Send letters one by one, because one is too large with its headers.

        It goes without its value, which Kafka still has.
        """
        for record in records:
            try:
                await self._sent([record])
            except RefusedError:
                bare = record._replace(value=b"", headers=[*record.headers, (VALUE_LEFT_OUT, b"1")])
                await self._sent([bare])

    async def _sent(self, records: Sequence[Outgoing]) -> None:
        await self._attempts.until_done(lambda: self._sender.send(self._topic, records))


def outgoing(letter: DeadLetter, action: str, pipeline: str = "", run: Run = NO_RUN) -> Outgoing:
    """The record of a dead letter."""
    record = letter.record
    place = RecordPlace(record.topic, record.partition, record.offset, run.topic_id)
    failure = Failure(pipeline, action, letter.rule, letter.row, place, run.name)
    headers = headers_of(failure, letter.cause, letter.error[:2000], run.ledger)
    return Outgoing(record.key or b"", record.value or b"", [*record.headers, *headers], record.timestamp)
