"""Warnings about a configuration that works, but hardly as intended: keys that objects share, or that a device can
choose.

None of these is an error, because each case has its use. `tidegate check` shows each with its setting and line. No
connection is opened.

    a key without fixed text    what a device sends decides where in the bucket the object lies, and a ledger lies there too
    a key inside another's      rows of an action can take the keys of an aggregated one
    one key for many messages   `${timestamp}` is the same for two messages of one millisecond; `${id}` is not
    conflate, and unique keys   no row waits for the key of another, and a client's objects lose their order
    one key for two actions     each finds the other's objects under its keys
    a placeholder in vain       metadata of aggregated upload is not a template
    columns of one name         most readers of Parquet take columns that differ only in case for one
    a clientid nobody knows     a subscriber to a broker is not told who published

source_warnings.py has the warnings about sources alone, topic_warnings.py those about rules that get no record, and
name_warnings.py those about names without a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from pipeline.action.column_warnings import of_columns
from pipeline.action.folders import one_store
from pipeline.action.name_warnings import of_columns_read, of_placeholders
from pipeline.action.origins import columns_of, columns_read, gives_many_rows_a_key, of_messages
from pipeline.action.source_warnings import of_sources
from pipeline.action.topic_warnings import of_topics
from pipeline.config import AggregatedParameters, Config, DirectParameters, S3Action
from pipeline.config.text.problems import Problem
from pipeline.sql.syntax.nodes import Statement
from pipeline.sql.syntax.parser import parse
from pipeline.template import Template
from pipeline.template.object_key import literal_prefix
from pipeline.topics import may_meet, unshared

# Columns with the time of a message, and columns with its sender, place or kind. Many messages have the same values in
# these.
_TIMES: Final = {"timestamp", "publish_received_at"}
_ALIKE: Final = _TIMES | {
    "topic",
    "username",
    "qos",
    "event",
    "node",
    "peerhost",
    "peername",
    "flags",
    "retain",
    "dup",
    "pub_props",
}
# Placeholders of an aggregated key that rows do not decide.
_FACTS: Final = re.compile(r"\$\{\.?(?:partition|offset|sequence|epoch|action|node|datetime)")
_CHOSEN_BY_NOBODY: Final = _TIMES | {"id", "node", "event", "qos"}


def warnings(config: Config) -> list[Problem]:
    """All warnings, in the order of the file's actions and rules. For a configuration without problems."""
    statements = {name: parse(rule.sql) for name, rule in config.rules.items() if rule.enable}
    found = [*of_topics(config, statements), *of_columns_read(statements), *_clientid_in_rules(config, statements)]
    for name, action in config.actions.s3.items():
        rules = [statement for rule, statement in statements.items() if f"s3:{name}" in config.rules[rule].actions]
        found += _clientid_in_key(config, name, action, rules)
        found += of_columns(config, name, rules)
        found += of_placeholders(config, name, rules)
        if isinstance(action.parameters, DirectParameters):
            found += _reaches_others(config, name, action.parameters, rules)
            found += _collides(name, action.parameters, rules)
            found += _conflates_nothing(name, action.parameters, rules)
        else:
            found += _meets_others(config, name, action.parameters)
            found += _placeholders_in_vain(name, action.parameters)
    return [*found, *_shared(config), *of_sources(config)]


def _at(action: str, setting: str = "key") -> tuple[str | int, ...]:
    return ("actions", "s3", action, "parameters", setting)


def _placeholders_in_vain(name: str, parameters: AggregatedParameters) -> Iterator[Problem]:
    """Warn of a placeholder in metadata, which all objects of an aggregated action share."""
    if any("${" in value for value in parameters.metadata.values()):
        text = "metadata is not a template in aggregated mode: each object gets the placeholder itself"
        yield Problem(_at(name, "metadata"), text)


# --- Where a device can put its objects


def _reaches_others(config: Config, name: str, own: DirectParameters, rules: list[Statement]) -> Iterator[Problem]:
    """Warn of a direct key that can be anywhere in the bucket of a ledger, or among the objects of an aggregated action."""
    key = Template(own.key)
    if key.names == frozenset() or _decided_by_nobody(key, rules):
        return
    prefix = key.literals[0] if key.literals else ""
    for other, action in config.actions.s3.items():
        theirs = action.parameters
        if not isinstance(theirs, AggregatedParameters) or not one_store(config, name, other):
            continue
        if "/" not in prefix and _may_be(own.bucket, theirs.home):
            yield Problem(
                _at(name),
                f"what a device sends decides where in the bucket its object lies, and the ledger of s3:{other} lies there"
                " too: begin the key with a fixed folder, or give that action a ledger_bucket",
            )
        elif "/" in prefix and _may_be(own.bucket, theirs.bucket) and _one_begins(prefix, literal_prefix(theirs.key)):
            yield Problem(
                _at(name), f"its objects lie among those of s3:{other}, and can take their keys: give it another folder"
            )


def _meets_others(config: Config, name: str, own: AggregatedParameters) -> Iterator[Problem]:
    """Warn of an aggregated key that a device can put among the objects of another aggregated action, which then stops."""
    literals = Template(own.key).literals
    begin = literal_prefix(own.key)
    chosen = literals is not None and begin == literals[0] and not _FACTS.match(own.key[len(begin) :])
    for other, action in config.actions.s3.items():
        theirs = action.parameters
        if other == name or not isinstance(theirs, AggregatedParameters) or not one_store(config, name, other):
            continue
        if (
            chosen
            and literal_prefix(theirs.key).startswith(begin)
            and own.key != theirs.key
            and _may_be(own.bucket, theirs.bucket)
        ):
            yield Problem(
                _at(name),
                f"what a device sends can lead its objects among those of s3:{other}: begin the key with another folder",
            )


def _decided_by_nobody(key: Template, rules: list[Statement]) -> bool:
    return (
        key.names is not None
        and bool(rules)
        and all(columns_of(name, rule) <= _CHOSEN_BY_NOBODY for name in key.names for rule in rules)
    )


def _may_be(bucket: str, other: str) -> bool:
    return bucket == other or "${" in bucket or "${" in other


def _one_begins(prefix: str, other: str) -> bool:
    return bool(other) and (prefix.startswith(other) or other.startswith(prefix))


# --- Keys in which objects meet


def _collides(name: str, own: DirectParameters, rules: list[Statement]) -> Iterator[Problem]:
    """Warn of a direct key that many messages share, or all rows of one message."""
    key = Template(own.key)
    if key.names is None:
        return
    for rule in filter(of_messages, rules):
        columns = frozenset[str]().union(*(columns_of(each, rule) for each in key.names))
        if gives_many_rows_a_key(key.names, rule):
            yield Problem(
                _at(name), "all rows that FOREACH makes of one message have this key: add a field of its items"
            )
        elif not own.conflate and columns <= _ALIKE | {"clientid"} and (columns & _TIMES or "clientid" not in columns):
            when = "of the same time" if columns & _TIMES else "of one topic" if "topic" in columns else "all alike"
            yield Problem(_at(name), f"messages {when} have one key, and the later one stays: add ${{id}} to keep both")
        else:
            continue
        return


def _conflates_nothing(name: str, own: DirectParameters, rules: list[Statement]) -> Iterator[Problem]:
    """Warn of `conflate` where each message has a key of its own."""
    names = Template(own.key).names or frozenset()
    rules = [rule for rule in rules if of_messages(rule) and not gives_many_rows_a_key(names, rule)]
    if own.conflate and any("id" in columns_of(each, rule) for rule in rules for each in names):
        yield Problem(
            _at(name, "conflate"),
            "each message has a key of its own, so no row is left out, and the order of a client's messages is lost: take the"
            " id out of the key, or leave conflate out",
        )


def _shared(config: Config) -> Iterator[Problem]:
    """Warn of two actions with the same keys."""
    for one, other in combinations(config.actions.s3, 2):
        first, second = (config.actions.s3[name].parameters for name in (one, other))
        same = (first.mode, first.key) == (second.mode, second.key) and "${action}" not in first.key
        if same and _may_be(first.bucket, second.bucket) and one_store(config, one, other):
            yield Problem(_at(other), f"s3:{one} has this key too: each finds the other's objects under it")


# --- Who published


def _clientid_in_rules(config: Config, statements: dict[str, Statement]) -> Iterator[Problem]:
    for name, statement in statements.items():
        if "clientid" in columns_read(statement) and (strangers := _strangers(config, statement)):
            yield Problem(("rules", name, "sql"), _nobody_knows(strangers))


def _clientid_in_key(config: Config, name: str, action: S3Action, rules: list[Statement]) -> Iterator[Problem]:
    for setting in ("bucket", "key"):
        names = Template(getattr(action.parameters, setting)).names or frozenset()
        for rule in rules:
            reads = any("clientid" in columns_of(each, rule) for each in names)
            if reads and (strangers := _strangers(config, rule)):
                yield Problem(_at(name, setting), _nobody_knows(strangers))
                break


def _strangers(config: Config, statement: Statement) -> list[str]:
    """The brokers whose messages the statement can get, and whose publishers are unknown."""
    if not of_messages(statement):
        return []
    return [
        f"sources.mqtt.{name}"
        for name, source in config.sources.mqtt.items()
        if not source.clientid_from
        and any(may_meet(wanted, unshared(topic)) for wanted in statement.sources for topic in source.topics)
    ]


def _nobody_knows(strangers: list[str]) -> str:
    return (
        f"clientid is undefined in messages of {', '.join(strangers)}: a subscriber is not told who published."
        " Set clientid_from there, or use the topic"
    )
