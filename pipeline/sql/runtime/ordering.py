"""Comparison: the dialect's six operators over all types, and strict equality.

`compare_*` follow five steps in this order: two undefined sides are equal; one undefined side makes every operator
false, also `!=`; a number against a string parses the string or raises; a boolean or null against a string becomes its
word; all other values have one total order over types: number < boolean and null < map < list < string. `same` is the
strict equality of IN, the switch form of CASE and contains(): without conversion, 1 is not 1.0.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from math import copysign
from typing import Any, Final

from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Bits, octets, shown

_INTEGER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?[0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?", re.ASCII)
DIGITS_MAX: Final = 4000


def parse_number(text: Any) -> int | float:
    """The number in a string: a sign and digits. A float needs digits on both sides of the point. Raises BadValueError."""
    if type(text) is str and len(text) <= DIGITS_MAX:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            value = float(text)
            if value - value == 0.0:
                return value
    raise BadValueError(f"expected text that holds a number, found {shown(text)}")


def _rank(value: Any) -> int:
    kind = type(value)
    if kind is int or kind is float:
        return 0
    if kind is bool or value is None or value is UNDEFINED:
        return 1
    return 2 if kind is dict else 3 if kind is list else 4


def _word(value: Any) -> str:
    return "true" if value is True else "false" if value is False else "null" if value is None else "undefined"


def order(left: Any, right: Any) -> int:
    """-1, 0 or 1 in the total order of terms."""
    rank = _rank(left)
    if rank != _rank(right):
        return -1 if rank < _rank(right) else 1
    if rank == 1:
        left, right = _word(left), _word(right)
    elif rank == 2:
        return _order_maps(left, right)
    elif rank == 3:
        return _order_items(left, right) or _sign(len(left), len(right))
    elif rank == 4 and not (type(left) is str and type(right) is str):
        bits = isinstance(left, Bits) or isinstance(right, Bits)
        left, right = (_bit_text(left), _bit_text(right)) if bits else (octets(left), octets(right))
    return _sign(left, right)


def _sign(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _order_items(left: list[Any], right: list[Any]) -> int:
    for a, b in zip(left, right, strict=False):
        found = order(a, b)
        if found:
            return found
    return 0


def _order_maps(left: dict[str, Any], right: dict[str, Any]) -> int:
    if len(left) != len(right):
        return _sign(len(left), len(right))
    left_keys, right_keys = sorted(left), sorted(right)
    if left_keys != right_keys:
        return _sign(left_keys, right_keys)
    return _order_items([left[k] for k in left_keys], [right[k] for k in left_keys])


def _bit_text(value: Any) -> str:
    """A string of 0 and 1, which has the same order as the bits."""
    if isinstance(value, Bits):
        return f"{value.value:0{value.size}b}"
    return "".join(f"{octet:08b}" for octet in octets(value))


def same(left: Any, right: Any) -> bool:
    """Strict equality at every level. The zero of `-0.0` is another value than `0.0`, as it is for EMQX."""
    kind = type(left)
    if kind is not type(right):
        return False
    if kind is float:
        return bool(left == right) and (left != 0.0 or copysign(1.0, left) == copysign(1.0, right))
    if kind is list:
        return len(left) == len(right) and all(map(same, left, right))
    if kind is dict:
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    return bool(left == right)


def is_in(value: Any, items: list[Any]) -> bool:
    """Whether a list has a strictly equal item."""
    return any(same(value, item) for item in items)


def equal(left: Any, right: Any) -> bool:
    """Equality by value (1 = 1.0), without conversion of text."""
    return order(left, right) == 0


def align(left: Any, right: Any) -> tuple[Any, Any]:
    """Steps three and four: a number against a string, and a word against a string."""
    left_text = type(left) is str or type(left) is bytes
    right_text = type(right) is str or type(right) is bytes
    if left_text == right_text:
        return left, right
    one, text = (right, left) if left_text else (left, right)
    if type(one) is int or type(one) is float:
        text = parse_number(text)
    elif type(one) is bool or one is None:
        one = _word(one)
    return (text, one) if left_text else (one, text)


def _comparison(test: Callable[[int, int], bool], name: str) -> Callable[[Any, Any], bool]:
    both_undefined = test(0, 0)

    def compare(left: Any, right: Any) -> bool:
        if left is UNDEFINED or right is UNDEFINED:
            return both_undefined and left is right
        left, right = align(left, right)
        return test(order(left, right), 0)

    compare.__name__ = compare.__qualname__ = name
    return compare


compare_eq: Final = _comparison(operator.eq, "compare_eq")
compare_ne: Final = _comparison(operator.ne, "compare_ne")
compare_lt: Final = _comparison(operator.lt, "compare_lt")
compare_le: Final = _comparison(operator.le, "compare_le")
compare_gt: Final = _comparison(operator.gt, "compare_gt")
compare_ge: Final = _comparison(operator.ge, "compare_ge")
