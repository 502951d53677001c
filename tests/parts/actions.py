"""Compiled actions for tests that need no other part of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.action import AggregatedAction, CompiledAction, DirectAction, compile_action
from pipeline.config import Config

ALL: Mapping[str, str] = {"r": 'SELECT * FROM "t/#"'}


def aggregated(
    name: str = "a",
    statements: Mapping[str, str] = ALL,
    *,
    node: str = "n",
    schemas: Mapping[str, tuple[str, str]] | None = None,
    **parameters: Any,
) -> AggregatedAction:
    """An action of aggregated upload into bucket sink."""
    settings = {"mode": "aggregated", "bucket": "sink", "key": "x.jsonl", **parameters}
    found = _compiled(name, statements, node, schemas, {"parameters": settings})
    assert isinstance(found, AggregatedAction)
    return found


def direct(
    name: str = "d",
    statements: Mapping[str, str] = ALL,
    *,
    node: str = "n",
    window: int = 10,
    patience: str = "3m",
    **parameters: Any,
) -> DirectAction:
    """An action of direct upload into bucket sink, of each payload by default."""
    settings = {"bucket": "sink", "key": "${clientid}/${id}", "content": "${payload}", **parameters}
    options = {"inflight_window": window, "row_patience": patience}
    found = _compiled(name, statements, node, None, {"parameters": settings, "resource_opts": options})
    assert isinstance(found, DirectAction)
    return found


def _compiled(
    name: str,
    statements: Mapping[str, str],
    node: str,
    schemas: Mapping[str, tuple[str, str]] | None,
    action: Mapping[str, Any],
) -> CompiledAction:
    found = {schema: {"type": kind, "source": source} for schema, (kind, source) in (schemas or {}).items()}
    return compile_action(configuration(name, statements, node, action, schemas=found), name)


def configuration(
    name: str, statements: Mapping[str, str], node: str, action: Mapping[str, Any], **others: Any
) -> Config:
    """A configuration of one action and its rules."""
    settings = {
        "pipeline": node,
        "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
        "connectors": {"s3": {"store": {"host": "127.0.0.1"}}},
        "actions": {"s3": {name: {"connector": "store", **action}}},
        "rules": {rule: {"sql": sql, "actions": [f"s3:{name}"]} for rule, sql in statements.items()},
        **others,
    }
    return Config.model_validate(settings)
