"""The facts that all messages of one MQTT topic name share. They are found for the first message and cached.

They are: whether a filter of the source matches the topic, which adapters use it, how the clientid is found, and the finished
key and headers for each combination of flags. Then a message with its clientid in the topic costs one look-up.

Pure, except for a bounded cache. This file does not know what happens to a record.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from ingress.clientid import Resolver, Steps
from ingress.events import Adapter, ClientEvent
from ingress.sparkplug.aliases import Aliases
from ingress.sparkplug.payload import Speaker, speaker_of
from ingress.window import prepared
from pipeline.memo import Memo
from pipeline.mqtt import traceparent
from pipeline.mqtt.packets import DUP_FLAG, QOS_MASK, RETAIN_FLAG, Properties, Publish
from pipeline.mqtt.properties import CORRELATION_DATA as CORRELATION
from pipeline.mqtt.properties import KNOWN_PROPERTIES, SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS, USER_PROPERTY
from pipeline.mqtt.subscriptions import Copies, Subscriptions
from pipeline.record import CORRELATION_DATA, PROPERTIES, TRACEPARENT, Headers, Outgoing, Prepared, message_record
from pipeline.topics import matches, unshared

ROUTES_MAX: Final = 50_000
ROUTES_BYTES_MAX: Final = 64 << 20
# Memory of a route besides its topic name, which is also in its key and in prepared headers.
ROUTE_BYTES: Final = 768
TOPIC_BYTES_REMEMBERED_MAX: Final = 1024

# Properties of one hop, which say nothing about the message.
HOP_PROPERTIES: Final = frozenset({SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS})


class Route:
    """The route of messages with one topic name."""

    __slots__ = ("_steps", "adapters", "aliases", "copies", "forwarded", "prepared", "speaker")

    def __init__(
        self,
        *,
        forwarded: bool,
        adapters: tuple[Adapter, ...],
        steps: Steps,
        copies: Copies | None = None,
        aliases: Aliases | None = None,
        speaker: Speaker | None = None,
    ) -> None:
        self.aliases = aliases
        self.speaker = speaker  # what the topic says about Sparkplug B, if `aliases` are kept
        self.forwarded = forwarded
        self.copies = copies
        self.adapters = adapters
        self._steps = steps
        # Key and headers by the first byte of a PUBLISH, only for messages that need no further check.
        self.prepared: dict[int, Prepared] = {}

    def events(self, message: Publish, now_ms: int) -> Iterator[ClientEvent]:
        """The client events in a message."""
        topic, payload, flags, _, _ = message
        retained = bool(flags & RETAIN_FLAG)
        for adapter in self.adapters:
            yield from adapter.events(topic.decode("utf-8", "replace"), payload, retained=retained, now_ms=now_ms)

    def record(self, message: Publish, now_ms: int) -> Outgoing:
        """The record of a message. Caches key and headers if the next message with the same flags has the same."""
        topic, payload, flags, _, properties = message
        clientid, clientid_from = self._steps.resolve(payload, user_properties(properties))
        record = message_record(
            topic=topic,
            payload=payload,
            qos=(flags & QOS_MASK) >> 1,
            retain=bool(flags & RETAIN_FLAG),
            dup=bool(flags & DUP_FLAG),
            clientid=clientid,
            clientid_from=clientid_from,
            timestamp_ms=now_ms,
            extra=extra(properties),
        )
        if self.aliases is not None and self.speaker is not None:
            record.headers.extend(self.aliases.headers(self.speaker, payload))
            return record
        usual = not properties and not flags & RETAIN_FLAG and not self.adapters and self.copies is None
        if usual and self._steps.is_fixed_without_properties:
            self.prepared[flags] = prepared(record)
        return record

    def table(self, message: Publish, now_ms: int) -> Outgoing | None:
        """The record of the names that a birth of Sparkplug B gives, for the topic of `aliases`."""
        if self.aliases is None or self.speaker is None:
            return None
        return self.aliases.table(self.speaker, message[1], now_ms)


class Router:
    """Routes by topic name."""

    def __init__(
        self,
        filters: Sequence[str],
        adapters: Sequence[Adapter],
        resolver: Resolver,
        subscribed: Subscriptions | None = None,
        aliases: Aliases | None = None,
    ) -> None:
        self._aliases = aliases
        self._subscribed = subscribed
        self._filters = [unshared(each) for each in filters]
        self._adapters = adapters
        self._resolver = resolver
        self.routes: Memo[bytes, Route] = Memo(ROUTES_MAX, ROUTES_BYTES_MAX)

    def route(self, topic: bytes) -> Route:
        """The route of `topic`. A full cache is emptied, which is cheaper than keeping an order."""
        name = topic.decode("utf-8", "replace")
        route = Route(
            forwarded=any(matches(each, name) for each in self._filters),
            adapters=tuple(each for each in self._adapters if any(matches(wanted, name) for wanted in each.filters)),
            steps=self._resolver.steps(topic),
            copies=self._subscribed.copies_of(name) if self._subscribed is not None else None,
            aliases=self._aliases,
            speaker=speaker_of(topic) if self._aliases is not None else None,
        )
        if len(topic) <= TOPIC_BYTES_REMEMBERED_MAX:
            self.routes.remember(topic, route, ROUTE_BYTES + 6 * len(topic))
        return route


def user_properties(properties: Properties) -> Mapping[bytes, bytes]:
    """The user properties of a message; of equal names the last one counts."""
    return {value[0]: value[1] for each, value in properties if each == USER_PROPERTY}


def identifiers_of(properties: Properties) -> list[int]:
    """The identifiers of the subscriptions that have brought a message."""
    return [value for each, value in properties if each == SUBSCRIPTION_IDENTIFIER]


def extra(properties: Properties) -> Headers:
    """The headers of MQTT 5 properties, if the message has some. `traceparent` has one if it is valid.

    JSON holds only text, so correlation data that is not UTF-8 has a header of its own, byte for byte.
    """
    traced = traceparent.checked(user_properties(properties).get(TRACEPARENT.encode(), b""))
    exact = [(CORRELATION_DATA, value) for each, value in properties if each == CORRELATION and not _is_text(value)]
    told = properties_object(tuple(each for each in properties if each[0] != CORRELATION) if exact else properties)
    found = [*([(PROPERTIES, orjson.dumps(told))] if told else []), *exact]
    return [*found, (TRACEPARENT, traced)] if traced else found


def properties_object(properties: Properties) -> dict[str, Any]:
    """Properties with MQTT 5's names, in the form for rules.

    Of equal user properties the last one counts; User-Property-Pairs has all of them in order. Bytes that are not UTF-8 are
    replaced.
    """
    told: dict[str, Any] = {}
    pairs = []
    for identifier, value in properties:
        if identifier == USER_PROPERTY:
            pairs.append({"key": _text(value[0]), "value": _text(value[1])})
        elif identifier not in HOP_PROPERTIES:
            told[KNOWN_PROPERTIES[identifier].name] = _text(value) if isinstance(value, bytes) else value
    if pairs:
        told["User-Property"] = {pair["key"]: pair["value"] for pair in pairs}
        told["User-Property-Pairs"] = pairs
    return told


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
