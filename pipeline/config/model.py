"""Every setting, declared once, with its default, unit, help and limits.

Names inside connectors, actions and rules are EMQX's, so that its users bring what they have; the rest is ours. Validation,
messages and the manual's tables come from here. This file opens nothing: see load.py for files, connectors/ for the systems.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PrivateAttr

from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Bytes, Name, Seconds
from pipeline.config.s3 import Actions, Connectors
from pipeline.config.sources import Sources
from pipeline.config.text.places import Places


class KafkaConfig(Section):
    """Where Kafka is and what the topics are called."""

    bootstrap_servers: str = setting(advanced=False, description="Comma-separated host:port of the brokers.")
    messages_topic: str = setting("mqtt.messages", advanced=False, description="Topic of the MQTT messages.")
    events_topic: str = setting(
        "mqtt.events", advanced=False, description="Topic of the client events; may be the messages topic."
    )
    dead_letter_topic: str = setting(
        "tidegate.dead-letter", advanced=True, description="Topic of records that could not be handled."
    )
    partitions: int = setting(
        8, advanced=False, ge=1, le=10_000, description="Partitions of topics that have to be created."
    )
    replication_factor: int = setting(
        -1,
        ge=-1,
        description="Replicas of topics that have to be created; -1: the broker's.",
        advanced=True,
    )
    max_message_bytes: Bytes = setting(
        16 << 20,
        advanced=True,
        ge=1024,
        description="Largest record: of the ingress's producer and of topics that have to be created.",
    )
    session_timeout: Seconds = setting(
        30.0,
        ge=1,
        description="A worker that is silent for so long loses its partitions.",
        advanced=True,
    )
    commit_interval: Seconds = setting(1.0, advanced=True, gt=0, description="How often durable offsets are committed.")


class Rule(Section):
    """SQL and the actions that get its rows."""

    sql: str = setting(advanced=False, syntax="sql", min_length=1, description="The statement.")
    actions: list[str] = setting(
        advanced=False, default_factory=list, description='Actions as "type:name", such as "s3:raw".'
    )
    enable: bool = setting(True, advanced=False, description="A rule that is switched off evaluates nothing.")
    description: str = setting("", advanced=False, syntax="prose", description="For people.")


class Schema(Section):
    """A schema that rules name in schema_encode, schema_decode and schema_check."""

    type: Literal["json", "avro", "protobuf"] = setting(advanced=False, description="What `source` is written in.")
    source: str = setting(
        min_length=1,
        description="The schema itself: JSON Schema, an Avro schema, or a .proto file's text.",
        advanced=False,
        syntax="schema",
    )


class Metrics(Section):
    """Where Prometheus finds the counters of a process."""

    bind: str = setting("127.0.0.1", advanced=False, description="Address to listen on.")
    ingress_port: int = setting(0, advanced=False, ge=0, le=65535, description="Port of the ingress; 0: none.")
    worker_port: int = setting(0, advanced=False, ge=0, le=65535, description="Port of the worker; 0: none.")


class Config(Section):
    """A whole pipeline."""

    pipeline: Name = setting(
        advanced=False, description="Name of the pipeline: prefix of its consumer groups and of its ledger."
    )
    kafka: KafkaConfig = setting(advanced=False)
    sources: Sources = setting(advanced=False, default_factory=Sources)
    connectors: Connectors = setting(advanced=False, default_factory=Connectors)
    actions: Actions = setting(advanced=False, default_factory=Actions)
    rules: dict[Name, Rule] = setting(advanced=False, default_factory=dict)
    schemas: dict[Name, Schema] = setting(advanced=False, default_factory=dict)
    metrics: Metrics = setting(advanced=False, default_factory=Metrics)

    _places: Places = PrivateAttr(default_factory=Places)

    @property
    def places(self) -> Places:
        """Where its settings stand in the file that it was read from, if it was."""
        return self._places

    def stands_in(self, places: Places) -> None:
        """Remember the file. For load.py only."""
        self._places = places
