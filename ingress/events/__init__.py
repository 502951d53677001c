"""Client events: adapters convert the messages of brokers and devices about clients into events for rules.

Each kind of broker has one file. An adapter names the topic filters that it needs, and converts each message on them into events
with EMQX's field names. A fact that the broker does not give is left out, never invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class ClientEvent(NamedTuple):
    """One event: `name` such as client.connected, and `fields` in the form for rules, without clientid."""

    name: str
    clientid: str
    fields: Mapping[str, Any]


class Adapter(Protocol):
    """Converts the messages on some topic filters into client events. It may remember a bounded number of clients."""

    filters: tuple[str, ...]

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """The events of a message on one of `filters`: none, or a few."""
        ...
