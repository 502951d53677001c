"""Settings of the ingress: where MQTT messages and client events enter."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config.listener import ListenerSource
from pipeline.config.section import ClientTls, Section, ServerTls
from pipeline.config.values import Bytes, Name, Seconds, Secret, host_and_port
from pipeline.topics import validate_filter


class ClientidFrom(Section):
    """One way to learn who published a message; exactly one field is set."""

    user_property: str | None = Field(None, description="Name of an MQTT 5 user property that the broker sets.")
    topic: str | None = Field(None, description="Topic template with {clientid} as one level, such as t/{clientid}/up.")
    payload: str | None = Field(
        None, description="Dotted path of a field in a JSON payload. A device can claim any id."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [name for name in ("user_property", "topic", "payload") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"expected exactly one of user_property, topic, payload; found {given or 'none'}")
        if self.topic is not None and "{clientid}" not in self.topic.split("/"):
            raise ValueError(f"expected {{clientid}} as one whole level of the topic template, found {self.topic!r}")
        return self


class StatusTopic(Section):
    """A birth and last-will convention: devices say themselves that they come, and the broker that they are gone."""

    topic: str = Field(description="Topic template with {clientid} as one level, such as status/{clientid}.")
    online: str = Field("online", description="Payload of a birth message.")
    offline: str = Field("offline", description="Payload of a last will, and of a farewell.")

    @field_validator("topic")
    @classmethod
    def _template(cls, value: str) -> str:
        if "{clientid}" not in value.split("/"):
            raise ValueError(f"expected {{clientid}} as one whole level of the topic template, found {value!r}")
        return value


class MqttSource(Section):
    """One MQTT broker to read from."""

    server: str = Field(description="host:port of the broker.")
    topics: list[str] = Field(min_length=1, description="Topic filters to subscribe to.")
    qos: Literal[0, 1] = Field(1, description="QoS of the subscription. 2 is not offered: 1 already loses nothing.")
    clientid: str = Field("", description="Our own clientid; default tidegate-<pipeline>-<name>.")
    protocol: Literal["5", "3.1.1"] = Field("5", description="MQTT version.")
    username: str | None = Field(None, description="User name at the broker.")
    password: Secret | None = Field(None, description="Password, file:// or ${ENVIRONMENT} reference.")
    ssl: ClientTls = Field(default_factory=ClientTls, description="TLS to the broker.")
    transport: Literal["tcp", "websockets"] = Field("tcp", description="What MQTT travels in.")
    websocket_path: str = Field("/mqtt", pattern="^/", description="Path of the WebSocket.")
    keepalive: Seconds = Field(60.0, ge=1, description="MQTT keep-alive.")
    session_expiry: Seconds = Field(
        86400.0, ge=0, description="How long the broker keeps our session while we are away."
    )
    window: int = Field(1000, ge=1, le=65535, description="Messages received and not yet acknowledged, at most.")
    window_bytes: Bytes = Field(
        64 << 20, ge=1, description="Bytes of payload received and not yet in Kafka, at most; one read may exceed it."
    )
    standby: bool = Field(
        False,
        description="Of several processes with this source only one connects; another takes over when it is gone.",
    )
    clientid_from: list[ClientidFrom] = Field(
        default_factory=list, description="Ways to learn who published, tried in turn; none: the topic is the key."
    )
    strict_clientid: bool = Field(False, description="Refuse ways that let a device name itself: no payload fields.")
    retained: Literal["first", "always", "never"] = Field(
        "first", description="Retained messages: when the session is new, at each connection, or not at all."
    )
    events: list[Literal["mosquitto_log", "emqx_sys", "nanomq_status", "aws_presence"]] = Field(
        default_factory=list, description="Adapters that turn what this broker publishes about its clients into events."
    )
    status_topic: StatusTopic | None = Field(
        None, description="A birth and last-will convention, read as client events."
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

    @field_validator("topics")
    @classmethod
    def _filters(cls, value: list[str]) -> list[str]:
        for topic_filter in value:
            validate_filter(topic_filter)
        return value

    @field_validator("server")
    @classmethod
    def _address(cls, value: str) -> str:
        return host_and_port(value)


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

    bind: str = Field("127.0.0.1:9000", description="host:port to listen on, for gRPC.")
    events: list[ExHookEvent] = Field(
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
    messages: list[str] = Field(
        default_factory=list,
        description="Topic filters of messages to be told of; none: no messages. Those that a source in `mqtt` brings"
        " too are in Kafka twice.",
    )
    buffer_records: int = Field(10_000, ge=1, description="Records that wait for Kafka, at most.")
    buffer_bytes: Bytes = Field(64 << 20, ge=1, description="Bytes that wait for Kafka; one call may exceed it.")
    when_full: Literal["drop", "wait"] = Field(
        "drop", description="What cannot wait for Kafka is dropped and counted, or EMQX waits with its client."
    )
    wait_timeout: Seconds = Field(
        4.0, gt=0, description="How long EMQX waits at most, before it is dropped all the same; keep it below its own."
    )
    ssl: ServerTls = Field(default_factory=ServerTls, description="TLS of this port.")

    @field_validator("messages")
    @classmethod
    def _filters(cls, value: list[str]) -> list[str]:
        for topic_filter in value:
            validate_filter(topic_filter)
        return value

    @field_validator("bind")
    @classmethod
    def _bind(cls, value: str) -> str:
        return host_and_port(value)


class Sources(Section):
    """Where messages enter."""

    mqtt: dict[Name, MqttSource] = Field(default_factory=dict, description="MQTT brokers by name.")
    exhook: dict[Name, ExHookSource] = Field(default_factory=dict, description="Ports for EMQX's ExHook, by name.")
    listener: dict[Name, ListenerSource] = Field(
        default_factory=dict, description="Ports for devices that publish straight to us, by name."
    )

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        """The name is the label of metrics and log lines."""
        kinds: dict[str, str] = {}
        for kind in ("mqtt", "exhook", "listener"):
            for name in getattr(self, kind):
                if name in kinds:
                    raise ValueError(
                        f"expected each source to have a name of its own, found {name!r} in {kinds[name]} and {kind}"
                    )
                kinds[name] = kind
        return self
