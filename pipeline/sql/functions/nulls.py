"""`undefined`, and values to use instead."""

from __future__ import annotations

from typing import Any

from pipeline.sql.functions.registry import as_list, function
from pipeline.sql.runtime.values import UNDEFINED


@function("null() -> any", example=("is_null(null())", "true"))
def null() -> Any:
    """The value `undefined`. JSON's null is a different value."""
    return UNDEFINED


@function(
    "coalesce(a: any, b: any) -> any",
    "coalesce(values: list) -> any",
    examples=(("coalesce(payload.missing, 1)", "1"), ("coalesce([null(), 'a', 'b'])", "'a'")),
)
def coalesce(*values: Any) -> Any:
    """The first value that is not `undefined`. JSON's null counts as a value. If all are `undefined`, so is the result."""
    candidates = values if len(values) == 2 else as_list(values[0])
    return next((value for value in candidates if value is not UNDEFINED), UNDEFINED)


@function(
    "coalesce_ne(a: any, b: any) -> any",
    "coalesce_ne(values: list) -> any",
    examples=(("coalesce_ne('', 'x')", "'x'"), ("coalesce_ne(0, 1)", "0")),
)
def coalesce_ne(*values: Any) -> Any:
    """The same as `coalesce()`, but also skips the empty string and the empty list. 0, false and null count as values."""
    candidates = values if len(values) == 2 else as_list(values[0])
    kept = (v for v in candidates if v is not UNDEFINED and not (type(v) in (str, list) and not v))
    return next(kept, UNDEFINED)
