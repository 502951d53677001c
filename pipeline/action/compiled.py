"""A compiled action of the configuration: rules, templates, container, limits and names in one frozen value.

The digest of an aggregated action covers its rules and every setting that decides which bytes get which key. Two workers with
the same digest make the same objects from the same records. The ledger names the digest of each cut, and the digested text lies
beside the ledger. So another worker can finish a cut under the rules under which it began: see `as_of`.

Pure. This file knows neither the store nor Kafka. The writers decide where dead letters go and how long a call is repeated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import orjson

from pipeline.action.folders import Folder, folders
from pipeline.action.headers import RowHeaders, headers_of, ledger_headers
from pipeline.config import AggregatedParameters, Config, DirectParameters
from pipeline.config.base.section import statement_of
from pipeline.config.dump import content_of, from_content
from pipeline.config.load import placed
from pipeline.config.resource_opts import ResourceOpts
from pipeline.errors import LaneError, Part, RenderError, TidegateError, located
from pipeline.formats import Container, make
from pipeline.record import Record
from pipeline.rule.batch import Evaluator
from pipeline.rule.lines import LineRules
from pipeline.rule.rule_set import RuleSet
from pipeline.sql import Row
from pipeline.sql.runtime.schemas import SchemaText
from pipeline.template import Template
from pipeline.template.object_key import KeyTemplate, check_bucket, check_key
from pipeline.template.object_names import bucket_problem, key_problem
from pipeline.upload.buffer import RollLimits

_BUCKETS: Final = {"bucket", "ledger_bucket"}


class TopicNames(NamedTuple):
    """The names of Kafka's topics in the configuration."""

    messages: str
    events: str


class RenderedObject(NamedTuple):
    """An object in the form in which it is sent. `bucket` is never empty."""

    bucket: str
    key: str
    content: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class CompiledAction:
    """The parts that direct and aggregated actions share. `rules` are the enabled rules that feed the action."""

    name: str
    connector: str
    options: ResourceOpts
    topic_names: TopicNames
    rules: RuleSet
    parameters: DirectParameters | AggregatedParameters
    revision: int = field(default=0, kw_only=True)  # revision of the configuration that it is compiled from

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics of Kafka that the rules can match."""
        wanted = []
        if self.rules.reads_messages:
            wanted.append(self.topic_names.messages)
        if self.rules.reads_events and self.topic_names.events not in wanted:
            wanted.append(self.topic_names.events)
        return tuple(wanted)

    @property
    def evaluator(self) -> Evaluator:
        """What makes the action's rows."""
        return self.rules

    def object_of(self, row: Row, origin: Record) -> RenderedObject:
        """The object of this row alone, for people who try a rule. Raises RenderError or EncodeError."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class DirectAction(CompiledAction):
    """An action that makes one object from each row."""

    parameters: DirectParameters
    bucket: Template
    key: Template
    content: Template
    headers: RowHeaders
    folders: tuple[Folder, ...]

    def render(self, row: Row) -> RenderedObject:
        """The object of a row. Raises RenderError."""
        bucket, key = self.bucket.render_text(row), self.key.render_text(row)
        if problem := bucket_problem(bucket) or key_problem(key):
            raise RenderError(problem)
        for folder in self.folders:
            if problem := folder.problem(bucket, key):
                raise RenderError(problem)
        return RenderedObject(bucket, key, self.content.render(row), self.headers.render(row))

    @property
    def mark(self) -> str:
        """The mark that distinguishes the objects of this action from all others, in every bucket."""
        return mark_of(self.rules.node, self.name)

    @property
    def of_rows(self) -> frozenset[Part]:
        """The parts of a request that fields of rows decide."""
        decided: list[tuple[Part, bool]] = [
            ("bucket", self.bucket.names != frozenset()),
            ("key", self.key.names != frozenset()),
            ("headers", self.headers.of_rows),
            ("content", True),
        ]
        return frozenset(part for part, by_rows in decided if by_rows)

    def object_of(self, row: Row, origin: Record) -> RenderedObject:
        """The object of a row; its record makes no difference. Raises RenderError."""
        return self.render(row)


@dataclass(frozen=True, slots=True, eq=False)
class AggregatedAction(CompiledAction):
    """An action that puts many rows into each object. `digest` is the digest of `text`, and the version of the action
    in the ledger.

    `headers` are for data objects, `ledger_headers` for objects of the ledger. `cut_seconds` is how long a cut stays open. The
    key template has the length of its own time windows.
    """

    parameters: AggregatedParameters
    key: KeyTemplate
    container: Container
    limits: RollLimits
    cut_seconds: float
    headers: Mapping[str, str]
    ledger_headers: Mapping[str, str]
    text: bytes
    digest: str
    lines: LineRules

    @property
    def evaluator(self) -> Evaluator:
        """The rules with the container and the key template."""
        return self.lines

    def partition_name(self, topic: str, partition: int) -> str:
        """The text of `${partition}`.

        If the action reads two topics, it distinguishes partitions of events from those of messages.
        """
        of_events = len(self.topics) > 1 and topic == self.topic_names.events
        return f"e{partition}" if of_events else str(partition)

    def object_of(self, row: Row, origin: Record) -> RenderedObject:
        """The object of this row alone, as the first row of a chunk in epoch 0. Raises RenderError or EncodeError."""
        content = self.container.encode(self.container.line(row))
        partition = self.partition_name(origin.topic, origin.partition)
        group = self.key.group(row, origin.timestamp)
        bucket, key = self.key.location(group, partition=partition, offset=origin.offset, epoch=0)
        return RenderedObject(bucket or self.parameters.home, key, content, self.headers)

    def as_of(self, text: bytes) -> AggregatedAction:
        """This action as the version with this `text`. Settings that decide no bytes keep their present values.

        Raises LaneError if `text` is not the text of a version, or if a program with more settings wrote it.
        """
        home = self.parameters.home
        try:
            fields: dict[str, Any] = orjson.loads(text)
            settings = {"bucket": home, **fields["parameters"], "ledger_bucket": home}
            parameters = from_content(AggregatedParameters, settings).model_copy(update=self._of_now())
            schemas = {name: SchemaText(*schema) for name, schema in fields["schemas"].items()}
            rules = RuleSet(fields["rules"], node=fields["node"], schemas=schemas, action=fields["action"])
            common = fields["action"], self.connector, self.options, self.topic_names, rules
            return replace(_aggregated(common, parameters, schemas, text=text), revision=self.revision)
        except (TidegateError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LaneError(f"a version beside the ledger cannot be used: {error}") from None

    def _of_now(self) -> dict[str, Any]:
        """The settings that decide no bytes, without the buckets.

        The text of a version has the bucket if the ledger is elsewhere.
        """
        fields = type(self.parameters).model_fields
        names = [name for name, field in fields.items() if (said := statement_of(field)) and not said.content]
        return {name: getattr(self.parameters, name) for name in names if name not in _BUCKETS}


_Common = tuple[str, str, ResourceOpts, TopicNames, RuleSet]


def mark_of(pipeline: str, action: str) -> str:
    """The mark of a direct action's objects."""
    return f"{pipeline}/{action}"


def node_of(text: bytes) -> str:
    """The pipeline in the text of a version. Empty if the text does not say."""
    try:
        return str(orjson.loads(text)["node"])
    except (ValueError, KeyError, TypeError):
        return ""


def statements_of(config: Config, name: str) -> dict[str, str]:
    """The enabled rules that feed an action, by id."""
    return {rule_id: rule.sql for rule_id, rule in config.rules.items() if rule.enable and f"s3:{name}" in rule.actions}


def schemas_of(config: Config) -> dict[str, SchemaText]:
    """The schemas that rules and containers can name."""
    return {name: SchemaText(schema.type, schema.source) for name, schema in config.schemas.items()}


def topic_names_of(config: Config) -> TopicNames:
    """The names of Kafka's topics in the configuration."""
    return TopicNames(config.kafka.messages_topic, config.kafka.events_topic)


def compile_rules(config: Config, name: str, statements: Mapping[str, str]) -> RuleSet:
    """Compile the rules of an action. Raises ConfigError, which names the rule or the schema."""
    with placed(config):
        return RuleSet(statements, node=config.pipeline, schemas=schemas_of(config), action=name)


def compile_action(config: Config, name: str, statements: Mapping[str, str] | None = None) -> CompiledAction:
    """Compile a whole action, each statement once. `statements` are its rules; the default is `statements_of`.

    Raises ConfigError, which names the rule, the schema or the setting.
    """
    if statements is None:
        statements = statements_of(config, name)
    return with_rules(config, name, compile_rules(config, name, statements))


def with_rules(config: Config, name: str, rules: RuleSet) -> CompiledAction:
    """Compile the settings of an action with compiled rules. Raises ConfigError, which names the setting."""
    action = config.actions.s3[name]
    common = name, action.connector, action.resource_opts, topic_names_of(config), rules
    with placed(config), located(f"actions.s3.{name}"):
        if isinstance(action.parameters, AggregatedParameters):
            return replace(_aggregated(common, action.parameters, schemas_of(config)), revision=config.revision)
        return replace(_direct(common, action.parameters, folders(config, name)), revision=config.revision)


def _direct(common: _Common, parameters: DirectParameters, others: tuple[Folder, ...]) -> DirectAction:
    with located("parameters.bucket"):
        bucket = Template(parameters.bucket, missing="dead_letter")
        check_bucket(bucket)
    with located("parameters.key"):
        key = Template(parameters.key, missing=parameters.missing)
        check_key(key)
    with located("parameters.content"):
        content = Template(parameters.content, missing=parameters.missing)
    with located("parameters"):
        headers = RowHeaders(parameters)
    return DirectAction(*common, parameters, bucket, key, content, headers, others)


def _aggregated(
    common: _Common, parameters: AggregatedParameters, schemas: Mapping[str, SchemaText], *, text: bytes = b""
) -> AggregatedAction:
    """`text`: the text of a version beside the ledger. The ledger names its digest, so it stays unchanged."""
    name, *_, rules = common
    settings = _content_settings(parameters)
    with located("parameters.key"):
        key = KeyTemplate(
            parameters.key,
            action=name,
            node=rules.node,
            interval_seconds=parameters.aggregation.time_interval,
            missing=parameters.missing,
            bucket=settings.get("bucket", ""),
        )
    with located("parameters.container"):
        container = make(
            settings["container"],
            compression=parameters.compression,
            level=parameters.compression_level,
            content_encoding=parameters.content_encoding,
            schemas=schemas,
        )
    with located("parameters"):
        headers = headers_of(parameters, container.headers)
    text = text or _text(name, rules, schemas, settings)
    digest = hashlib.sha256(text).hexdigest()
    return AggregatedAction(
        *common,
        parameters,
        key,
        container,
        RollLimits(parameters.aggregation.max_records, parameters.aggregation.max_bytes),
        parameters.aggregation.time_interval,
        headers,
        ledger_headers(parameters),
        text,
        digest,
        LineRules(rules, container, key, digest),
    )


def _content_settings(parameters: AggregatedParameters) -> dict[str, Any]:
    """The settings that decide bytes or keys. The bucket is one of them if the ledger is in another bucket."""
    settings = content_of(parameters)
    if parameters.bucket != parameters.home:
        settings["bucket"] = parameters.bucket
    return settings


def _text(name: str, rules: RuleSet, schemas: Mapping[str, SchemaText], settings: Mapping[str, Any]) -> bytes:
    """The digested text, which people and `as_of` can read."""
    texts = {schema: tuple(text) for schema, text in schemas.items()}
    return orjson.dumps(
        {"action": name, "node": rules.node, "rules": rules.statements, "schemas": texts, "parameters": settings},
        option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2,
    )
