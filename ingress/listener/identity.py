"""A device that has logged in: its allowed topics, and the records of its messages and events.

Pure, except for a bounded cache of topics. This file does not know how a device proves its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from ingress.clientid import NOT_FOUND, Resolver, Steps
from ingress.listener.limits.topics import TOPIC_BYTES_MAX, TopicCount
from ingress.listener.words import Connect, Will
from ingress.route import extra, properties_object, user_properties
from ingress.sparkplug.aliases import Aliases
from ingress.sparkplug.payload import Speaker, speaker_of
from ingress.window import prepared
from pipeline.mqtt.packets import DUP_FLAG, QOS_MASK, RETAIN_FLAG, Properties, Publish
from pipeline.mqtt.properties import AUTHENTICATION_DATA, AUTHENTICATION_METHOD, RECEIVE_MAXIMUM, SESSION_EXPIRY
from pipeline.record import PEERHOST, USERNAME, Outgoing, Prepared, event_record, message_record
from pipeline.topics import matches

FROM_LISTENER: Final = b"listener"
NO_STEPS: Final = Steps((), NOT_FOUND)
_PLACEHOLDER: Final = re.compile("%[cu]")

# Properties of CONNECT that are not in an event.
CREDENTIALS: Final = frozenset({AUTHENTICATION_METHOD, AUTHENTICATION_DATA})

ByFlags = dict[int, Prepared]  # by the first byte of a PUBLISH
REFUSED: Final[ByFlags] = {}  # this object marks a topic that is not allowed


@dataclass(frozen=True)
class Address:
    """Both ends of a connection, and the name in the device's certificate."""

    peerhost: str
    peername: str
    sockname: str
    common_name: str | None = None
    network: str = ""  # the owner of the other end: see limits/seats.py


def permitted(filters: list[str], clientid: str, username: str | None) -> list[str]:
    """The topic filters of one client. A name that could widen a filter does not replace its placeholder."""
    values = {"%c": clientid, "%u": username or ""}
    plain = {placeholder for placeholder, value in values.items() if value and not set(value) & set("/+#")}
    return [
        _PLACEHOLDER.sub(lambda found: values[found[0]], each)
        for each in filters
        if plain.issuperset(_PLACEHOLDER.findall(each))
    ]


def may_publish(filters: list[str], topic: bytes) -> bool:
    """Whether one of these filters matches this topic."""
    name = topic.decode()
    return any(matches(each, name) for each in filters)


def is_notice(topic: bytes) -> bool:
    """Whether a client may tell this of itself as a bridge: a message for the topics that belong to brokers.

    mosquitto publishes the state of a bridge to `$SYS/broker/connection/<name>/state`, also as the will of the bridge.
    """
    return topic.startswith(b"$SYS/")


@dataclass
class Identity:
    """One logged-in device. `topics` are the filters that it may publish to.

    `publishers` finds who published a message that came through a gateway. None: always the device itself.
    """

    clientid: str
    username: str | None
    address: Address
    topics: list[str]
    connect: Connect
    connected_at_ms: int
    will_is_void: bool = False  # the device disconnected normally, or we stop
    topic_count: TopicCount = field(default_factory=TopicCount)
    prepared: dict[bytes, ByFlags] = field(default_factory=dict)  # cached topics
    publishers: Resolver | None = None
    aliases: Aliases | None = None  # the names of Sparkplug B, if the listener keeps them

    def __post_init__(self) -> None:
        # Made once, because the cache of topics would hold a copy for each topic.
        self._key = self.clientid.encode()
        self._names = [(PEERHOST, self.address.peerhost.encode())]
        if self.username is not None:
            self._names.append((USERNAME, self.username.encode()))

    def record(self, message: Publish, now_ms: int) -> Outgoing | None:
        """The record of a message, or None if its topic is not allowed. Key and headers of usual messages are cached."""
        topic, payload, flags, _, properties = message
        known = self.prepared.get(topic)
        if known is None:
            known = {} if may_publish(self.topics, topic) else REFUSED
            self._remember(topic, known)
        if known is REFUSED:
            return None
        steps = self.publishers.steps(topic) if self.publishers is not None else NO_STEPS
        record = self._message(topic, payload, flags, properties, now_ms, steps)
        if not properties and steps.is_fixed_without_properties and self._speaker(topic) is None:
            known[flags] = prepared(record)
        return record

    def table(self, message: Publish, now_ms: int) -> Outgoing | None:
        """The record of the names that a birth of Sparkplug B gives, for the topic of tables."""
        speaker = self._speaker(message[0])
        return (
            self.aliases.table(speaker, message[1], now_ms)
            if self.aliases is not None and speaker is not None
            else None
        )

    def _speaker(self, topic: bytes) -> Speaker | None:
        return speaker_of(topic) if self.aliases is not None else None

    def _remember(self, topic: bytes, known: ByFlags) -> None:
        if len(topic) > TOPIC_BYTES_MAX:
            return
        if self.topic_count.is_enough(len(self.prepared)):
            self.forget_topics()
        self.topic_count.count += 1
        self.prepared[topic] = known

    def forget_topics(self) -> None:
        """Free the cache of topics."""
        self.topic_count.count -= len(self.prepared)
        self.prepared.clear()

    def will(self, will: Will, now_ms: int) -> Outgoing:
        """The record of the device's will."""
        steps = self.publishers.steps(will.topic) if self.publishers is not None else NO_STEPS
        return self._message(will.topic, will.payload, will.flags, will.properties, now_ms, steps)

    def _message(
        self, topic: bytes, payload: bytes, flags: int, properties: Properties, now_ms: int, steps: Steps
    ) -> Outgoing:
        publisher = steps.resolve(payload, user_properties(properties))
        more = self._names
        if self.aliases is not None and (speaker := speaker_of(topic)):
            more = [*more, *self.aliases.headers(speaker, payload)]
        return message_record(
            topic=topic,
            payload=payload,
            qos=(flags & QOS_MASK) >> 1,
            retain=bool(flags & RETAIN_FLAG),
            dup=bool(flags & DUP_FLAG),
            clientid=publisher.clientid or self._key,
            clientid_from=publisher.clientid_from if publisher.clientid else FROM_LISTENER,
            timestamp_ms=now_ms,
            extra=[*more, *extra(properties)],
        )

    # --- Coming and going

    def connected(self) -> Outgoing:
        """The event client.connected, with EMQX's field names."""
        connect = self.connect
        told = tuple(each for each in connect.properties if each[0] not in CREDENTIALS)
        values = dict(connect.properties)
        fields = self._common() | {
            "keepalive": connect.keepalive_seconds,
            "clean_start": connect.clean_start,
            "is_bridge": connect.is_bridge,
            "expiry_interval": values.get(SESSION_EXPIRY, 0),
            "connected_at": self.connected_at_ms,
            "conn_props": {"User-Property": {}} | properties_object(told),
        }
        if values.get(RECEIVE_MAXIMUM):
            fields["receive_maximum"] = values[RECEIVE_MAXIMUM]
        return event_record("client.connected", fields, clientid=self.clientid, timestamp_ms=self.connected_at_ms)

    def forget_login(self) -> None:
        """Keep the parts of CONNECT that are needed later, without the password."""
        kept = tuple(each for each in self.connect.properties if each[0] == SESSION_EXPIRY)
        self.connect = self.connect._replace(password=None, properties=kept)

    def change_expiry(self, seconds: int) -> None:
        """Keep the session for another time, as the client says when it leaves. One that it did not want at first is not kept."""
        if dict(self.connect.properties).get(SESSION_EXPIRY):
            self.connect = self.connect._replace(properties=((SESSION_EXPIRY, seconds),))

    def disconnected(self, reason: str, now_ms: int) -> Outgoing:
        """The event client.disconnected."""
        fields = self._common() | {
            "reason": reason,
            "connected_at": self.connected_at_ms,
            "disconnected_at": now_ms,
        }
        return event_record("client.disconnected", fields, clientid=self.clientid, timestamp_ms=now_ms)

    def _common(self) -> dict[str, Any]:
        address = self.address
        fields: dict[str, Any] = {
            "peerhost": address.peerhost,
            "peername": address.peername,
            "sockname": address.sockname,
            "proto_name": "MQIsdp" if self.connect.version == 3 else "MQTT",
            "proto_ver": self.connect.version,
        }
        if self.username is not None:
            fields["username"] = self.username
        if address.common_name is not None:
            fields["cn"] = address.common_name
        return fields
