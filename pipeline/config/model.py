"""Every setting, declared once, with its default, unit, help and limits.

Names inside connectors, actions and rules are EMQX's, so that its users bring what they have; the rest is ours. Validation,
messages and the manual's tables come from here. This file opens nothing: see load.py for files, connectors/ for the systems.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from pipeline.config.values import Bytes, Name, Seconds, Secret
from pipeline.topics import validate_filter


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaConfig(Section):
    """Where Kafka is and what the topics are called."""

    bootstrap_servers: str = Field(description="Comma-separated host:port of the brokers.")
    messages_topic: str = Field("mqtt.messages", description="Topic of the MQTT messages.")
    events_topic: str = Field("mqtt.events", description="Topic of the client events; may be the messages topic.")
    dead_letter_topic: str = Field("tidegate.dead-letter", description="Topic of records that could not be handled.")
    partitions: int = Field(8, ge=1, le=10_000, description="Partitions of topics that have to be created.")
    replication_factor: int = Field(
        -1, ge=-1, description="Replicas of topics that have to be created; -1: the broker's."
    )
    max_message_bytes: Bytes = Field(
        16 << 20,
        ge=1024,
        description="Largest record: of the ingress's producer and of topics that have to be created.",
    )
    session_timeout: Seconds = Field(
        30.0, ge=1, description="A worker that is silent for so long loses its partitions."
    )
    commit_interval: Seconds = Field(1.0, gt=0, description="How often durable offsets are committed.")


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


class Tls(Section):
    """TLS of a client connection."""

    enable: bool = Field(False, description="Speak TLS.")
    verify: Literal["verify_peer", "verify_none"] = Field("verify_peer", description="Check the server's certificate.")
    cacertfile: str | None = Field(None, description="PEM file of the authorities to trust; default: the system's.")


class MqttSource(Section):
    """One MQTT broker to read from."""

    server: str = Field(description="host:port of the broker.")
    topics: list[str] = Field(min_length=1, description="Topic filters to subscribe to.")
    qos: Literal[0, 1] = Field(1, description="QoS of the subscription. 2 is not offered: 1 already loses nothing.")
    clientid: str = Field("", description="Our own clientid; default tidegate-<pipeline>-<name>.")
    protocol: Literal["5", "3.1.1"] = Field("5", description="MQTT version.")
    username: str | None = Field(None, description="User name at the broker.")
    password: Secret | None = Field(None, description="Password, file:// or ${ENVIRONMENT} reference.")
    ssl: Tls = Field(default_factory=Tls, description="TLS to the broker.")
    keepalive: Seconds = Field(60.0, ge=1, description="MQTT keep-alive.")
    session_expiry: Seconds = Field(
        86400.0, ge=0, description="How long the broker keeps our session while we are away."
    )
    window: int = Field(1000, ge=1, le=65535, description="Messages received and not yet acknowledged, at most.")
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

    @field_validator("topics")
    @classmethod
    def _filters(cls, value: list[str]) -> list[str]:
        for topic_filter in value:
            validate_filter(topic_filter)
        return value

    @field_validator("server")
    @classmethod
    def _address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"expected host:port, found {value!r}")
        return value


class Sources(Section):
    """Where messages enter."""

    mqtt: dict[Name, MqttSource] = Field(default_factory=dict, description="MQTT brokers by name.")


class TransportOptions(Section):
    """How requests to the store are made."""

    ssl: Tls = Field(default_factory=lambda: Tls(enable=True), description="TLS; on unless switched off.")
    connect_timeout: Seconds = Field(15.0, gt=0, description="Longest wait for a connection.")
    request_timeout: Seconds = Field(30.0, gt=0, description="Longest wait for an answer to one request.")
    pool_size: int = Field(64, ge=1, le=1024, description="Connections at most, per worker.")


class S3Connector(Section):
    """One S3-compatible endpoint with its credentials, shared by many actions."""

    host: str = Field(description="Host name, without scheme or path.")
    port: int = Field(443, ge=1, le=65535, description="Port.")
    region: str = Field("", description="Signing region; default: the one in an AWS host name, else us-east-1.")
    access_key_id: str | None = Field(None, description="Access key; without it the environment or instance role.")
    secret_access_key: Secret | None = Field(None, description="Secret key, file:// or ${ENVIRONMENT} reference.")
    access_method: Literal["path", "vhost"] = Field("path", description="host/bucket/key or bucket.host/key.")
    transport_options: TransportOptions = Field(default_factory=TransportOptions, description="How requests are made.")
    enable: bool = Field(True, description="A connector that is switched off stops its actions.")
    description: str = Field("", description="For people.")

    @field_validator("host")
    @classmethod
    def _host(cls, value: str) -> str:
        if not value or "/" in value:
            raise ValueError(f"expected a host name without scheme or path, found {value!r}")
        return value

    @model_validator(mode="after")
    def _both_keys(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("expected access_key_id and secret_access_key together, found only one of them")
        return self


Acl = Literal[
    "private",
    "public_read",
    "public_read_write",
    "authenticated_read",
    "bucket_owner_read",
    "bucket_owner_full_control",
]
Missing = Literal["undefined", "empty", "null", "dead_letter"]


class DirectParameters(Section):
    """One object per row."""

    mode: Literal["direct"] = "direct"
    bucket: str = Field(min_length=1, description="Bucket; a template.")
    key: str = Field(min_length=1, description="Object key; a template.")
    content: str = Field("${.}", description="Object content; a template. ${payload} is the payload's very bytes.")
    acl: Acl | None = Field(None, description="Canned ACL of the objects.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of each PUT, such as Content-Type.")
    missing: Missing = Field("undefined", description="What a template prints for a value that is not there.")
    write: Literal["fenced", "overwrite"] = Field(
        "fenced",
        description="fenced: no older row replaces a newer one, and a replay changes nothing; overwrite: plain PUTs.",
    )


class Aggregation(Section):
    """When the rows so far become an object."""

    time_interval: Seconds = Field(1800.0, ge=1, description="Oldest row an open chunk may hold; length of a window.")
    max_records: int = Field(100_000, ge=1, description="A chunk closes at so many rows.")
    max_bytes: Bytes = Field(64 << 20, ge=1, description="A chunk closes at so many bytes before compression.")


class JsonLines(Section):
    """One JSON object per line."""

    type: Literal["json_lines"] = "json_lines"


class AggregatedParameters(Section):
    """Many rows per object."""

    mode: Literal["aggregated"]
    aggregation: Aggregation = Field(default_factory=Aggregation, description="When a chunk closes.")
    container: JsonLines = Field(default_factory=JsonLines, description="File format of the objects.")
    compression: Literal["none", "gzip"] = Field("none", description="Compression of the objects.")
    bucket: str = Field(min_length=1, description="Bucket.")
    key: str = Field(
        min_length=1, description="Object key; a template. Partition, offset and epoch are added if absent."
    )
    min_part_size: Bytes = Field(
        5 << 20, ge=5 << 20, le=5 << 30, description="Larger objects are uploaded in parts of this size."
    )
    acl: Acl | None = Field(None, description="Canned ACL of the objects.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers of each PUT, such as Content-Type.")
    missing: Missing = Field("undefined", description="What the key prints for a value that is not there.")


def _mode(value: object) -> str:
    found = value.get("mode", "direct") if isinstance(value, dict) else getattr(value, "mode", "direct")
    return str(found)


class ResourceOpts(Section):
    """What an action may use."""

    inflight_window: int = Field(100, ge=1, le=10_000, description="PUTs under way at once, per partition (direct).")
    max_buffer_bytes: Bytes = Field(
        256 << 20, ge=1 << 20, description="Bytes held by the action in one worker, at most."
    )


class S3Action(Section):
    """What a rule does with its rows: where and how they are written."""

    connector: str = Field(description="Name of an S3 connector.")
    parameters: Annotated[DirectParameters | AggregatedParameters, Field(discriminator=None)] = Field(
        description="Direct or aggregated upload."
    )
    resource_opts: ResourceOpts = Field(default_factory=ResourceOpts, description="What the action may use.")
    enable: bool = Field(True, description="An action that is switched off reads nothing and keeps its place.")
    description: str = Field("", description="For people.")

    @field_validator("parameters", mode="before")
    @classmethod
    def _by_mode(cls, value: object) -> object:
        """Pick the mode first, so that an error speaks of one shape and not of both."""
        if not isinstance(value, dict):
            return value
        models: dict[str, type[DirectParameters] | type[AggregatedParameters]] = {
            "direct": DirectParameters,
            "aggregated": AggregatedParameters,
        }
        mode = value.get("mode", "direct")
        if mode not in models:
            raise ValueError(f'expected mode "direct" or "aggregated", found {mode!r}')
        return models[mode].model_validate(value)


class Connectors(Section):
    """Links to outside systems."""

    s3: dict[Name, S3Connector] = Field(default_factory=dict, description="S3 endpoints by name.")


class Actions(Section):
    """What rules can do with their rows."""

    s3: dict[Name, S3Action] = Field(default_factory=dict, description="S3 actions by name.")


class Rule(Section):
    """SQL and the actions that get its rows."""

    sql: str = Field(min_length=1, description="The statement.")
    actions: list[str] = Field(default_factory=list, description='Actions as "type:name", such as "s3:raw".')
    enable: bool = Field(True, description="A rule that is switched off evaluates nothing.")
    description: str = Field("", description="For people.")


class Schema(Section):
    """A schema that rules name in schema_encode, schema_decode and schema_check."""

    type: Literal["json", "avro", "protobuf"] = Field(description="What `source` is written in.")
    source: str = Field(
        min_length=1, description="The schema itself: JSON Schema, an Avro schema, or a .proto file's text."
    )


class Metrics(Section):
    """Where Prometheus finds the counters of a process."""

    bind: str = Field("127.0.0.1", description="Address to listen on.")
    ingress_port: int = Field(0, ge=0, le=65535, description="Port of the ingress; 0: none.")
    worker_port: int = Field(0, ge=0, le=65535, description="Port of the worker; 0: none.")


class Config(Section):
    """A whole pipeline."""

    pipeline: Name = Field(description="Name of the pipeline: prefix of its consumer groups and of its ledger.")
    kafka: KafkaConfig
    sources: Sources = Field(default_factory=Sources)
    connectors: Connectors = Field(default_factory=Connectors)
    actions: Actions = Field(default_factory=Actions)
    rules: dict[Name, Rule] = Field(default_factory=dict)
    schemas: dict[Name, Schema] = Field(default_factory=dict)
    metrics: Metrics = Field(default_factory=Metrics)

    @property
    def schema_sources(self) -> dict[str, tuple[str, str]]:
        """Type and source of each schema, as rules take them."""
        return {name: (schema.type, schema.source) for name, schema in self.schemas.items()}

    @model_validator(mode="after")
    def _references(self) -> Self:
        for name, action in self.actions.s3.items():
            if action.connector not in self.connectors.s3:
                known = ", ".join(self.connectors.s3) or "none"
                raise ValueError(
                    f"actions.s3.{name}.connector: no S3 connector {action.connector!r}; there are: {known}"
                )
        for name, rule in self.rules.items():
            for reference in rule.actions:
                kind, _, action_name = reference.partition(":")
                if kind != "s3" or action_name not in self.actions.s3:
                    known = ", ".join(f"s3:{each}" for each in self.actions.s3) or "none"
                    raise ValueError(f"rules.{name}.actions: no action {reference!r}; there are: {known}")
        return self
