"""The events that a rule can select: their columns, a sample of each column, and a statement to begin with. Pure.

`/rule_events` shows them, and `/rule_test` fills in what its context leaves out. The samples are those of EMQX.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from pipeline.errors import ConfigError
from pipeline.record import EVENT_TOPICS, MESSAGE_EVENT, TRACEPARENT

_PUBLISH: Final = (
    *("id", "clientid", "username", "payload", "peerhost", "topic", "qos", "flags", "publish_received_at"),
    *("pub_props", "client_attrs"),
)
_DELIVERED: Final = (
    *("id", "from_clientid", "from_username", "clientid", "username", "payload", "peerhost", "topic", "qos"),
    *("flags", "publish_received_at", "pub_props"),
)
_CONNECTION: Final = (
    *("clientid", "username", "peername", "sockname", "proto_name", "proto_ver", "keepalive", "clean_start"),
    *("expiry_interval", "conn_props", "connected_at", "client_attrs"),
)
_SESSION: Final = ("clientid", "username", "peerhost", "topic", "qos", "client_attrs")
_SESSION_LIFE: Final = ("clientid", "username", "peerhost", "client_attrs")
_ALARM: Final = ("name", "details", "message", "activated_at")


class RuleEvent(NamedTuple):
    """One event. `title` is for people."""

    title: str
    columns: tuple[str, ...]


KINDS: Final[Mapping[str, RuleEvent]] = {
    MESSAGE_EVENT: RuleEvent("A message is published", (*_PUBLISH, TRACEPARENT)),
    "message.delivered": RuleEvent("A message is delivered to a subscriber", _DELIVERED),
    "message.acked": RuleEvent("A subscriber has acknowledged a message", (*_DELIVERED, "puback_props")),
    "message.dropped": RuleEvent("A message is dropped", (*_PUBLISH, "reason")),
    "delivery.dropped": RuleEvent("The delivery of a message is dropped", (*_DELIVERED, "reason")),
    "client.connected": RuleEvent("A client has connected", (*_CONNECTION, "mountpoint", "is_bridge")),
    "client.disconnected": RuleEvent(
        "A client has disconnected",
        (
            *("reason", "clientid", "username", "peername", "sockname", "proto_name", "proto_ver"),
            *("disconn_props", "connected_at", "disconnected_at", "client_attrs"),
        ),
    ),
    "client.connack": RuleEvent("A client is answered CONNACK", (*_CONNECTION, "reason_code")),
    "client.ping": RuleEvent("A client has sent PINGREQ", _CONNECTION),
    "client.check_authn_complete": RuleEvent(
        "A client's login was checked",
        ("clientid", "username", "peername", "reason_code", "is_superuser", "is_anonymous"),
    ),
    "client.check_authz_complete": RuleEvent(
        "A client's permission was checked",
        ("clientid", "username", "peername", "topic", "action", "authz_source", "result"),
    ),
    "session.subscribed": RuleEvent("A client has subscribed", (*_SESSION, "sub_props")),
    "session.unsubscribed": RuleEvent("A client has unsubscribed", (*_SESSION, "unsub_props")),
    "session.created": RuleEvent("A session begins", _SESSION_LIFE),
    "session.resumed": RuleEvent("A session goes on", _SESSION_LIFE),
    "session.discarded": RuleEvent("A session is discarded for a new one", _SESSION_LIFE),
    "session.takenover": RuleEvent("A session is taken over by a new connection", _SESSION_LIFE),
    "session.terminated": RuleEvent("A session ends", (*_SESSION_LIFE, "reason")),
    "schema.validation_failed": RuleEvent("A message does not fit its schema", (*_PUBLISH, "validation")),
    "message.transformation_failed": RuleEvent("A message cannot be transformed", (*_PUBLISH, "transformation")),
    "alarm.activated": RuleEvent("An alarm is raised", _ALARM),
    "alarm.deactivated": RuleEvent("An alarm is over", (*_ALARM, "deactivated_at")),
}
COMMON: Final = ("event", "timestamp", "node")
SAMPLED_MS: Final = 1_764_000_000_000

# By column: a sample, and what it is.
SAMPLES: Final[Mapping[str, tuple[Any, str]]] = {
    "action": ("publish", "publish or subscribe"),
    "activated_at": (SAMPLED_MS * 1000, "when the alarm was raised, in microseconds"),
    "authz_source": ("file", "what decided"),
    "clean_start": (True, "whether the client begins a new session"),
    "client_attrs": ({"test": "example"}, "attributes of the client"),
    "clientid": ("c_emqx", "the client's identifier"),
    "conn_props": ({"User-Property": {}}, "properties of CONNECT"),
    "connected_at": (SAMPLED_MS, "when the client connected, in milliseconds"),
    "deactivated_at": (SAMPLED_MS * 1000, "when the alarm was over, in microseconds"),
    "details": ({}, "what the alarm is about"),
    "disconn_props": ({"User-Property": {}}, "properties of DISCONNECT"),
    "disconnected_at": (SAMPLED_MS, "when the client disconnected, in milliseconds"),
    "expiry_interval": (3600, "how long the session is kept, in seconds"),
    "flags": ({}, "flags of the message: dup, retain"),
    "from_clientid": ("c_emqx_1", "the publisher's identifier"),
    "from_username": ("u_emqx_1", "the publisher's user name"),
    "id": ("0005F7A2B3C4D5E6F40500000A1B2C3D", "the message's identifier"),
    "is_anonymous": (False, "whether the client has no login"),
    "is_bridge": (False, "whether the client is a bridge"),
    "is_superuser": (False, "whether the client may do everything"),
    "keepalive": (60, "seconds between two signs of life"),
    "message": ("an alarm", "the alarm in words"),
    "mountpoint": ("", "what is put before topics"),
    "name": ("alarm_name", "the alarm's name"),
    "payload": ('{"msg": "hello"}', "the message's content"),
    "peerhost": ("192.168.0.10", "the client's address"),
    "peername": ("192.168.0.10:56431", "the client's address and port"),
    "proto_name": ("MQTT", "name of the protocol"),
    "proto_ver": (5, "version of the protocol"),
    "pub_props": ({"User-Property": {}}, "properties of PUBLISH"),
    "puback_props": ({"User-Property": {}}, "properties of PUBACK"),
    "publish_received_at": (SAMPLED_MS, "when the message came, in milliseconds"),
    "qos": (1, "quality of service"),
    "reason": ("normal", "why"),
    "reason_code": ("success", "the code of the answer"),
    "result": ("allow", "allow or deny"),
    "sockname": ("127.0.0.1:1883", "our address and port"),
    "sub_props": ({"User-Property": {}}, "properties of SUBSCRIBE"),
    "topic": ("t/a", "the topic name"),
    TRACEPARENT: ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "the trace of the message"),
    "transformation": ("transformation_name", "name of the transformation"),
    "unsub_props": ({"User-Property": {}}, "properties of UNSUBSCRIBE"),
    "username": ("u_emqx", "the client's user name"),
    "validation": ("validation_name", "name of the validation"),
}


def event_type(event: str) -> str:
    """The name of an event in a context: `client_connected`."""
    return event.replace(".", "_")


TYPES: Final = {event_type(event): event for event in KINDS}


def fields_of(context: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the event of a context; what it leaves out is filled in. Raises ConfigError with a path."""
    event = TYPES.get(str(context.get("event_type")))
    if event is None:
        raise ConfigError(f"expected one of {', '.join(TYPES)}", where="root.context.event_type")
    given = {name: value for name, value in context.items() if name != "event_type"}
    known = {*KINDS[event].columns, *COMMON, "metadata"}
    for name in given:
        if name not in known:
            raise ConfigError(f"the event {event} has no such field", where=f"root.context.{name[:100]}")
    samples = {name: SAMPLES[name][0] for name in KINDS[event].columns}
    return {"timestamp": SAMPLED_MS, **samples, **given, "event": event}


def described() -> list[dict[str, Any]]:
    """Every event, in the form of EMQX. `topics`: all names that FROM may have for it."""
    return [_described(event, kind) for event, kind in KINDS.items()]


def _described(event: str, kind: RuleEvent) -> dict[str, Any]:
    topics = EVENT_TOPICS.get(event, ("$events/message_publish",))
    topic = topics[-1]
    return {
        "event": topic,
        "topics": list(topics),
        "event_type": event_type(event),
        "title": {"en": kind.title},
        "description": {"en": f"{kind.title} ({event})."},
        "columns": [*COMMON, *kind.columns],
        "test_columns": {name: list(SAMPLES[name]) for name in kind.columns},
        "sql_example": _example(event, topic),
    }


def _example(event: str, topic: str) -> str:
    if event == MESSAGE_EVENT:
        return "SELECT payload.msg AS msg FROM \"t/#\" WHERE msg = 'hello'"
    where = " WHERE topic =~ 't/#'" if "topic" in KINDS[event].columns else ""
    return f'SELECT * FROM "{topic}"{where}'
