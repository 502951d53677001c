"""Warnings about the columns of Parquet objects: names that differ only in case.

Tidegate writes both columns. Spark, Hive, Athena and DuckDB take such names for one. They refuse the table, or rename a column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pipeline.action.origins import output_names
from pipeline.config import AggregatedParameters, Config
from pipeline.config.containers import AvroInline, AvroRef, Parquet
from pipeline.config.text.problems import Problem
from pipeline.sql.syntax.nodes import Statement

_COMPOUND: Final = ("items", "values", "type")


def of_columns(config: Config, name: str, rules: Iterable[Statement]) -> Iterator[Problem]:
    """Warn of the columns of an action that differ only in case. `rules` are those that feed it."""
    parameters = config.actions.s3[name].parameters
    if not isinstance(parameters, AggregatedParameters) or not isinstance(parameters.container, Parquet):
        return
    container = parameters.container
    match container.columns:
        case AvroInline(definition=source):
            records = list(_records(json.loads(source)))
        case AvroRef(name=schema):
            records = list(_records(json.loads(config.schemas[schema].source)))
        case _:
            records = [sorted({each for rule in rules for each in output_names(rule)} - set(container.left_out))]
    for names in records:
        if alike := _alike(names):
            yield Problem(
                ("actions", "s3", name, "parameters", "container"),
                f"the columns {' and '.join(alike)} differ only in case, and most readers take them for one: rename one of them",
            )


def _records(schema: Any) -> Iterator[list[str]]:
    """The names of the fields of each record in an Avro schema."""
    if isinstance(schema, list):
        for each in schema:
            yield from _records(each)
    elif isinstance(schema, dict):
        fields = schema.get("fields", [])
        if fields:
            yield [field["name"] for field in fields]
        for inner in [*(field["type"] for field in fields), *(schema[key] for key in _COMPOUND if key in schema)]:
            yield from _records(inner)


def _alike(names: Iterable[str]) -> list[str]:
    """The first names that differ only in case, sorted."""
    found: dict[str, list[str]] = {}
    for name in sorted(set(names)):
        found.setdefault(name.casefold(), []).append(name)
    return next((group for group in found.values() if len(group) > 1), [])
