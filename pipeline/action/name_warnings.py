"""Warnings about names that never have a value, most of them mistyped. `tidegate check` shows each with its setting.

a column in vain         a rule reads a column that no message has: often a field of the payload, without `payload.`
a placeholder in vain    no rule of the action selects the field

Events of other brokers may have other columns than those of EMQX. So of an event, only what looks like one of these is told.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from pipeline.action.origins import columns_read, output_names, own_names, takes_all
from pipeline.config import AggregatedParameters, Config, DirectParameters
from pipeline.config.text.problems import Problem
from pipeline.record import EVENT_TOPICS, MESSAGE_COLUMNS, names_events
from pipeline.rule.events import COMMON, KINDS
from pipeline.sql.syntax.nodes import Statement
from pipeline.template import Template
from pipeline.template.object_key import FACTS
from pipeline.topics import matches

_LIKENESS: Final = 0.8  # of two names of which one is probably the other, mistyped
_OF_ALL: Final = frozenset({*COMMON, "metadata"})


# --- Columns


def of_columns_read(statements: dict[str, Statement]) -> Iterator[Problem]:
    """Warn of the columns that rules read, and that no record has."""
    for name, statement in statements.items():
        of_events = _reads_events(statement)
        known = _columns(statement)
        for each in sorted(columns_read(statement) - known - own_names(statement)):
            alike = _alike(each, known)
            if alike or not of_events:
                problem = f"no {'record' if of_events else 'message'} has a column {each!r}; did you mean "
                yield Problem(("rules", name, "sql"), problem + (alike or f"payload.{each}") + "?")


def _reads_events(statement: Statement) -> bool:
    return any(map(names_events, statement.sources))


def _columns(statement: Statement) -> frozenset[str]:
    """The columns of all records that a statement can get."""
    found = set(_OF_ALL)
    for source in statement.sources:
        if not names_events(source):
            found |= MESSAGE_COLUMNS
        for event, topics in EVENT_TOPICS.items():
            if any(matches(source, topic) for topic in topics):
                found.update(KINDS[event].columns)
    return frozenset(found)


# --- Placeholders


def of_placeholders(config: Config, name: str, rules: Iterable[Statement]) -> Iterator[Problem]:
    """Warn of placeholders of an action that have no value. `rules` are those that feed it."""
    rules = list(rules)
    if not rules or any(takes_all(each) and _reads_events(each) for each in rules):
        return  # they may have any column of an event
    fields = frozenset[str]().union(*map(output_names, rules))
    for setting, text, facts in _templates(config.actions.s3[name].parameters):
        known = fields | facts
        for each in sorted((Template(text).names or frozenset()) - known):
            alike = _alike(each, known)
            problem = f"no rule of this action selects a field {each!r}" + (
                f"; did you mean ${{{alike}}}?" if alike else ""
            )
            yield Problem(("actions", "s3", name, "parameters", *setting), problem)


def _templates(
    parameters: AggregatedParameters | DirectParameters,
) -> Iterator[tuple[tuple[str, ...], str, frozenset[str]]]:
    """The settings that are templates of rows: their path, text, and the names in them that no row decides."""
    if isinstance(parameters, AggregatedParameters):
        yield ("bucket",), parameters.bucket, frozenset()
        yield ("key",), parameters.key, FACTS
        return
    for setting in ("bucket", "key", "content"):
        yield (setting,), getattr(parameters, setting), frozenset()
    for setting in ("metadata", "tags"):
        for name, text in getattr(parameters, setting).items():
            yield (setting, name), text, frozenset()


def _alike(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant, or an empty text."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=_LIKENESS)), "")
