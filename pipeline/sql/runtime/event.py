"""The event that a rule is evaluated on, and what the rule may know of the world.

An Event is all input of an evaluation: the fields of the message or client event, its arrival as "now", and the place
in Kafka as the seed of chance. So a replay gives the same rows. Programs share an Event, and with it the decoded
payload.
`Context` is what belongs to the process rather than to the record: the environment that getenv() may see, the tables of
kv_store and proc_dict, and the registered schemas by name (see `schemas.build`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pipeline.sql.runtime.jsontext import DEEP_BYTES_MIN, NotJsonError, from_json, may_be_deep
from pipeline.sql.runtime.shape import Shape
from pipeline.sql.runtime.values import UNDEFINED, Row, text_of

_UNREAD: Final[Any] = object()
GETENV_PREFIX: Final = "EMQXVAR_"


class PayloadNotJsonError(NotJsonError):
    """A path into the payload was read, and the payload is not JSON."""


class Event(msgspec.Struct, gc=False, eq=False, weakref=False):
    """One message or client event.

    `columns`: the event's fields by name; `payload` as the bytes that arrived. `now_ms`: arrival, the rule's "now".
    `seed`: Kafka topic, partition and offset, whatever follows them. Do not change `columns` once a program has run on the event.
    """

    columns: dict[str, Any]
    now_ms: int
    seed: tuple[Any, ...]
    _payload: Any = _UNREAD
    _document: Any = _UNREAD
    _narrow: Any = None
    draws: int = 0

    def payload(self) -> Any:
        """The payload as a string of the language; `undefined` when the event has none."""
        found = self._payload
        if found is _UNREAD:
            found = self.columns.get("payload", UNDEFINED)
            if type(found) is bytes:
                found = text_of(found)
            self._payload = found
        return found

    def document(self) -> Any:
        """The decoded payload, decoded once. Raises PayloadNotJsonError."""
        found = self._document
        if found is _UNREAD:
            found = self.columns.get("payload", UNDEFINED)
            if type(found) is bytes or type(found) is str:
                try:
                    found = from_json(found)
                except NotJsonError as error:
                    raise PayloadNotJsonError(f"decode_json_failed: the payload is {error}") from None
            self._document = found
        return found

    def narrow(self, shape: Shape) -> Any:
        """The top of the decoded payload as a struct of `shape`, decoded once. Raises PayloadNotJsonError."""
        found = self._narrow
        if found is not None and type(found) is shape.struct:
            return found
        payload = self.columns.get("payload")
        if (
            found is None
            and self._document is _UNREAD
            and type(payload) is bytes
            and (len(payload) <= DEEP_BYTES_MIN or not may_be_deep(payload))
            and (payload.isascii() or type(self.payload()) is str)
        ):
            try:
                self._narrow = found = shape.decode(payload)
                return found
            except (msgspec.DecodeError, RecursionError):
                pass  # no JSON, or no object: the general way says which
        self._narrow = found = shape.of(self.document())
        return found

    def row(self) -> Row:
        """A new map of all columns, as `*` selects them."""
        row = self.columns.copy()
        found = row.get("payload")
        if type(found) is bytes:
            try:  # text_of, without the call: for `SELECT *` a tenth of all that the rule costs
                row["payload"] = found.decode()
            except UnicodeDecodeError:
                row["payload"] = text_of(found)
        return row

    def draw(self) -> bytes:
        """The next 32 bytes of chance: a function of the seed, the program (see `start_draws`) and the count of
        draws."""
        self.draws += 1
        return hashlib.blake2b(repr((self.seed[:3], self.draws)).encode(), digest_size=32).digest()

    def start_draws(self, salt: int) -> None:
        """Called when a program that uses chance begins, so that it draws the same whatever ran before it."""
        self.draws = salt


@dataclass(slots=True)
class Context:
    """What a program may know of its process. Give a test its own; the default is shared by all rules of the
    process."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    store: dict[Any, Any] = field(default_factory=dict)
    process: dict[Any, Any] = field(default_factory=dict)
    schemas: dict[str, Any] = field(default_factory=dict)
    read_variables: dict[str, str] = field(default_factory=dict)

    def variable(self, name: str) -> str:
        """An environment variable with the prefix, read once; '' when unset."""
        if name not in self.read_variables:
            self.read_variables[name] = self.environment.get(GETENV_PREFIX + name, "")
        return self.read_variables[name]


DEFAULT_CONTEXT: Final = Context()
