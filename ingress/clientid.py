"""Finds the publisher of a message. MQTT does not tell a subscriber, so several ways are tried in the configured order.

A user property that the broker sets can be trusted, and so can a topic level under an access rule (`%c`). A payload
field is only a claim of the device. Each record says which way found its clientid. If no way finds one, the clientid is
unknown; the subscriber's own clientid is never used instead.

Pure: no I/O. This file does not check that a device may use a clientid; the broker does this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from pipeline.config.clientid_from import ClientidFrom
from pipeline.record import UNKNOWN

FROM_USER_PROPERTY: Final = b"user_property"
FROM_TOPIC: Final = b"topic"
FROM_PAYLOAD: Final = b"payload"
CLIENTID_BYTES_MAX: Final = 65_535


class Found(NamedTuple):
    """A clientid and the way that found it. The clientid is None with UNKNOWN."""

    clientid: bytes | None
    clientid_from: bytes


NOT_FOUND: Final = Found(None, UNKNOWN)

# A way to find the clientid that needs the message itself.
Step = Callable[[bytes, Mapping[bytes, bytes]], bytes | None]


class Steps(NamedTuple):
    """The plan for one topic name: steps that read the message, and the result if all of them fail."""

    steps: tuple[tuple[Step, bytes], ...]
    otherwise: Found

    @property
    def is_fixed_without_properties(self) -> bool:
        """Whether every message of the topic without user properties has the same answer."""
        return all(clientid_from == FROM_USER_PROPERTY for _, clientid_from in self.steps)

    def resolve(self, payload: bytes, user_properties: Mapping[bytes, bytes]) -> Found:
        """The clientid of one message."""
        for step, clientid_from in self.steps:
            clientid = step(payload, user_properties)
            if clientid:
                return Found(clientid, clientid_from)
        return self.otherwise


class Resolver:
    """The configured ways in order."""

    def __init__(self, ways: Sequence[ClientidFrom]) -> None:
        self._ways = [_compile(way) for way in ways]
        self._topics = {index: _TopicTemplate(way.topic) for index, way in enumerate(ways) if way.topic is not None}

    def steps(self, topic: bytes) -> Steps:
        """The plan for messages of `topic`.

        Topic templates are decided here, because one always matches a topic or never does.
        """
        steps: list[tuple[Step, bytes]] = []
        for index, way in enumerate(self._ways):
            if way is not None:
                steps.append(way)
                continue
            clientid = self._topics[index].clientid(topic)
            if clientid:
                return Steps(tuple(steps), Found(clientid, FROM_TOPIC))
        return Steps(tuple(steps), NOT_FOUND)


def _compile(way: ClientidFrom) -> tuple[Step, bytes] | None:
    if way.user_property is not None:
        return _user_property(way.user_property.encode()), FROM_USER_PROPERTY
    if way.payload is not None:
        return _payload(way.payload.split(".")), FROM_PAYLOAD
    return None


def _user_property(name: bytes) -> Step:
    return lambda payload, user_properties: user_properties.get(name)


def _payload(path: Sequence[str]) -> Step:
    def step(payload: bytes, user_properties: Mapping[bytes, bytes]) -> bytes | None:
        try:
            value: Any = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return None
        for name in path:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return _as_clientid(value)

    return step


def _as_clientid(value: Any) -> bytes | None:
    """The clientid from a text or a whole number. Any other value is a mistake of the device, and gives None."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    clientid = str(value).encode("utf-8", "replace")
    return clientid if len(clientid) <= CLIENTID_BYTES_MAX else None


class _TopicTemplate:
    """`devices/{clientid}/up`: literal levels, `+` for any one level, `#` for the rest, and {clientid} for the id."""

    def __init__(self, template: str) -> None:
        levels = template.encode().split(b"/")
        self._place = levels.index(b"{clientid}")
        self._open_end = levels[-1] == b"#"
        if self._open_end:
            levels.pop()
        self._literals = [(index, level) for index, level in enumerate(levels) if level not in (b"+", b"{clientid}")]
        self._levels = len(levels)

    def clientid(self, topic: bytes) -> bytes | None:
        """The clientid in `topic`, or None if the topic does not match."""
        levels = topic.split(b"/")
        if len(levels) != self._levels and not (self._open_end and len(levels) > self._levels):
            return None
        if any(levels[index] != literal for index, literal in self._literals):
            return None
        return levels[self._place] or None
