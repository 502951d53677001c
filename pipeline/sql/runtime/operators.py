"""Arithmetic and the truth of a condition while a rule runs.

Operands are not converted. An operand that is not a number raises an error, and so do division by zero and a float
beyond its range. `+` also joins text if one side is a string.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.sql.runtime.jsontext import concat
from pipeline.sql.runtime.ordering import align
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, bounded_integer, octets, refuse
from pipeline.topics import matches

_TEXT: Final = (str, bytes)


def is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def _finite(value: Any) -> Any:
    if type(value) is float and value - value != 0.0:
        raise BadValueError("the result is beyond the range of a float")
    return value


def _numbers(operator: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if not is_number(value):
            refuse(f"numbers for {operator}", value)


def _integers(operator: str, left: Any, right: Any) -> None:
    for value in (left, right):
        if type(value) is not int:
            refuse(f"integers for {operator}", value)
    if right == 0:
        raise BadValueError("division by zero")


def add(left: Any, right: Any) -> Any:
    """The sum, or joined text if one side is a string."""
    if is_number(left) and is_number(right):
        return _finite(left + right)
    if type(left) in (str, bytes) or type(right) in (str, bytes):
        return concat(left, right)
    refuse("numbers or text for +", right if is_number(left) else left)


def subtract(left: Any, right: Any) -> Any:
    _numbers("-", left, right)
    return _finite(left - right)


def multiply(left: Any, right: Any) -> Any:
    _numbers("*", left, right)
    product = left * right
    return bounded_integer(product) if type(product) is int else _finite(product)


def divide(left: Any, right: Any) -> float:
    """`/`, which always gives a float."""
    _numbers("/", left, right)
    if right == 0:
        raise BadValueError("division by zero")
    return float(_finite(float(left) / float(right)))  # integers of more than 53 bits become floats first, as in EMQX


def quotient(left: Any, right: Any) -> int:
    """`div`, which rounds toward zero."""
    _integers("div", left, right)
    size = abs(left) // abs(right)
    return int(size if (left < 0) == (right < 0) else -size)


def remainder(left: Any, right: Any) -> int:
    """`mod`, which has the sign of the dividend."""
    _integers("mod", left, right)
    size = abs(left) % abs(right)
    return int(-size if left < 0 else size)


def negate(value: Any) -> Any:
    if not is_number(value):
        refuse("a number after -", value)
    return -value


def truth(value: Any) -> bool:
    """The value of a condition that is not a comparison: a boolean. Raises BadValueError for anything else."""
    if value is True or value is False:
        return bool(value)
    refuse("a condition that is true or false", value)


def topic_matches(topic: Any, topic_filter: Any) -> bool:
    """`=~`, which compares bytes. A boolean or null against a string becomes its word, and a number parses the string.

    Only text matches: two undefined sides do not, and neither do numbers, maps or lists.
    """
    if topic is UNDEFINED or topic_filter is UNDEFINED:
        return False
    topic, topic_filter = align(topic, topic_filter)
    if type(topic) is str and type(topic_filter) is str:
        return matches(topic_filter, topic)
    if type(topic) in _TEXT and type(topic_filter) in _TEXT:
        return matches(octets(topic_filter).decode("latin-1"), octets(topic).decode("latin-1"))
    return False


def list_of_range(begin: int, end: int) -> list[int]:
    """The list `[A..B]`."""
    return list(range(begin, end + 1))
