"""The event that a rule is evaluated on, and the parts of the process that the rule may read.

An Event is the whole input of an evaluation: the fields of the message or client event, its arrival as "now", and its place in
Kafka as the seed of random numbers. So a replay gives the same rows. Programs share an Event, and with it the decoded payload.
`Context` belongs to the process and not to the record: the environment for getenv(), the tables of kv_store and proc_dict, and
the registered schemas by name (see `schemas.build`).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from pipeline.sql.runtime.jsontext import DEEP_BYTES_MIN, NotJsonError, from_json, may_be_deep
from pipeline.sql.runtime.sandbox import Sandbox
from pipeline.sql.runtime.shape import Shape
from pipeline.sql.runtime.tables import Table
from pipeline.sql.runtime.values import UNDEFINED, Row, text_of

_UNREAD: Final[Any] = object()
GETENV_PREFIX: Final = "EMQXVAR_"


class PayloadNotJsonError(NotJsonError):
    """A path into the payload was read, and the payload is not JSON."""


class Event(msgspec.Struct, gc=False, eq=False, weakref=False):
    """One message or client event.

    `columns`: the event's fields by name, with `payload` as the bytes that arrived. `now_ms`: the arrival, which is the
    rule's "now". `seed`: the record, or only its Kafka topic, partition and offset. Do not change `columns` after a
    program has run on the event.
    """

    columns: dict[str, Any]
    now_ms: int
    seed: tuple[Any, ...]
    _payload: Any = _UNREAD
    _document: Any = _UNREAD
    _narrow: Any = None
    draws: int = 0

    def payload(self) -> Any:
        """The payload as a string of the language, or `undefined` if the event has none."""
        found = self._payload
        if found is _UNREAD:
            found = self.columns.get("payload", UNDEFINED)
            if type(found) is bytes:
                found = text_of(found)
            self._payload = found
        return found

    def document(self) -> Any:
        """The decoded payload. It is decoded once. Raises PayloadNotJsonError."""
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
        """The top level of the decoded payload as a struct of `shape`. It is decoded once. Raises PayloadNotJsonError."""
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
                pass  # not JSON, or not an object: the general way finds out which
        self._narrow = found = shape.of(self.document())
        return found

    def row(self) -> Row:
        """A new map of all columns, as `*` selects them."""
        row = self.columns.copy()
        found = row.get("payload")
        if type(found) is bytes:
            try:  # text_of inline: the call would be a tenth of the cost of `SELECT *`
                row["payload"] = found.decode()
            except UnicodeDecodeError:
                row["payload"] = text_of(found)
        return row

    def header(self, name: str) -> bytes | None:
        """A header of the record, or None if it has none of that name."""
        headers = self.seed[6] if len(self.seed) > 6 else ()
        return next((value for each, value in headers if each == name), None)

    def draw(self) -> bytes:
        """The next 32 random bytes: a function of the seed, the program (see `start_draws`) and the number of draws."""
        self.draws += 1
        return hashlib.blake2b(repr((self.seed[:3], self.draws)).encode(), digest_size=32).digest()

    def start_draws(self, salt: int) -> None:
        """Start the random numbers of a program. A program draws the same numbers, whatever ran before it."""
        self.draws = salt


@dataclass(slots=True)
class Context:
    """The parts of the process that a program may read. All rules of a process share the default. A test uses its own."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    store: Table = field(default_factory=Table)
    process: Table = field(default_factory=Table)
    schemas: dict[str, Any] = field(default_factory=dict)
    sandbox: Sandbox = field(default_factory=Sandbox)
    read_variables: dict[str, str] = field(default_factory=dict)

    def variable(self, name: str) -> str:
        """An environment variable with the prefix, or '' if it is not set. It is read once."""
        if name not in self.read_variables:
            self.read_variables[name] = self.environment.get(GETENV_PREFIX + name, "")
        return self.read_variables[name]


DEFAULT_CONTEXT: Final = Context()
