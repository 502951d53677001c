"""Jinja's comparisons over the values of the language: `==`, `<`, `in`, and the tests with these meanings.

Jinja itself would compare as Python does, to which true is the number 1. Here two values are equal as for `eq()` in a rule:
`1 == 1.0`, but a boolean, null and text equal only themselves. Numbers, texts, lists and maps have the language's order; values
of unlike kinds have none, and are refused. A missing value equals only another missing value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import jinja2

from pipeline.sql.runtime.ordering import equal, order
from pipeline.sql.runtime.values import BadValueError, shown
from pipeline.template.language import plain
from pipeline.template.work import current

_KINDS: Final = ((int, float), (str, bytes), (bool,), (list,), (dict,))


def compared(left: Any, *operands: Any) -> bool:
    """A chain of comparisons: `operands` are an operator and a value, again and again. Counts steps for the sizes."""
    for operator, right in zip(operands[::2], operands[1::2], strict=True):
        current().look_at(left)
        current().look_at(right)
        if not OPERATORS[operator](left, right):
            return False
        left = right
    return True


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, jinja2.Undefined) or isinstance(right, jinja2.Undefined):
        return isinstance(left, jinja2.Undefined) and isinstance(right, jinja2.Undefined)
    return equal(plain(left), plain(right))


def _ordered(left: Any, right: Any) -> int:
    left, right = plain(left), plain(right)
    if not any(type(left) in kind and type(right) in kind for kind in _KINDS):
        raise BadValueError(f"expected two values with an order, found {shown(left)} and {shown(right)}")
    return order(left, right)


def _contains(element: Any, whole: Any) -> bool:
    if isinstance(whole, str):
        if not isinstance(element, str):
            raise BadValueError(f"in: expected text to look for in text, found {shown(plain(element))}")
        return element in whole
    if isinstance(whole, list | tuple):
        return any(_equal(element, each) for each in whole)
    if isinstance(whole, dict):
        return isinstance(element, str) and element in whole
    if isinstance(whole, jinja2.Undefined):
        return False
    raise BadValueError(f"in: expected a list, a map or text, found {shown(plain(whole))}")


OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "eq": _equal,
    "ne": lambda left, right: not _equal(left, right),
    "lt": lambda left, right: _ordered(left, right) < 0,
    "lteq": lambda left, right: _ordered(left, right) <= 0,
    "gt": lambda left, right: _ordered(left, right) > 0,
    "gteq": lambda left, right: _ordered(left, right) >= 0,
    "in": _contains,
    "notin": lambda element, whole: not _contains(element, whole),
}
# Jinja's names of these tests, for `is`, `select` and `reject`.
TESTS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    name: OPERATORS[operator]
    for operator, names in {
        "eq": ("eq", "equalto", "=="), "ne": ("ne", "!="), "lt": ("lt", "lessthan", "<"), "lteq": ("le", "<="),
        "gt": ("gt", "greaterthan", ">"), "gteq": ("ge", ">="), "in": ("in",),
    }.items()
    for name in names
}  # fmt: skip
