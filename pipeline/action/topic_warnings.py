"""Warnings about the FROM of rules that get no record. `tidegate check` shows each with its rule.

an event nobody knows    `$events/…` is not the name of an event
no events                no source makes client events
no messages              no source takes messages with such a topic

A pipeline without sources reads what other processes publish, so nothing can be said about it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import chain
from typing import Final

from pipeline.config import Config, MqttSource
from pipeline.config.text.problems import Problem
from pipeline.record import EVENT_TOPICS, names_events
from pipeline.sql.syntax.nodes import Statement
from pipeline.topics import matches, may_meet, unshared

_NAMES: Final = tuple(chain.from_iterable(EVENT_TOPICS.values()))
_OWN_NAME: Final = re.compile("%[cu]")


def of_topics(config: Config, statements: dict[str, Statement]) -> Iterator[Problem]:
    """All warnings in the order of the rules."""
    for name, statement in statements.items():
        for wanted in statement.sources:
            if problem := _event(config, wanted) if names_events(wanted) else _messages(config, wanted):
                yield Problem(("rules", name, "sql"), problem)


def _event(config: Config, wanted: str) -> str:
    if not any(matches(wanted, each) for each in _NAMES):
        close = difflib.get_close_matches(wanted, _NAMES, n=1)
        return f"no event is called {wanted!r}" + (f"; did you mean {close[0]!r}?" if close else "")
    sources = config.sources
    makes_some = sources.exhook or sources.listener or any(each.events or each.status_topic for each in _mqtt(config))
    if sources.mqtt and not makes_some:
        return f"{wanted!r} gets nothing: no source makes client events. Set events or status_topic of a source in mqtt"
    return ""


def _messages(config: Config, wanted: str) -> str:
    taken = _taken(config)
    if not taken or any(may_meet(wanted, each) for each in taken):
        return ""
    shown = ", ".join(map(repr, taken[:3])) + (" and others" if len(taken) > 3 else "")
    return f"{wanted!r} gets nothing: the sources take {shown}"


def _mqtt(config: Config) -> list[MqttSource]:
    return list(config.sources.mqtt.values())


def _taken(config: Config) -> list[str]:
    """The topic filters of all sources."""
    subscribed = [unshared(each) for source in _mqtt(config) for each in source.topics]
    status = [each.status_topic.topic.replace("{clientid}", "+") for each in _mqtt(config) if each.status_topic]
    published = [_OWN_NAME.sub("+", each) for source in config.sources.listener.values() for each in source.topics]
    called = [each for source in config.sources.exhook.values() for each in source.messages]
    return list(dict.fromkeys([*subscribed, *status, *published, *called]))
