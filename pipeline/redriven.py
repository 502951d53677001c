"""A dead letter that was sent again, as its record says it in its first header.

The record is the failed one as it was, behind what its client has sent since. The header says for whom it is: one action of one
pipeline and, if one of its rules is to blame, that rule and the row of it that failed. All others have handled the record and
pass it over. It says which record it repeats, and where the message first stood in Kafka. A rule sees the record in that first
place: `id`, chance and the fence of direct upload are what they would have been.

Pure. What a letter is and how one becomes such a record is pipeline/dead_letter.py's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson

from pipeline.errors import RecordError
from pipeline.record import Record

_ROWS_MAX: Final = 1 << 20  # more rows than a record may have
REDRIVEN: Final = "redriven"  # the first header of such a record: JSON


class RecordPlace(NamedTuple):
    """Where a record stands. `topic_id` is Kafka's id of the topic; empty where the broker has none."""

    topic: str
    partition: int
    offset: int
    topic_id: str = ""


class Failure(NamedTuple):
    """What failed: a record, in one action of one pipeline. It is this that counts once, however many letters tell of it.

    `rule` is empty if no rule is to blame. `row` is the number of the row among those of the rule; None if it made none. `run` is
    the life of the lane that failed (pipeline/upload/ledger.py: `run`); empty for direct upload.
    """

    pipeline: str
    action: str
    rule: str
    row: int | None
    place: RecordPlace
    run: str = ""

    @property
    def digest(self) -> str:
        """A name for it: the same for all letters that tell of it, and for no other."""
        return hashlib.sha256(orjson.dumps(self, default=list)).hexdigest()[:32]


class Redriven(NamedTuple):
    """What the first header of such a record says. `first` is where the message stood before any letter of it was sent again."""

    failure: Failure
    first: RecordPlace

    def encode(self) -> bytes:
        """The header's value."""
        return orjson.dumps(self, default=list)

    def original(self, record: Record) -> Record:
        """The record as it was in its first place."""
        return record._replace(
            topic=self.first.topic,
            partition=self.first.partition,
            offset=self.first.offset,
            headers=without(record.headers),
        )


def redriven(record: Record) -> Redriven | None:
    """What a record says that was sent again; None for any other. Raises RecordError."""
    headers = record.headers
    if not headers or headers[0][0] != REDRIVEN:
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
    """What a record says that is known to have been sent again."""
    again = redriven(record)
    assert again is not None
    return again


def first_place(record: Record) -> RecordPlace:
    """Where the message of a record stood first: its own place, unless it was sent again."""
    again = redriven(record)
    return RecordPlace(record.topic, record.partition, record.offset) if again is None else again.first


def row_of(record: Record) -> int:
    """The number of the first row that a rule makes of a record: not the first if only a later one of it is wanted again."""
    again = redriven(record)
    return again.failure.row or 0 if again is not None else 0


def first_number(record: Record) -> int:
    """The number that the first row of a record has among all rows of the record, those of other rules included.

    The record's other rows have their numbers already. A row that is made again has one that none of these can have, and the same
    one each time.
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
