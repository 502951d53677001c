"""What names what: rules name actions, actions name connectors. Checked over the whole configuration, all problems at once."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.config.model import Config
from pipeline.config.text.problems import Problem


def check_references(config: Config) -> list[Problem]:
    """Every name that names nothing, and every name that is there twice."""
    return [*_actions(config), *_rules(config), *_sources(config)]


def _actions(config: Config) -> Iterator[Problem]:
    for name, action in config.actions.s3.items():
        if action.connector not in config.connectors.s3:
            there = ", ".join(config.connectors.s3) or "none"
            yield Problem(
                ("actions", "s3", name, "connector"), f"no S3 connector {action.connector!r}; there are: {there}"
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
                    f"expected a name of its own for each source; sources.{kinds[name]} has it too",
                )
            kinds.setdefault(name, kind)
