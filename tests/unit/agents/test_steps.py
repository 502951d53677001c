"""What a worker does with its actions when the configuration changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from agents.steps import Needs, needs_of, runs
from pipeline.action import compile_action
from pipeline.config.load import load
from pipeline.control.reload.steps import steps

SETTINGS: dict[str, Any] = {
    "pipeline": "p",
    "kafka": {"bootstrap_servers": "k:1"},
    "connectors": {"s3": {"lake": {"host": "h"}}},
    "actions": {
        "s3": {
            "rows": {
                "connector": "lake",
                "parameters": {"mode": "aggregated", "bucket": "iot", "key": "a/${partition}-${offset}.jsonl"},
            },
            "hot": {"connector": "lake", "parameters": {"mode": "direct", "bucket": "iot", "key": "hot/${id}"}},
        }
    },
    "rules": {"r": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:rows", "s3:hot"]}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """The settings with another value at a path."""
    found = copy.deepcopy(SETTINGS)
    *around, last = path.split(".")
    place = found
    for part in around:
        place = place.setdefault(part, {})
    place[last] = value
    return found


def needs(settings: dict[str, Any]) -> dict[str, Needs]:
    """What all actions that run depend on."""
    config = load(settings)
    return {name: needs_of(config, compile_action(config, name)) for name in config.actions.s3 if runs(config, name)}


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("rules.r.description", "x", []),
        ("actions.s3.rows.description", "x", []),
        ("actions.s3.rows.tags", ["x"], []),
        ("connectors.s3.lake.description", "x", []),
        ("metrics.worker_port", 1, []),
        ("sources.mqtt.m", {"server": "a:1", "topics": ["#"]}, []),
        ("rules.r.sql", 'SELECT qos FROM "t/#"', ["turn rows", "turn hot"]),
        ("rules.more", {"sql": 'SELECT 1 FROM "u/#"', "actions": ["s3:rows"]}, ["turn rows"]),
        ("schemas.x", {"type": "json", "source": "{}"}, ["turn rows", "turn hot"]),
        ("actions.s3.rows.parameters.key", "b/${partition}-${offset}.jsonl", ["turn rows"]),
        ("actions.s3.rows.parameters.container", {"type": "csv"}, ["turn rows"]),
        ("actions.s3.rows.parameters.aggregation", {"time_interval": "5s"}, ["turn rows"]),
        ("actions.s3.rows.parameters.headers", {"cache-control": "no-store"}, ["turn rows"]),
        ("actions.s3.rows.parameters.bucket", "other", ["replace rows"]),
        ("actions.s3.rows.resource_opts", {"max_buffer_bytes": "8MB"}, ["replace rows"]),
        ("actions.s3.hot.parameters.key", "warm/${id}", ["turn hot"]),
        ("actions.s3.hot.parameters.content", "${payload}", ["turn hot"]),
        ("actions.s3.hot.parameters.write", "overwrite", ["turn hot"]),
        ("actions.s3.hot.parameters.conflate", True, ["replace hot"]),
        ("actions.s3.hot.parameters.bucket", "other", ["replace hot"]),
        ("actions.s3.hot.parameters.mode", "aggregated", ["replace hot"]),
        ("connectors.s3.lake.host", "other", ["replace rows", "replace hot"]),
        ("rules.r.sql", 'SELECT * FROM "$events/client_connected"', ["replace rows", "replace hot"]),
        ("actions.s3.rows.enable", False, ["stop rows"]),
        ("connectors.s3.lake.enable", False, ["stop rows", "stop hot"]),
        ("rules.r.actions", ["s3:hot"], ["stop rows"]),
    ],
)
def test_an_action_is_touched_by_what_it_depends_on(path: str, value: Any, wanted: list[str]) -> None:
    """A change stops, replaces or turns exactly the actions that depend on it, and the way back is the same."""
    before, after = (
        {name: each.digests for name, each in needs(settings).items()} for settings in (SETTINGS, changed(path, value))
    )

    assert [f"{each.verb} {each.name}" for each in steps(before, after)] == wanted
    back = {"stop": "start"}
    assert [f"{each.verb} {each.name}" for each in steps(after, before)] == [
        " ".join((back.get(verb, verb), name)) for verb, name in (each.split() for each in wanted)
    ]


def test_actions_of_equal_connectors_share_a_store() -> None:
    """The digest of a store is that of all settings of its connector."""
    found = needs(SETTINGS)

    assert found["rows"].store == found["hot"].store
    assert found["rows"].store != needs(changed("connectors.s3.lake.port", 1))["rows"].store
