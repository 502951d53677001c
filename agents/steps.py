"""Decides which actions of a configuration run, and what each depends on: see pipeline/control/reload/steps.py. Pure."""

from __future__ import annotations

from typing import Any, NamedTuple

from pipeline.action import AggregatedAction, CompiledAction, DirectAction, statements_of
from pipeline.config import Config
from pipeline.control.reload.steps import Digests, decisive, digest


class Needs(NamedTuple):
    """What an action depends on. `store` is the digest of its connector: actions with the same one share a store."""

    digests: Digests
    store: str


def runs(config: Config, name: str) -> bool:
    """Whether an action and its connector are enabled, and an enabled rule feeds it."""
    action = config.actions.s3[name]
    return action.enable and config.connectors.s3[action.connector].enable and bool(statements_of(config, name))


def needs_of(config: Config, action: CompiledAction) -> Needs:
    """What a compiled action of this configuration depends on."""
    said = config.actions.s3[action.name]
    store = digest(decisive(config.connectors.s3[said.connector]))
    fixed: list[Any] = [store, action.topics, action.name, decisive(said.resource_opts), said.parameters.mode]
    decided: list[Any] = [action.rules.digest, decisive(said.parameters)]
    if isinstance(action, AggregatedAction):
        fixed.append(action.parameters.home)
        decided.append(action.digest)
    else:
        assert isinstance(action, DirectAction)
        fixed.append(action.parameters.bucket)  # the one that is checked
        fixed.append(action.parameters.conflate)  # decides which rows wait for each other
    return Needs(Digests(digest(fixed), digest([*fixed, *decided])), store)
