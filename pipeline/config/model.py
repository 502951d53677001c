"""Every setting, declared once, with its default, unit, help and limits.

Names inside connectors, actions and rules are EMQX's, so that its users bring what they have; the rest is ours. Validation,
messages and the manual's tables come from here. This file opens nothing: see load.py for files, connectors/ for the systems.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.config.s3 import Actions, Connectors
from pipeline.config.section import Section
from pipeline.config.sources import Sources
from pipeline.config.values import Bytes, Name, Seconds


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
