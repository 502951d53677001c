"""From an action of the configuration to its compiled rules and the lanes that write its rows.

What a worker and a replay have in common. No Kafka here: who builds says where the partitions end and where dead letters go.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from agents.sinks.aggregated import AggregatedLane
from agents.sinks.attempts import Attempts
from agents.sinks.chain import AggregatedWriter
from agents.sinks.dead_letter import LetterBox
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.lane import Lane, Partition
from agents.sinks.version import Version
from pipeline.config import AggregatedParameters, Config, KafkaConfig
from pipeline.connectors.s3.headers import headers_of, ledger_headers
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import ConfigError, TidegateError, located
from pipeline.rule import RuleSet

OpenLane = Callable[[Partition, Callable[[], None]], Lane]
EndOffset = Callable[[Partition], Awaitable[int]]


class Outside(NamedTuple):
    """What the lanes of an action use: its store, where its dead letters go, its state, the end of a partition."""

    store: S3Store
    dead_letters: LetterBox
    attempts: Attempts
    end_offset: EndOffset


def _statements_of(config: Config, action: str) -> dict[str, str]:
    """The enabled rules that feed an action, by id."""
    return {
        rule_id: rule.sql for rule_id, rule in config.rules.items() if rule.enable and f"s3:{action}" in rule.actions
    }


def check_rules(config: Config, statements: dict[str, str]) -> None:
    """Compile statements one by one, so that an error can name the rule."""
    for name, statement in statements.items():
        try:
            RuleSet({name: statement}, node=config.pipeline, schemas=config.schema_sources)
        except TidegateError as error:
            raise ConfigError(str(error), where=f"rules.{name}.sql") from error


class Built(NamedTuple):
    """An action, compiled. `aggregated` is what its lanes share, if it is one of aggregated upload."""

    rules: RuleSet
    open_lane: OpenLane
    aggregated: AggregatedWriter | None


def build(config: Config, action: str, outside: Outside, *, ledger: str = "", again: bool = False) -> Built:
    """Compile all that an action needs. Raises ConfigError that names the rule or setting.

    For replays: `ledger` names that of aggregated upload, if it is not the action's; `again` lets rows of direct upload replace
    what they made before.
    """
    statements, parameters = _statements_of(config, action), config.actions.s3[action].parameters
    check_rules(config, statements)
    with located(f"actions.s3.{action}"):
        if isinstance(parameters, AggregatedParameters):
            version = Version(action, config.pipeline, statements, parameters, config.schema_sources)
            shared = _aggregated(config, parameters, version, outside, ledger or action)
            return Built(version.rules, lambda partition, on_room: AggregatedLane(partition, on_room, shared), shared)
        rules = RuleSet(statements, node=config.pipeline, schemas=config.schema_sources, action=action)
        window = config.actions.s3[action].resource_opts.puts_at_once
        direct = DirectWriter(
            action, parameters, outside.store, outside.dead_letters, outside.attempts, window, again=again
        )
        return Built(rules, lambda partition, on_room: DirectLane(partition, on_room, direct), None)


def _aggregated(
    config: Config, parameters: AggregatedParameters, version: Version, outside: Outside, ledger: str
) -> AggregatedWriter:
    return AggregatedWriter(
        action=ledger,
        bucket=parameters.home,
        headers=headers_of(parameters, version.container.headers),
        ledger_headers=ledger_headers(parameters),
        version=version,
        store=outside.store,
        dead_letters=outside.dead_letters,
        attempts=outside.attempts,
        events_topic=_events_topic(config, version.rules),
        end_offset=outside.end_offset,
        part_bytes=parameters.min_part_size,
        part_bytes_max=parameters.max_part_size,
    )


def _events_topic(config: Config, rules: RuleSet) -> str:
    """The topic whose partitions need a name of their own in keys: the events', if messages are read as well."""
    kafka = config.kafka
    both = rules.reads_messages and rules.reads_events and kafka.messages_topic != kafka.events_topic
    return kafka.events_topic if both else ""


def topics_of(kafka: KafkaConfig, rules: RuleSet) -> list[str]:
    """The topics that rules can match."""
    found = [kafka.messages_topic] * rules.reads_messages + [kafka.events_topic] * rules.reads_events
    return list(dict.fromkeys(found))
