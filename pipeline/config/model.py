"""Every setting, declared once, with its default, unit, help and limits.

Names inside connectors, actions and rules are EMQX's, so that its users can reuse their settings. The other names are
ours. Validation, error messages and the tables of the manual come from here. This file opens nothing: load.py reads
files, and connectors/ connects to the systems.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, PrivateAttr, model_validator

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Name, Seconds
from pipeline.config.kafka import KafkaConfig
from pipeline.config.s3 import Actions, Connectors
from pipeline.config.sources import Sources
from pipeline.config.text.places import Places


def _no_function(value: Any) -> Any:
    """EMQX writes its built-in actions as mappings: `{function: republish, args: …}`."""
    if isinstance(value, dict) and "function" in value:
        name = str(value["function"])[:80]
        raise ValueError(f'expected an action as "type:name", such as "s3:raw", found the function {name!r} of EMQX')
    return value


class Rule(Section):
    """An SQL statement and the actions that get its rows."""

    sql: str = setting(advanced=False, syntax="sql", min_length=1, description="The SQL statement.")
    actions: list[Annotated[str, BeforeValidator(_no_function)]] = setting(
        advanced=False, default_factory=list, description='Actions as "type:name", such as "s3:raw".'
    )
    enable: bool = setting(True, advanced=False, description="Whether the rule runs.")
    description: str = setting(
        "", advanced=False, syntax="prose", description="Description for people, without effect."
    )


class Schema(Section):
    """A schema for schema_encode, schema_decode and schema_check in rules."""

    type: Literal["json", "avro", "protobuf"] = setting(advanced=False, description="Language of `source`.")
    source: str = setting(
        min_length=1,
        description="The schema itself: JSON Schema, an Avro schema, or the text of a .proto file.",
        advanced=False,
        syntax="schema",
    )


class Metrics(Section):
    """Addresses of the pages of the processes: metrics for Prometheus, health and status."""

    bind: str = setting("127.0.0.1", advanced=False, description="Address to listen on.")
    ingress_port: int = setting(0, advanced=False, ge=0, le=65535, description="Port of the ingress. 0: no page.")
    worker_port: int = setting(0, advanced=False, ge=0, le=65535, description="Port of the worker. 0: no page.")


class Otel(Section):
    """Spans for a collector of OpenTelemetry, over OTLP/HTTP. Needs the extra `otel`."""

    endpoint: str = setting(
        advanced=False,
        pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$",
        description="Address of the collector, such as http://collector:4318. Spans go to /v1/traces below it.",
    )
    service_name: str = setting(
        "tidegate", advanced=False, min_length=1, description="The name `service.name` of all processes."
    )
    headers: dict[str, Secret] = setting(
        default_factory=dict,
        advanced=True,
        private=True,
        description="Headers of each request, such as a token of the collector. Values: text, ${NAME} or file:///path.",
    )
    cacertfile: str | None = setting(
        None,
        advanced=True,
        description="PEM file of the trusted certificate authorities. Default: those of the system.",
    )
    timeout: Seconds = setting(
        10.0, advanced=True, gt=0, description="The longest time for one export, with its repetitions."
    )


class Control(Section):
    """The configuration in Kafka: sources, connectors, actions, rules and schemas are in a topic, and not in the file."""

    topic: str = setting(
        "tidegate.config",
        advanced=False,
        min_length=1,
        description="Topic of the configuration. Each pipeline needs its own. Tidegate creates it, compacted.",
    )
    status_topic: str = setting(
        "tidegate.status",
        advanced=True,
        min_length=1,
        description="Topic in which processes report their status. Pipelines may share it. Tidegate creates it.",
    )
    secrets_key: str | None = setting(
        None,
        advanced=True,
        description="File of the keys that open sealed secrets, for workers and ingresses: `tidegate secrets init` makes it.",
    )


class Config(Section):
    """A whole pipeline."""

    pipeline: Name = setting(advanced=False, description="Name of the pipeline, and prefix of its consumer groups.")
    kafka: KafkaConfig = setting(advanced=False)
    sources: Sources = setting(advanced=False, default_factory=Sources)
    connectors: Connectors = setting(advanced=False, default_factory=Connectors)
    actions: Actions = setting(advanced=False, default_factory=Actions)
    rules: dict[Name, Rule] = setting(advanced=False, default_factory=dict)
    schemas: dict[Name, Schema] = setting(advanced=False, default_factory=dict)
    metrics: Metrics = setting(advanced=False, default_factory=Metrics)
    control: Control | None = setting(None, advanced=False)
    otel: Otel | None = setting(None, advanced=False)

    _places: Places = PrivateAttr(default_factory=Places)
    _revision: int = PrivateAttr(default=0)

    @model_validator(mode="after")
    def _named(self) -> Self:
        self.kafka.belongs_to(self.pipeline)
        return self

    @property
    def revision(self) -> int:
        """Which revision of the pipeline's configuration this is; 0 for what was read from a file."""
        return self._revision

    def is_revision(self, number: int) -> None:
        """Remember its number. For whoever keeps revisions, of which each later one has a higher number."""
        self._revision = number

    @property
    def places(self) -> Places:
        """Places of the settings in the file from which the configuration was read, if it was."""
        return self._places

    def stands_in(self, places: Places) -> None:
        """Remember these places. For load.py only."""
        self._places = places
