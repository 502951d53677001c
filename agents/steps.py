"""Decides what a worker has to do with its actions when the configuration changes: start, stop, replace, turn, or nothing. Pure.

An action is compared by digests: `fixed` covers what a running action cannot change, `whole` all that it depends on. A
description is in neither of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from pipeline.action import AggregatedAction, CompiledAction, statements_of
from pipeline.config import Config
from pipeline.config.base.section import Section
from pipeline.config.dump import dump

# Settings that decide nothing.
_FOR_PEOPLE: Final = {"description", "tags", "fallback_actions"}

Verb = Literal["start", "stop", "replace", "turn"]


class Digests(NamedTuple):
    """What an action depends on. `store` is that of its connector: actions with the same one share a store."""

    fixed: str
    whole: str
    store: str


class ActionStep(NamedTuple):
    """What to do with an action."""

    verb: Verb
    action: str


def runs(config: Config, name: str) -> bool:
    """Whether an action and its connector are enabled, and an enabled rule feeds it."""
    action = config.actions.s3[name]
    return action.enable and config.connectors.s3[action.connector].enable and bool(statements_of(config, name))


def digests_of(config: Config, action: CompiledAction) -> Digests:
    """What a compiled action of this configuration depends on."""
    said = config.actions.s3[action.name]
    store = _digest(_of(config.connectors.s3[said.connector]))
    fixed = [store, action.topics, action.name, _of(said.resource_opts), said.parameters.mode]
    decided: list[Any] = [action.rules.digest, _of(said.parameters)]
    if isinstance(action, AggregatedAction):
        fixed.append(action.parameters.home)
        decided.append(action.digest)
    else:  # there is no cut at which a direct action could turn
        fixed += decided
    return Digests(_digest(fixed), _digest([*fixed, *decided]), store)


def steps(running: Mapping[str, Digests], wanted: Mapping[str, Digests]) -> list[ActionStep]:
    """What to do, so that the wanted actions run and no others. An action that is in no step goes on as it is."""
    found = [ActionStep("stop", name) for name in running if name not in wanted]
    for name, after in wanted.items():
        before = running.get(name)
        if before is None:
            found.append(ActionStep("start", name))
        elif before.fixed != after.fixed:
            found.append(ActionStep("replace", name))
        elif before.whole != after.whole:
            found.append(ActionStep("turn", name))
    return found


def _of(section: Section) -> dict[str, Any]:
    """The settings of a section as they were written, without those for people."""
    return {name: value for name, value in dump(section, defaults=True).items() if name not in _FOR_PEOPLE}


def _digest(facts: Any) -> str:
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
