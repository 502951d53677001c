"""A redriven dead letter: the facts in the first header of its record.

The record is the failed one, unchanged, after the later records of its client. The header names its target: one action
of one pipeline and, if a rule is the cause, this rule and its row that failed. Other actions and rules have handled the
record, and skip it. The header also names the record that it repeats, and the first place of the message in Kafka. A
rule sees the record in that first place: `id`, random numbers and the fence of direct upload are the same as then.

Pure. pipeline/dead_letter.py makes such a record from a letter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson

from pipeline.errors import RecordError
from pipeline.record import Headers, Record

_ROWS_MAX: Final = 1 << 20  # above the number of rows that a record may have
REDRIVEN: Final = "redriven"  # the first header of such a record, in JSON


class RecordPlace(NamedTuple):
    """The place of a record. `topic_id` is Kafka's id of the topic, or empty if the broker has none."""

    topic: str
    partition: int
    offset: int
    topic_id: str = ""


class Failure(NamedTuple):
    """The failure of a record in one action of one pipeline. It counts once, however many letters report it.

    `rule` is empty if no rule is the cause. `row` is the number of the row among the rule's rows, or None if it made no
    rows. `run` is the run of the lane that failed (pipeline/upload/ledger.py: `run`), or empty for direct upload.
    """

    pipeline: str
    action: str
    rule: str
    row: int | None
    place: RecordPlace
    run: str = ""

    @property
    def digest(self) -> str:
        """A name that all letters of this failure share, and no others."""
        return hashlib.sha256(orjson.dumps(self, default=list)).hexdigest()[:32]


class Redriven(NamedTuple):
    """The first header of such a record. `first` is the place of the message before any redrive."""

    failure: Failure
    first: RecordPlace

    def encode(self) -> bytes:
        """The header's value."""
        return orjson.dumps(self, default=list)

    def original(self, record: Record) -> Record:
        """The record in its first place."""
        return record._replace(
            topic=self.first.topic,
            partition=self.first.partition,
            offset=self.first.offset,
            headers=without(record.headers),
        )


def is_redriven(headers: Headers) -> bool:
    """Whether these are the headers of a redriven record."""
    return bool(headers) and headers[0][0] == REDRIVEN


def redriven(record: Record) -> Redriven | None:
    """The header of a redriven record, or None for any other record. Raises RecordError."""
    headers = record.headers
    if not is_redriven(headers):
        return None
    try:
        (pipeline, action, rule, row, place, run), first = orjson.loads(headers[0][1])
        failure = Failure(
            str(pipeline), str(action), str(rule), None if row is None else int(row), _place(place), str(run)
        )
        return Redriven(failure, _place(first))
    except (ValueError, TypeError) as error:
        raise RecordError(f"the header {REDRIVEN} is not what `dead-letter redrive` writes: {error}") from None


def of_letter(record: Record) -> Redriven:
    """The header of a record that is known to be redriven."""
    again = redriven(record)
    assert again is not None
    return again


def first_place(record: Record) -> RecordPlace:
    """The first place of a record's message: its own place, unless it was redriven."""
    again = redriven(record)
    return RecordPlace(record.topic, record.partition, record.offset) if again is None else again.first


def row_of(record: Record) -> int:
    """The number of the first wanted row of a rule. It is above 0 if only a later row is repeated."""
    again = redriven(record)
    return again.failure.row or 0 if again is not None else 0


def first_number(record: Record) -> int:
    """The number of the first row of a record among all its rows, including those of other rules.

    The record's other rows have their numbers already. A repeated row has a number that none of these can have, and the
    same number each time.
    """
    again = redriven(record)
    if again is None:
        return 0
    return (1 + crc32(again.failure.rule.encode())) * _ROWS_MAX + (again.failure.row or 0)


def without(headers: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """The headers that the record had before it was sent again."""
    return [each for each in headers if each[0] != REDRIVEN]


def _place(found: Any) -> RecordPlace:
    topic, partition, offset, topic_id = found
    return RecordPlace(str(topic), int(partition), int(offset), str(topic_id))
