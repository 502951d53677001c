"""The record: the form of one MQTT message or client event in Kafka.

It is the only thing that the ingress and the worker share. The value is the MQTT payload, byte for byte, so that any
Kafka tool can read what the device sent. The key is the clientid, so that Kafka's partitions keep the order of each
client. Every field of MQTT that differs from its default is one small header. A header costs about half a microsecond
to write and a third of a microsecond to read. A usual message has only topic, qos and clientid_from.

A client event's record has the header `event` and a JSON object as its value: the fields of the event as rules see them.

This file does not know brokers, rules or S3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson

from pipeline.errors import RecordError

Headers = Sequence[tuple[str, bytes]]

# Names of the headers. Values are UTF-8 text unless the comment says otherwise.
TOPIC: Final = "topic"  # the MQTT topic name
QOS: Final = "qos"  # "1" or "2"; left out for 0
RETAIN: Final = "retain"  # "1"; left out when false
DUP: Final = "dup"  # "1"; left out when false
ID: Final = "id"  # the broker's message id, when an adapter knows it
USERNAME: Final = "username"
PEERHOST: Final = "peerhost"
PROPERTIES: Final = "pub_props"  # JSON object of the MQTT 5 publish properties, with `User-Property`
CORRELATION_DATA: Final = "correlation_data"  # the bytes of this property of MQTT 5, when they are not UTF-8
TRACEPARENT: Final = "traceparent"  # the trace of the message, in W3C's form, when its publisher sent one
METRICS: Final = "metrics"  # JSON object: alias of a Sparkplug B metric → [name, datatype or null], as its birth said
CLIENTID_FROM: Final = "clientid_from"  # where the clientid came from: see CLIENTID_SOURCES
EVENT: Final = "event"  # name of a client event, such as client.connected; absent on messages

# Where a clientid can come from. With UNKNOWN, the key of the record is the topic name, which keeps the order of the
# topic, and the clientid is undefined in rules. The subscriber's own clientid is never used instead.
UNKNOWN: Final = b"unknown"

MESSAGE_EVENT: Final = "message.publish"

# The names of each event in FROM. The second name of an event is the older one. Both select the same event.
EVENT_TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "client.connected": ("$events/client/connected", "$events/client_connected"),
    "client.disconnected": ("$events/client/disconnected", "$events/client_disconnected"),
    "client.connack": ("$events/client/connack", "$events/client_connack"),
    "client.ping": ("$events/client/ping",),
    "client.check_authn_complete": ("$events/auth/check_authn_complete", "$events/client_check_authn_complete"),
    "client.check_authz_complete": ("$events/auth/check_authz_complete", "$events/client_check_authz_complete"),
    "session.subscribed": ("$events/session/subscribed", "$events/session_subscribed"),
    "session.unsubscribed": ("$events/session/unsubscribed", "$events/session_unsubscribed"),
    # EMQX has no rule events for these five, but its ExHook sends them.
    "session.created": ("$events/session/created",),
    "session.resumed": ("$events/session/resumed",),
    "session.discarded": ("$events/session/discarded",),
    "session.takenover": ("$events/session/takenover",),
    "session.terminated": ("$events/session/terminated",),
    "message.delivered": ("$events/message/delivered", "$events/message_delivered"),
    "message.acked": ("$events/message/acked", "$events/message_acked"),
    "message.dropped": ("$events/message/dropped", "$events/message_dropped"),
    "delivery.dropped": ("$events/message/delivery_dropped", "$events/delivery_dropped"),
    "message.transformation_failed": ("$events/message_transformation/failed", "$events/message_transformation_failed"),
    "schema.validation_failed": ("$events/schema_validation/failed", "$events/schema_validation_failed"),
    "alarm.activated": ("$events/sys/alarm_activated",),
    "alarm.deactivated": ("$events/sys/alarm_deactivated",),
}


class Record(NamedTuple):
    """A record that was read from Kafka. The timestamp is in ms. The first three fields are its place, which never changes."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outgoing(NamedTuple):
    """A record that goes to Kafka. `timestamp_ms` is the arrival of the message."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int


class Prepared(NamedTuple):
    """The parts of a record that all usual messages of a topic share, and their bytes: Kafka's client copies them each time."""

    key: bytes
    headers: list[tuple[str, bytes]]
    size_bytes: int


def message_record(
    *,
    topic: bytes,
    payload: bytes,
    qos: int,
    retain: bool,
    dup: bool,
    clientid: bytes | None,
    clientid_from: bytes,
    timestamp_ms: int,
    extra: Iterable[tuple[str, bytes]] = (),
) -> Outgoing:
    """The record of one MQTT message. `extra` holds further headers if they are known (USERNAME, PEERHOST, …)."""
    headers = [(TOPIC, topic), (CLIENTID_FROM, clientid_from)]
    if qos:
        headers.append((QOS, b"1" if qos == 1 else b"2"))
    if retain:
        headers.append((RETAIN, b"1"))
    if dup:
        headers.append((DUP, b"1"))
    headers.extend(extra)
    return Outgoing(topic if clientid is None else clientid, payload, headers, timestamp_ms)


def event_record(event: str, fields: Mapping[str, Any], *, clientid: str, timestamp_ms: int) -> Outgoing:
    """The record of one client event. `fields` have the names of EMQX's rule engine, without the common fields."""
    value = orjson.dumps({"clientid": clientid, **fields})
    return Outgoing(clientid.encode(), value, [(EVENT, event.encode())], timestamp_ms)


# --- Reading: the columns that rules see


Columns = Callable[[Record], dict[str, Any]]


def is_message(record: Record) -> bool:
    """Whether a record is an MQTT message. The ingress writes the header `topic` first, and writes `event` only on events."""
    headers = record.headers
    return (bool(headers) and headers[0][0] == TOPIC) or all(name != EVENT for name, _ in headers)


def message_reader(wanted: frozenset[str] | None, node: str) -> Columns:
    """A function that gives the fields of a message: all fields (`wanted` None, for `SELECT *`), or only those that
    rules read.

    An unknown field is left out, so rules see it as undefined.
    """
    names = MESSAGE_COLUMNS if wanted is None else wanted & MESSAGE_COLUMNS
    plain = [(name, column) for name, column in sorted(_FROM_RECORD.items()) if name in names]
    from_headers = [(name, column) for name, column in sorted(_FROM_HEADERS.items()) if name in names]
    with_payload, with_node = "payload" in names, "node" in names

    def read(record: Record) -> dict[str, Any]:
        found: dict[str, Any] = {"payload": record.value or b""} if with_payload else {}
        for name, column in plain:
            value = column(record)
            if value is not None:
                found[name] = value
        if from_headers:
            headers = dict(record.headers)
            for name, of_headers in from_headers:
                value = of_headers(headers, record)
                if value is not None:
                    found[name] = value
        if with_node:
            found["node"] = node
        return found

    return read


def event_columns(record: Record, node: str) -> dict[str, Any]:
    """The fields of a client event. Raises RecordError if the record's value is not a JSON object."""
    try:
        fields = orjson.loads(record.value or b"")
    except orjson.JSONDecodeError as error:
        raise RecordError(f"the value of a client event is not JSON: {error}") from None
    if not isinstance(fields, dict):
        raise RecordError(f"the value of a client event must be a JSON object, found {type(fields).__name__}")
    fields["event"] = _text(dict(record.headers)[EVENT])
    fields["timestamp"] = record.timestamp
    fields["node"] = node
    return fields


def routing_topics(record: Record) -> tuple[str, ...]:
    """The names that FROM must match: the topic name of a message, or the names of an event's topic."""
    headers = dict(record.headers)
    if is_message(record):
        return (headers.get(TOPIC, b"").decode("utf-8", "surrogateescape"),)
    return EVENT_TOPICS.get(headers[EVENT].decode("utf-8", "replace"), ())


def names_events(source: str) -> bool:
    """Whether a source in FROM names client events, and no topics of messages."""
    return source.startswith("$events/")


def message_id(record: Record) -> str:
    """32 upper-case hex digits, the same in every replay, because partition and offset of a record never change."""
    return id_of(record.timestamp, record.partition, record.offset)


def id_of(timestamp: int, partition: int, offset: int) -> str:
    """The `message_id` of the record with these fields."""
    return f"{timestamp & 0xFFFFFFFFFFFF:012X}{partition & 0xFFFFFFFF:08X}{offset & 0xFFFFFFFFFFFF:012X}"


def _text(value: bytes) -> str | bytes:
    """The text if the value is UTF-8, else the bytes."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _clientid(record: Record) -> Any:
    """The key, or undefined if the ingress did not know the publisher and used the topic as the key."""
    return None if record.key is None or not is_known(record.headers) else _text(record.key)


def is_known(headers: Headers) -> bool:
    """Whether the ingress knew the publisher. The first header of that name counts."""
    return next((value for name, value in headers if name == CLIENTID_FROM), None) != UNKNOWN


def _header(name: str) -> Callable[[Mapping[str, bytes], Record], Any]:
    def read(headers: Mapping[str, bytes], record: Record) -> Any:
        value = headers.get(name)
        return None if value is None else _text(value)

    return read


def properties_of(headers: Mapping[str, bytes]) -> Any:
    """The properties of MQTT 5 of a message with these headers."""
    text = headers.get(PROPERTIES)
    told = orjson.loads(text) if text else {"User-Property": {}}
    if CORRELATION_DATA in headers:
        told["Correlation-Data"] = headers[CORRELATION_DATA]
    return told


_FROM_RECORD: Final[Mapping[str, Callable[[Record], Any]]] = {
    "clientid": _clientid,
    "timestamp": lambda record: record.timestamp,
    "publish_received_at": lambda record: record.timestamp,
    "event": lambda record: MESSAGE_EVENT,
    "client_attrs": lambda record: {},
}
_FROM_HEADERS: Final[Mapping[str, Callable[[Mapping[str, bytes], Record], Any]]] = {
    "topic": lambda headers, record: _text(headers.get(TOPIC, b"")),
    "qos": lambda headers, record: int(headers.get(QOS, b"0")),
    "id": lambda headers, record: _text(headers[ID]) if ID in headers else message_id(record),
    "username": _header(USERNAME),
    "peerhost": _header(PEERHOST),
    "flags": lambda headers, record: {"retain": RETAIN in headers, "dup": DUP in headers},
    "pub_props": lambda headers, record: properties_of(headers),
    TRACEPARENT: _header(TRACEPARENT),
}

MESSAGE_COLUMNS: Final = frozenset(_FROM_RECORD) | frozenset(_FROM_HEADERS) | {"payload", "node"}
