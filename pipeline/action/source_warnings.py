"""Warnings about sources that work, but hardly as intended. `tidegate check` shows each with its setting.

a name nobody proves    `%c` in the topics of a listener protects nothing while any device may claim any clientid
births not taken         names of Sparkplug B cannot be kept without the messages that give them
filters that overlap    a broker may send a message once for each subscription that matches it. pipeline/mqtt/subscriptions.py
                        says which copies the ingress can tell apart; the others are in Kafka more than once
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import Final

from pipeline.config import Config, MqttSource
from pipeline.config.text.problems import Problem
from pipeline.mqtt.subscriptions import Subscriptions, overlaps, subscriptions
from pipeline.topics import group_of, may_meet, unshared

BIRTHS: Final = "spBv1.0/+/NBIRTH/+"


def of_sources(config: Config) -> Iterator[Problem]:
    """All warnings in the order of the file."""
    for name, source in config.sources.mqtt.items():
        for problem in _within(source, subscriptions(_filters(source))):
            yield Problem(("sources", "mqtt", name, "topics"), problem)
        if source.sparkplug_aliases and not any(may_meet(BIRTHS, unshared(each)) for each in source.topics):
            yield Problem(
                ("sources", "mqtt", name, "sparkplug_aliases"),
                f"no filter in topics matches births, such as {BIRTHS!r}",
            )
    for one, other in combinations(config.sources.mqtt, 2):
        if problem := _between(one, config.sources.mqtt[one], config.sources.mqtt[other]):
            yield Problem(("sources", "mqtt", other, "topics"), problem)
    for name, listener in config.sources.listener.items():
        if listener.unproven:
            yield Problem(("sources", "listener", name, "topics"), listener.unproven)


def _filters(source: MqttSource) -> list[str]:
    status = source.status_topic
    return [*source.topics, *([status.topic.replace("{clientid}", "+")] if status is not None else [])]


def _within(source: MqttSource, wanted: Subscriptions) -> Iterator[str]:
    """Warnings about copies within one source, each kind once."""
    pairs = overlaps(wanted.filters)
    plain = [pair for pair in pairs if not any(map(group_of, pair))]
    if plain and source.protocol != "5":
        yield (
            f"{_both(plain[0])} match the same messages, which the broker may send twice: MQTT 3.1.1 does not say which"
            " subscription a copy came by. Use protocol: 5, or filters that do not overlap"
        )
    mixed = [pair for pair in overlaps(source.topics) if bool(group_of(pair[0])) != bool(group_of(pair[1]))]
    if mixed:
        yield (
            f"{_both(mixed[0])} match the same messages: each of them also goes to another member of the group, if there is one,"
            " and is then in Kafka twice"
        )
    shared = [pair for pair in pairs if all(map(group_of, pair))]
    if shared:
        yield f"{_both(shared[0])} match the same messages, of which each shared subscription gets one: they are in Kafka twice"


def _between(one: str, its: MqttSource, other: MqttSource) -> str:
    """The reason why messages come by two sources, or an empty text."""
    if _host(its) != _host(other):
        return ""
    both = [pair for pair in product(_filters(its), _filters(other)) if _meet(*pair)]
    if both:
        why = f"{both[0][1]!r} matches messages of {both[0][0]!r}, which sources.mqtt.{one} takes from this broker too"
    elif events := [each for each in other.events if each in its.events]:
        why = f"sources.mqtt.{one} takes the events of {events[0]} from this broker too"
    else:
        return ""
    where = "" if its.server.lower() == other.server.lower() else " (if both ports are of one broker)"
    return f"{why}{where}: they are in Kafka twice"


def _host(source: MqttSource) -> str:
    return source.server.rpartition(":")[0].lower()


def _meet(one: str, other: str) -> bool:
    """Whether one message can come by both filters. Two members of a group share its messages."""
    is_one_share = one == other and bool(group_of(one))
    return not is_one_share and may_meet(unshared(one), unshared(other))


def _both(pair: tuple[str, str]) -> str:
    return f"{pair[0]!r} and {pair[1]!r}"
