"""Client events: what brokers and devices publish about clients, in the words that rules know.

One file for each kind of broker. An adapter names the topic filters that it needs and turns each message on them into
events with EMQX's field names. A fact that the broker does not tell is left out, never invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol


class ClientEvent(NamedTuple):
    """One event: `name` such as client.connected, `fields` as rules see them, without clientid."""

    name: str
    clientid: str
    fields: Mapping[str, Any]


class Adapter(Protocol):
    """Turns the messages on some topic filters into client events. May remember clients, within a bound."""

    filters: tuple[str, ...]

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """The events that a message on one of `filters` tells of, at most a few; none when it tells of none."""
        ...
