"""An object as a record of the topic: the key is the object's, the value its JSON, the headers say who, when and through what.

A record without a value is a deletion. All records of one change have the same `change`, so that whoever wrote it can find out
whether Kafka took it, and a history can show them together. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.control.objects import NESTED_MAX, Stored, is_too_deep

_BY: Final = "by"
_AT: Final = "at"
_SOURCE: Final = "from"
_CHANGE: Final = "change"
_CREATED: Final = "created"
# The author of a record without headers, and through what it came.
UNKNOWN: Final = "unknown"
KAFKA: Final = "kafka"


class Past(NamedTuple):
    """One record of the history: what an object became. `stored` is None if it was deleted."""

    key: str
    stored: Stored | None
    revision: int
    by: str
    at: int
    source: str
    change: str


def headers_of(*, by: str, at: int, source: str, change: str, created: int) -> list[tuple[str, str | bytes | None]]:
    """The headers of a record."""
    said = {_BY: by, _AT: str(at), _SOURCE: source, _CHANGE: change, _CREATED: str(created)}
    return [(name, text.encode()) for name, text in said.items()]


def encode(value: Mapping[str, Any] | None) -> bytes | None:
    """The value of a record."""
    return None if value is None else json.dumps(value, separators=(",", ":")).encode()


def decode(key: bytes, value: bytes | None, headers: Sequence[tuple[str, Any]], offset: int, arrived: int) -> Past:
    """What a record says that came into Kafka at `arrived` (milliseconds). Raises ValueError if it is not one of ours.

    Whoever writes with a client of Kafka sets no headers: then the author is unknown, and the time is that of the record.
    """
    said = {name: (text or b"").decode() for name, text in headers}
    try:
        found = None if value is None else json.loads(value)
    except RecursionError:
        raise ValueError("expected an object in JSON, found one that is nested too deeply") from None
    if is_too_deep(found):
        raise ValueError(f"expected at most {NESTED_MAX} lists and objects in each other")
    if found is not None and not isinstance(found, dict):
        raise ValueError("expected an object in JSON")
    by, source, change = said.get(_BY, UNKNOWN), said.get(_SOURCE, KAFKA), said.get(_CHANGE, "")
    at = int(said.get(_AT) or arrived)
    stored = None if found is None else Stored(found, offset, by, at, source, int(said.get(_CREATED) or at))
    return Past(key.decode(), stored, offset, by, at, source, change)
