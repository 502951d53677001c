"""Checks what the user of `kafka` may do with topics and consumer groups, against what each process needs.

The table is that of docs/kafka.md. One configuration serves all processes, and each may have a user of its own. So a user that is
enough for one of them is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pipeline.config import Config
from pipeline.config.listener import ListenerSource
from pipeline.config.sources import ExHookSource, MqttSource
from pipeline.connectors.kafka.groups import forbidden
from pipeline.connectors.kafka.lead import TOPIC as LEAD_TOPIC
from pipeline.connectors.kafka.permissions import permissions
from pipeline.doctor import Check
from pipeline.errors import ConnectorError

Needs = Mapping[str, frozenset[str]]  # by process: the operations

INGRESS: Final = "an ingress"
WORKER: Final = "a worker"
READ: Final = frozenset({"READ"})
WRITE: Final = frozenset({"WRITE"})
NAMES_MAX: Final = 5


def check(config: Config) -> Iterator[Check]:
    """A line for each topic of which Kafka tells, and those of the consumer groups. Blocks."""
    topics, groups = topics_of(config), groups_of(config)
    try:
        allowed = permissions(config.kafka, topics)
    except ConnectorError:
        return  # the check of the connection to Kafka has told it
    for name, needs in topics.items():
        yield from check_topic(name, allowed[name], needs)
    of_messages = allowed[config.kafka.messages_topic]
    if of_messages is not None:  # otherwise Kafka tells nothing of users, or the topic is not there yet
        yield from check_groups(groups, forbidden(config.kafka, groups), may_read=of_messages >= READ)


def topics_of(config: Config) -> dict[str, Needs]:
    """What each process does with each topic of this configuration, except those of `control`."""
    kafka, sources = config.kafka, config.sources
    needs: dict[str, Needs] = {
        kafka.messages_topic: {INGRESS: WRITE, WORKER: READ},
        kafka.events_topic: {INGRESS: WRITE, WORKER: READ},
    }
    needs.setdefault(kafka.dead_letter_topic, {INGRESS: WRITE, WORKER: WRITE, "`tidegate dead-letter`": READ | WRITE})
    if any(each.standby for each in sources.mqtt.values()):
        needs[LEAD_TOPIC] = {INGRESS: READ}
    of_births: list[MqttSource | ExHookSource | ListenerSource] = [*sources.mqtt.values()]
    of_births += [*sources.exhook.values(), *sources.listener.values()]
    if any(each.sparkplug_aliases for each in of_births):
        needs[kafka.aliases_topic] = {INGRESS: READ | WRITE}
    return needs


def groups_of(config: Config) -> dict[str, str]:
    """The process that is in each consumer group."""
    found = {f"{config.pipeline}.{name}": WORKER for name, action in config.actions.s3.items() if action.enable}
    standing_by = [name for name, source in config.sources.mqtt.items() if source.enable and source.standby]
    return found | {f"{config.pipeline}.ingress.{name}": INGRESS for name in standing_by}


def check_topic(name: str, allowed: frozenset[str] | None, needs: Needs) -> Iterator[Check]:
    """What the user may do with a topic. Nothing if Kafka does not tell, or if there is no such topic."""
    title = f"kafka:{name} permissions"
    if allowed is None:
        return
    wanted = frozenset[str]().union(*needs.values())
    missing = ", ".join(sorted((wanted | {"DESCRIBE"}) - allowed))
    if not missing:
        may = " and ".join(each.lower() for each in sorted(wanted))
        yield Check(title, "ok", f"this user may {may}")
        return
    expected = ", ".join(f"{' and '.join(sorted(each))} for {process}" for process, each in needs.items())
    enough_for = [process for process, each in needs.items() if each <= allowed]
    if enough_for and "DESCRIBE" in allowed:
        advice = f"nothing, if it is the user of {' or '.join(enough_for)} alone"
        yield Check(title, "warn", f"this user lacks {missing}", expected, advice)
    elif list(needs) == [INGRESS]:
        advice = f"give this user an ACL for {missing}; nothing, if it is the user of {WORKER} alone"
        yield Check(title, "warn", f"this user lacks {missing}", expected, advice)
    else:
        advice = f"give the user of kafka.authentication, or of kafka.ssl.certfile, an ACL for {missing}"
        yield Check(title, "bad", f"this user lacks {missing}", expected, advice)


def check_groups(groups: Mapping[str, str], denied: Sequence[str], *, may_read: bool) -> Iterator[Check]:
    """What the user may do with consumer groups: a line for each process that is denied some, and one for all others.

    `may_read`: the user reads messages, so it is not that of an ingress alone.
    """
    by_process: dict[str, list[str]] = {}
    for name in denied:
        by_process.setdefault(groups[name], []).append(name)
    for process, names in by_process.items():
        advice = f"give this user an ACL for READ on {'it' if len(names) == 1 else 'them'}"
        is_bad = process == WORKER and may_read
        if not is_bad:
            advice += f"; nothing, if it is the user of {INGRESS if process == WORKER else WORKER} alone"
        found = f"this user lacks READ on the consumer group{'s' if len(names) > 1 else ''} {_shown(names)}"
        yield Check("kafka groups", "bad" if is_bad else "warn", found, f"READ for {process}", advice)
    if seen := len(groups) - len(denied):
        yield Check("kafka groups", "ok", f"this user may look at {seen} of {len(groups)} consumer groups")


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_MAX} more" if len(names) > NAMES_MAX else ""
    return ", ".join(names[:NAMES_MAX]) + more
