"""References between objects: rules name actions, actions name connectors, secrets name variables and files.

`check_references` checks a whole configuration and returns all problems at once. A secret that cannot be read does not make a
configuration wrong, since another process on another machine may read it. So `unresolved_secrets` is a function of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, keys_of
from pipeline.config.model import Config
from pipeline.config.text.problems import Problem
from pipeline.errors import ConfigError


def check_references(config: Config) -> list[Problem]:
    """Every reference to an object that does not exist, and every name that two sources have."""
    return [*_actions(config), *_rules(config), *_sources(config)]


def _actions(config: Config) -> Iterator[Problem]:
    for name, action in config.actions.s3.items():
        if action.connector not in config.connectors.s3:
            there = ", ".join(config.connectors.s3) or "none"
            yield Problem(
                ("actions", "s3", name, "connector"),
                f"no S3 connector {action.connector!r}; there are: {there}",
            )


def _rules(config: Config) -> Iterator[Problem]:
    known = {f"s3:{name}" for name in config.actions.s3}
    for name, rule in config.rules.items():
        for position, reference in enumerate(rule.actions):
            if reference not in known:
                there = ", ".join(f"s3:{each}" for each in config.actions.s3) or "none"
                yield Problem(("rules", name, "actions", position), f"no action {reference!r}; there are: {there}")


def _sources(config: Config) -> Iterator[Problem]:
    """The name of a source is the label of metrics and log lines."""
    kinds: dict[str, str] = {}
    for kind in type(config.sources).model_fields:
        for name in getattr(config.sources, kind):
            if name in kinds:
                yield Problem(
                    ("sources", kind, name),
                    f"expected a different name for each source; sources.{kinds[name]} has this name too",
                )
            kinds.setdefault(name, kind)


def unresolved_secrets(config: Section) -> list[Problem]:
    """The secrets of a section that this process cannot read: an unset variable, a missing file."""
    return list(_unresolved(config, ()))


def _unresolved(value: Any, path: tuple[str | int, ...]) -> Iterator[Problem]:
    if isinstance(value, Secret):
        try:
            value.reveal()
        except ConfigError as error:
            yield Problem(path, str(error))
    elif isinstance(value, Section):
        for name, field in type(value).model_fields.items():
            yield from _unresolved(getattr(value, name), (*path, keys_of(name, field)[0]))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _unresolved(each, (*path, name))
