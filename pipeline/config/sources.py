"""Settings of the ingress: where MQTT messages and client events enter."""

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, setting
from pipeline.config.base.source import SourceSection
from pipeline.config.base.values import RECORDS_MAX, Address, Bytes, Name, Seconds, TopicFilter
from pipeline.config.clientid_from import ClientidFrom, TopicTemplate
from pipeline.config.listener import ListenerSource
from pipeline.config.tls import ClientTls, ServerTls


class StatusTopic(Section):
    """A convention of birth messages and last wills.

    A device reports that it is online; the broker reports that it is gone.
    """

    topic: TopicTemplate = setting(
        advanced=False, description="Topic template with {clientid} as one level, such as status/{clientid}."
    )
    online: str = setting("online", advanced=True, description="Payload of a birth message.")
    offline: str = setting("offline", advanced=True, description="Payload of a last will and of a goodbye message.")


class MqttSource(SourceSection):
    """One MQTT broker to read from."""

    server: Address = setting(advanced=False, description="host:port of the broker.")
    topics: list[TopicFilter] = setting(advanced=False, min_length=1, description="Topic filters to subscribe to.")
    qos: Literal[0, 1] = setting(
        1, advanced=False, description="QoS of the subscription. QoS 1 loses nothing, so 2 is not offered."
    )
    clientid: str = setting(
        "", advanced=True, description="Clientid of the ingress. Default: tidegate-<pipeline>-<name>."
    )
    protocol: Literal["5", "3.1.1"] = setting("5", advanced=False, description="MQTT version.")
    username: str | None = setting(None, advanced=False, description="User name at the broker.")
    password: Secret | None = setting(None, advanced=False, description="Password: text, ${NAME} or file:///path.")
    ssl: ClientTls = setting(advanced=False, default_factory=ClientTls, description="TLS to the broker.")
    transport: Literal["tcp", "websockets"] = setting(
        "tcp", advanced=True, description="Transport of the MQTT connection."
    )
    websocket_path: str = setting("/mqtt", advanced=True, pattern="^/", description="Path of the WebSocket.")
    keepalive: Seconds = setting(60.0, advanced=True, ge=1, description="MQTT keep-alive.")
    session_expiry: Seconds = setting(
        86400.0,
        ge=0,
        description="How long the broker keeps the session while the ingress is away.",
        advanced=True,
    )
    window: int = setting(
        1000, advanced=True, ge=1, le=65535, description="The most messages received and not yet acknowledged."
    )
    window_bytes: Bytes = setting(
        64 << 20,
        ge=1,
        description="The most bytes received and not yet in Kafka. One read may exceed this.",
        advanced=True,
    )
    standby: bool = setting(
        False,
        advanced=True,
        description="Several processes may have this source. Only one connects; another takes over when it is gone.",
    )
    clientid_from: list[ClientidFrom] = setting(
        default_factory=list,
        description="Ways to find the publisher's clientid, tried in this order. Without any, the topic is the key.",
        advanced=False,
    )
    strict_clientid: bool = setting(
        False, advanced=True, description="Refuse ways in which a device can claim any clientid: payload fields."
    )
    retained: Literal["first", "always", "never"] = setting(
        "first",
        description="Which retained messages to take: first: those of a new session; always: those of each"
        " connection; never: none.",
        advanced=True,
    )
    events: list[Literal["mosquitto_log", "emqx_sys", "nanomq_status", "aws_presence"]] = setting(
        default_factory=list,
        description="Adapters that make client events from this broker's own status topics.",
        advanced=True,
    )
    status_topic: StatusTopic | None = setting(
        None,
        description="Birth messages and last wills of devices, which become client events.",
        advanced=True,
    )

    sparkplug_aliases: bool = setting(
        False,
        advanced=True,
        description="Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics"
        " that come with an alias only.",
    )

    @model_validator(mode="after")
    def _trustworthy(self) -> Self:
        if self.strict_clientid and any(way.payload is not None for way in self.clientid_from):
            raise ValueError(
                "clientid_from: with strict_clientid, expected no payload field, since a device can claim any"
                " clientid in it"
            )
        return self

    @model_validator(mode="after")
    def _one_reader(self) -> Self:
        if self.sparkplug_aliases and any(each.startswith("$share/") for each in self.topics):
            raise ValueError(
                "sparkplug_aliases: expected no shared subscription ($share) in topics, since another process may get a"
                " birth at the moment when this one gets the data after it"
            )
        return self

    @model_validator(mode="after")
    def _one_session(self) -> Self:
        if self.standby and any(each.startswith("$share/") for each in self.topics):
            raise ValueError(
                "standby: expected no shared subscription ($share) in topics, since only one process connects"
            )
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


class ExHookSource(SourceSection):
    """A port that EMQX's ExHook calls with the publisher of each message and with client and session events."""

    bind: Address = setting("127.0.0.1:9000", advanced=False, description="host:port to listen on (gRPC).")
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
        description="Events to take from EMQX.",
    )
    messages: list[TopicFilter] = setting(
        default_factory=list,
        advanced=True,
        description="Topic filters of messages to take from EMQX; empty: no messages. If a source in `mqtt` takes"
        " the same message, it is in Kafka twice.",
    )
    buffer_records: int = setting(
        10_000, advanced=True, ge=1, le=RECORDS_MAX, description="The most records that wait for Kafka."
    )
    buffer_bytes: Bytes = setting(
        64 << 20, advanced=True, ge=1, description="The most bytes that wait for Kafka. One call may exceed this."
    )
    when_full: Literal["drop", "wait"] = setting(
        "drop",
        description="drop: when the buffer is full, drop and count records. wait: let EMQX wait, and its client with"
        " it. Calls that wait hold at most buffer_bytes; a further one does not wait.",
        advanced=True,
    )
    wait_timeout: Seconds = setting(
        4.0,
        gt=0,
        description="The longest time that EMQX waits before the record is dropped. Keep it below EMQX's"
        " request_timeout.",
        advanced=True,
    )
    sparkplug_aliases: bool = setting(
        False,
        advanced=True,
        description="Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics"
        " that come with an alias only.",
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
        description="Ports for devices that publish directly to the ingress, by name.",
        advanced=False,
    )
