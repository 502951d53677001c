"""Which record carries the rows of a dead letter that was sent again, and whether the letter counts at all.

    _tidegate/<action>/redriven/<topic>~<topic id>~<partition>~<offset>~<rule>~<row>.json    the record that carries them

Whoever sends letters again can be killed before it is known what was sent, or do it twice. Then several records repeat one
failure. The first of them that a lane meets *claims* it: the object above is only ever created, and names that record. So each of
them gets the same answer whenever it is read, by whomever, and one of them makes rows.

A letter counts if the ledger's entry over the record that failed is of the letter's run: that run wrote no row of it. Any other
run's entry tells of a history in which the record was read anew, perhaps under a rule that was mended: it has letters of its own
for what still failed. A replay into the same keys writes such entries too.

Pure. Asking is agents/sinks/claims.py's.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from pipeline.redriven import Failure, RecordPlace
from pipeline.upload import ledger, typed_fields
from pipeline.upload.ledger import Entry, Start

_NAME: Final = re.compile(r"[^/~]+~[^/~]+~\d+~\d{20}~[^/~]*~\d*\.json", re.ASCII)
_CLAIM: Final = {"format": int, "checksum": str, "topic": str, "partition": int, "offset": int, "topic_id": str}


class Standing(Enum):
    """What the ledger says of a letter."""

    COUNTS = "the run that failed wrote the entry over the record"
    OVER = "another run wrote the entry over the record: what still failed has a letter of that run"
    OPEN = "no entry is over the record yet: a worker has still to cut there"
    UNKNOWN = "there is no ledger in which the record could stand"


def standing(failure: Failure, over: Entry | None, start: Start | None) -> Standing:
    """What a chain says of a letter: `over` is its entry over the record, `start` its beginning, None if there is none."""
    if over is not None:
        return Standing.COUNTS if failure.run and over.run == failure.run else Standing.OVER
    began_later = start is None or failure.place.offset < start.first
    if not failure.run:  # of direct upload, which kept no ledger, and before the action had one
        return Standing.COUNTS if began_later else Standing.OPEN
    return Standing.UNKNOWN if began_later else Standing.OPEN


def key(action: str, failure: Failure) -> str:
    """The key of the claim. The run is not in it: a row is written once, whichever letter told that it was missing."""
    row = "" if failure.row is None else failure.row
    return f"{prefix(action, failure.place)}{failure.place.offset:0{ledger.OFFSET_DIGITS}d}~{failure.rule}~{row}.json"


def prefix(action: str, place: RecordPlace) -> str:
    """Prefix of the claims of one partition."""
    return f"{folder(action)}{place.topic}~{ledger.topic_id_text(place.topic_id)}~{place.partition}~"


def before(of_partition: str, offset: int) -> str:
    """What sorts before the claims of an offset and all later ones."""
    return f"{of_partition}{offset:0{ledger.OFFSET_DIGITS}d}"


def offset_of(claim: str) -> int:
    """The offset of the record that failed."""
    return int(claim.rsplit("~", 3)[1])


def part_of(claim: str) -> tuple[str, int | None]:
    """The rule and the number of its row that are claimed; empty and None for all of them."""
    rule, row = claim.removesuffix(".json").rsplit("~", 2)[1:]
    return rule, int(row) if row else None


def encode(carrier: RecordPlace) -> bytes:
    """A claim's content: the record that carries the rows."""
    return ledger.sealed(carrier._asdict())


def decode(content: bytes) -> RecordPlace:
    """The record that a claim names. Raises ValueError if it is not as it was written."""
    found = typed_fields.object_of(content)
    typed_fields.check(found, _CLAIM, "the claim")
    carrier = RecordPlace(**{name: found[name] for name in RecordPlace._fields})
    if encode(carrier) != content:
        raise ValueError("its checksum is not that of its content: it was changed after it was written")
    return carrier


def is_key(action: str, found: str) -> bool:
    """Whether a key is that of a claim."""
    return _NAME.fullmatch(found.removeprefix(folder(action))) is not None and found.startswith(folder(action))


def folder(action: str) -> str:
    """Prefix of all claims of an action."""
    return f"{ledger.action_prefix(action)}redriven/"
