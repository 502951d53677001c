"""Decides which record carries the rows of a redriven dead letter, and whether the letter counts.

    _tidegate/<action>/redriven/<topic>~<topic id>~<partition>~<offset>~<rule>~<row>.json    the record that carries them

A redrive may be killed before it knows what it has sent, or may run twice. Then several records repeat one failure. The
first of them in a lane *claims* the failure: it creates the object above, which names this record and is never
replaced. So every reader gets the same answer at any time, and one of the records makes rows.

A letter counts if the ledger's entry over the failed record is of the letter's run, because that run wrote no row of
it. In the entry of another run, the record was read again, perhaps with a corrected rule, and that run has its own
letters for rows that still failed. A replay into the same keys writes such entries too.

Pure. agents/sinks/claims.py makes the requests.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final, NamedTuple

from pipeline.redriven import Failure, RecordPlace
from pipeline.upload import ledger, typed_fields
from pipeline.upload.ledger import Entry, Start

_NAME: Final = re.compile(r"[^/~]+~[^/~]+~\d+~\d{20}~[^/~]*~\d*\.json", re.ASCII)
_CLAIM: Final = {"format": int, "checksum": str, "topic": str, "partition": int, "offset": int, "topic_id": str}


class Standing(Enum):
    """The standing of a letter in the ledger."""

    COUNTS = "the run that failed wrote the entry over the record"
    OVER = "another run wrote the entry over the record: what still failed has a letter of that run"
    OPEN = "no entry is over the record yet: a worker has still to cut there"
    UNKNOWN = "there is no ledger in which the record could stand"


class ClaimedPart(NamedTuple):
    """The claimed rule and row number of a record. Empty and None: all rules and rows."""

    rule: str
    row: int | None


def standing(failure: Failure, over: Entry | None, start: Start | None) -> Standing:
    """The standing of a letter in a chain: `over` is the entry over its record, and `start` is the chain's start, or None."""
    if over is not None:
        return Standing.COUNTS if failure.run and over.run == failure.run else Standing.OVER
    began_later = start is None or failure.place.offset < start.first
    if not failure.run:  # the letter is from direct upload, before the action had a ledger
        return Standing.COUNTS if began_later else Standing.OPEN
    return Standing.UNKNOWN if began_later else Standing.OPEN


def key(action: str, failure: Failure) -> str:
    """The key of the claim. It does not contain the run, because a row is written once, whichever letter reported it."""
    row = "" if failure.row is None else failure.row
    return f"{prefix(action, failure.place)}{failure.place.offset:0{ledger.OFFSET_DIGITS}d}~{failure.rule}~{row}.json"


def prefix(action: str, place: RecordPlace) -> str:
    """Prefix of the claims of one partition."""
    return f"{folder(action)}{place.topic}~{ledger.topic_id_text(place.topic_id)}~{place.partition}~"


def before(of_partition: str, offset: int) -> str:
    """A text that sorts before the claims of an offset and of all later ones."""
    return f"{of_partition}{offset:0{ledger.OFFSET_DIGITS}d}"


def offset_of(claim: str) -> int:
    """The offset of the record that failed."""
    return int(claim.rsplit("~", 3)[1])


def part_of(claim: str) -> ClaimedPart:
    """The part of the record that a claim is for."""
    rule, row = claim.removesuffix(".json").rsplit("~", 2)[1:]
    return ClaimedPart(rule, int(row) if row else None)


def encode(carrier: RecordPlace) -> bytes:
    """The content of a claim: the record that carries the rows."""
    return typed_fields.sealed(carrier._asdict())


def decode(content: bytes) -> RecordPlace:
    """The record that a claim names. Raises ValueError if the claim was changed."""
    found = typed_fields.object_of(content)
    typed_fields.check(found, _CLAIM, "the claim")
    carrier = RecordPlace(**{name: found[name] for name in RecordPlace._fields})
    if encode(carrier) != content:
        raise ValueError("its checksum is not that of its content: it was changed after it was written")
    return carrier


def is_key(action: str, found: str) -> bool:
    """Whether a key belongs to a claim."""
    return _NAME.fullmatch(found.removeprefix(folder(action))) is not None and found.startswith(folder(action))


def folder(action: str) -> str:
    """Prefix of all claims of an action."""
    return f"{ledger.action_prefix(action)}redriven/"
