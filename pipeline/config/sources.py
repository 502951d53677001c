"""Settings of the ingress: where MQTT messages and client events enter."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, model_validator

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Address, Bytes, Name, Seconds, TopicFilter
from pipeline.config.listener import ListenerSource
from pipeline.config.tls import ClientTls, ServerTls


def _with_clientid(value: str) -> str:
    if "{clientid}" not in value.split("/"):
        raise ValueError("expected {clientid} as one whole level of the topic template")
    return value


_TopicTemplate = Annotated[str, AfterValidator(_with_clientid)]


class ClientidFrom(Section):
    """One way to learn who published a message; exactly one field is set."""

    user_property: str | None = setting(
        None, advanced=False, description="Name of an MQTT 5 user property that the broker sets."
    )
    topic: _TopicTemplate | None = setting(
        None, advanced=False, description="Topic template with {clientid} as one level, such as t/{clientid}/up."
    )
    payload: str | None = setting(
        None,
        description="Dotted path of a field in a JSON payload. A device can claim any id.",
        advanced=False,
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("user_property", "topic", "payload") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of user_property, topic, payload; found {given or 'none'}")
        return self


class StatusTopic(Section):
    """A birth and last-will convention: devices say themselves that they come, and the broker that they are gone."""

    topic: _TopicTemplate = setting(
        advanced=False, description="Topic template with {clientid} as one level, such as status/{clientid}."
    )
    online: str = setting("online", advanced=True, description="Payload of a birth message.")
    offline: str = setting("offline", advanced=True, description="Payload of a last will, and of a farewell.")


class MqttSource(Section):
    """One MQTT broker to read from."""

    server: Address = setting(advanced=False, description="host:port of the broker.")
    topics: list[TopicFilter] = setting(advanced=False, min_length=1, description="Topic filters to subscribe to.")
    qos: Literal[0, 1] = setting(
        1, advanced=False, description="QoS of the subscription. 2 is not offered: 1 already loses nothing."
    )
    clientid: str = setting("", advanced=True, description="Our own clientid; default tidegate-<pipeline>-<name>.")
    protocol: Literal["5", "3.1.1"] = setting("5", advanced=False, description="MQTT version.")
    username: str | None = setting(None, advanced=False, description="User name at the broker.")
    password: Secret | None = setting(None, advanced=False, description="Password: a text, ${NAME} or file:///path.")
    ssl: ClientTls = setting(advanced=False, default_factory=ClientTls, description="TLS to the broker.")
    transport: Literal["tcp", "websockets"] = setting("tcp", advanced=True, description="What MQTT travels in.")
    websocket_path: str = setting("/mqtt", advanced=True, pattern="^/", description="Path of the WebSocket.")
    keepalive: Seconds = setting(60.0, advanced=True, ge=1, description="MQTT keep-alive.")
    session_expiry: Seconds = setting(
        86400.0,
        ge=0,
        description="How long the broker keeps our session while we are away.",
        advanced=True,
    )
    window: int = setting(
        1000, advanced=True, ge=1, le=65535, description="Messages received and not yet acknowledged, at most."
    )
    window_bytes: Bytes = setting(
        64 << 20,
        ge=1,
        description="Bytes of payload received and not yet in Kafka, at most; one read may exceed it.",
        advanced=True,
    )
    standby: bool = setting(
        False,
        advanced=True,
        description="Of several processes with this source only one connects; another takes over when it is gone.",
    )
    clientid_from: list[ClientidFrom] = setting(
        default_factory=list,
        description="Ways to learn who published, tried in turn; none: the topic is the key.",
        advanced=False,
    )
    strict_clientid: bool = setting(
        False, advanced=True, description="Refuse ways that let a device name itself: no payload fields."
    )
    retained: Literal["first", "always", "never"] = setting(
        "first",
        description="Retained messages: when the session is new, at each connection, or not at all.",
        advanced=True,
    )
    events: list[Literal["mosquitto_log", "emqx_sys", "nanomq_status", "aws_presence"]] = setting(
        default_factory=list,
        description="Adapters that turn what this broker publishes about its clients into events.",
        advanced=True,
    )
    status_topic: StatusTopic | None = setting(
        None,
        description="A birth and last-will convention, read as client events.",
        advanced=True,
    )

    @model_validator(mode="after")
    def _trustworthy(self) -> Self:
        if self.strict_clientid and any(way.payload is not None for way in self.clientid_from):
            raise ValueError("clientid_from: a payload field is what the device claims; strict_clientid forbids it")
        return self

    @model_validator(mode="after")
    def _one_session(self) -> Self:
        if self.standby and any(each.startswith("$share/") for each in self.topics):
            raise ValueError("standby: one process at a time, which a shared subscription ($share) contradicts")
        return self


ExHookEvent = Literal[
    "client.connack",
    "client.connected",
    "client.disconnected",
    "session.created",
    "session.subscribed",
    "session.unsubscribed",
    "session.resumed",
    "session.discarded",
    "session.takenover",
    "session.terminated",
    "message.delivered",
    "message.acked",
    "message.dropped",
]


class ExHookSource(Section):
    """An address on which EMQX's ExHook calls us: it tells who published, and who came or went."""

    bind: Address = setting("127.0.0.1:9000", advanced=False, description="host:port to listen on, for gRPC.")
    events: list[ExHookEvent] = setting(
        advanced=False,
        default=[
            "client.connected",
            "client.disconnected",
            "session.created",
            "session.subscribed",
            "session.unsubscribed",
            "session.resumed",
            "session.discarded",
            "session.takenover",
            "session.terminated",
        ],
        description="Events to be told of.",
    )
    messages: list[TopicFilter] = setting(
        default_factory=list,
        advanced=True,
        description="Topic filters of messages to be told of; none: no messages. Those that a source in `mqtt` brings"
        " too are in Kafka twice.",
    )
    buffer_records: int = setting(10_000, advanced=True, ge=1, description="Records that wait for Kafka, at most.")
    buffer_bytes: Bytes = setting(
        64 << 20, advanced=True, ge=1, description="Bytes that wait for Kafka; one call may exceed it."
    )
    when_full: Literal["drop", "wait"] = setting(
        "drop",
        description="What cannot wait for Kafka is dropped and counted, or EMQX waits with its client.",
        advanced=True,
    )
    wait_timeout: Seconds = setting(
        4.0,
        gt=0,
        description="How long EMQX waits at most, before it is dropped all the same; keep it below its own.",
        advanced=True,
    )
    ssl: ServerTls = setting(advanced=False, default_factory=ServerTls, description="TLS of this port.")


class Sources(Section):
    """Where messages enter."""

    mqtt: dict[Name, MqttSource] = setting(advanced=False, default_factory=dict, description="MQTT brokers by name.")
    exhook: dict[Name, ExHookSource] = setting(
        advanced=False, default_factory=dict, description="Ports for EMQX's ExHook, by name."
    )
    listener: dict[Name, ListenerSource] = setting(
        default_factory=dict,
        description="Ports for devices that publish straight to us, by name.",
        advanced=False,
    )
