"""Dead letters: records that could not be handled, kept with the reason in a separate topic.

The dead letter has the unchanged key, value and headers of the record, and further headers with the reason and the place. The
offset is committed only after Kafka's acknowledgement, so a dead letter is as durable as an object.

Each row that fails has a letter, and each letter has the whole record. So one message with a list of a hundred thousand bad
elements would fill Kafka with as many copies of itself. The letters of one record's rows have a bound together, and the last of
them says that further rows have none.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol

from agents.metrics import DEAD_LETTERS, RULE_ROWS_FAILED
from agents.sinks.attempts import Attempts
from pipeline.columns import size_of
from pipeline.dead_letter import VALUE_LEFT_OUT, headers_of
from pipeline.errors import RefusedError
from pipeline.record import Outgoing
from pipeline.redriven import Failure, RecordPlace
from pipeline.rule.batch import DeadLetter

# What the letters of one record's rows may take in Kafka. A list of 1,000 elements in 10 KB stays below it.
RECORD_BYTES_MAX: Final = 16 << 20
ERROR_MAX: Final = 2_000  # characters of an error
RECORDS_REMEMBERED_MAX: Final = 1_000
OVER: Final = sys.maxsize  # instead of bytes: the last letter of this record is there
FURTHER: Final = (
    "all further rows of this record that fail have no letters, which would take more than"
    f" {RECORD_BYTES_MAX >> 20} MiB together. After a correction, replay the record. This row: "
)


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


class Source(NamedTuple):
    """The record whose rows failed, in one run."""

    topic: str
    partition: int
    offset: int
    run: str


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
        self._spent: OrderedDict[Source, int] = OrderedDict()  # bytes of durable letters of rows, by record

    async def send(self, letters: Sequence[DeadLetter], run: Run = NO_RUN) -> None:
        """Return when all letters are durable. Waits for Kafka as long as it takes."""
        if not letters:
            return
        spent: dict[Source, int] = {}
        wanted = [made for letter in letters if (made := self._wanted(letter, run, spent)) is not None]
        records = [outgoing(letter, self._action, self._pipeline, run) for letter in wanted]
        if not await self._are_taken(records):
            await self._one_by_one(records)
        self._remember(spent)
        for letter in wanted:
            DEAD_LETTERS.labels(self._action, letter.cause).inc()
        for letter in letters:
            if letter.row is not None:
                RULE_ROWS_FAILED.labels(self._action, letter.rule).inc()

    def _wanted(self, letter: DeadLetter, run: Run, spent: dict[Source, int]) -> DeadLetter | None:
        """The letter, or the last one for its record, or None after that. `spent` has the bytes of letters on their way."""
        if letter.row is None:
            return letter
        record = letter.record
        source = Source(record.topic, record.partition, record.offset, run.name)
        before = spent.get(source, self._spent.get(source, 0))
        if before == OVER:
            return None
        size_bytes = size_of([record]) + len(letter.error[:ERROR_MAX])
        if not before or before + size_bytes <= RECORD_BYTES_MAX:
            spent[source] = before + size_bytes
            return letter
        spent[source] = OVER
        bare = record._replace(value=b"", headers=[*record.headers, (VALUE_LEFT_OUT, b"1")])
        return replace(letter, record=bare, error=FURTHER + letter.error)

    def _remember(self, spent: dict[Source, int]) -> None:
        self._spent.update(spent)
        while len(self._spent) > RECORDS_REMEMBERED_MAX:
            self._spent.popitem(last=False)

    async def _one_by_one(self, records: Sequence[Outgoing]) -> None:
        """Send letters one by one, because one is too large with its headers.

        It goes without its value, which Kafka still has.
        """
        for record in records:
            if not await self._are_taken([record]):
                bare = record._replace(value=b"", headers=[*record.headers, (VALUE_LEFT_OUT, b"1")])
                await self._sent([bare])

    async def _are_taken(self, records: Sequence[Outgoing]) -> bool:
        """Whether Kafka takes these letters. A value, because nothing may be sent while an error is handled (producer.py)."""
        try:
            await self._sent(records)
        except RefusedError:
            return False
        return True

    async def _sent(self, records: Sequence[Outgoing]) -> None:
        await self._attempts.until_done(lambda: self._sender.send(self._topic, records))


def outgoing(letter: DeadLetter, action: str, pipeline: str = "", run: Run = NO_RUN) -> Outgoing:
    """The record of a dead letter."""
    record = letter.record
    place = RecordPlace(record.topic, record.partition, record.offset, run.topic_id)
    failure = Failure(pipeline, action, letter.rule, letter.row, place, run.name)
    headers = headers_of(failure, letter.cause, letter.error[:ERROR_MAX], run.ledger)
    return Outgoing(record.key or b"", record.value or b"", [*record.headers, *headers], record.timestamp)
