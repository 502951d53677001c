"""Tests of the type of a value."""

from __future__ import annotations

from typing import Any

from pipeline.sql.functions.registry import as_map, function
from pipeline.sql.runtime.values import UNDEFINED, refuse


@function("is_null(x: any) -> boolean", example=("is_null(payload.missing)", "true"))
def is_null(x: Any) -> bool:
    """Whether the value is `undefined`. False for JSON's null."""
    return x is UNDEFINED


@function("is_not_null(x: any) -> boolean", example=("is_not_null(1)", "true"))
def is_not_null(x: Any) -> bool:
    """Whether the value is anything but `undefined`."""
    return x is not UNDEFINED


@function("is_null_var(x: any) -> boolean", example=("is_null_var(payload.nothing)", "true"))
def is_null_var(x: Any) -> bool:
    """Whether the value is `undefined` or JSON's null."""
    return x is UNDEFINED or x is None


@function("is_not_null_var(x: any) -> boolean", example=("is_not_null_var(payload.nothing)", "false"))
def is_not_null_var(x: Any) -> bool:
    """Whether the value is neither `undefined` nor JSON's null."""
    return x is not UNDEFINED and x is not None


@function("is_str(x: any) -> boolean", example=("is_str('a')", "true"))
def is_str(x: Any) -> bool:
    """Whether the value is a string. Binaries are strings too."""
    return type(x) is str or type(x) is bytes


@function("is_bool(x: any) -> boolean", example=("is_bool(false)", "true"))
def is_bool(x: Any) -> bool:
    """Whether the value is true or false."""
    return type(x) is bool


@function("is_int(x: any) -> boolean", example=("is_int(1.0)", "false"))
def is_int(x: Any) -> bool:
    """Whether the value is an integer."""
    return type(x) is int


@function("is_float(x: any) -> boolean", example=("is_float(1.0)", "true"))
def is_float(x: Any) -> bool:
    """Whether the value is a float."""
    return type(x) is float


@function("is_num(x: any) -> boolean", example=("is_num(1.5)", "true"))
def is_num(x: Any) -> bool:
    """Whether the value is an integer or a float."""
    return type(x) is int or type(x) is float


@function("is_map(x: any) -> boolean", example=("is_map(payload)", "false"))
def is_map(x: Any) -> bool:
    """Whether the value is a map. The raw payload is a string, even if it holds JSON."""
    return type(x) is dict


@function("is_array(x: any) -> boolean", example=("is_array([1])", "true"))
def is_array(x: Any) -> bool:
    """Whether the value is a list."""
    return type(x) is list


@function("is_empty(x: any) -> boolean", examples=(("is_empty('{}')", "true"), ("is_empty([0])", "false")))
def is_empty(x: Any) -> bool:
    """True for an empty list, string or map, and for a string that holds an empty JSON object. False for other lists
    and maps. Raises for other strings, numbers, booleans, null and `undefined`.
    """
    if type(x) is list or x == "":
        return not x
    if type(x) in (dict, str, bytes):
        return not as_map(x)
    refuse("a list, a map or a string", x)
