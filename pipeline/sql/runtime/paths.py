"""Reads and writes inside values while a rule runs.

A path is a tuple of steps: a str is a key, an int is an index from 1 (negative from the end), and `APPEND` is the `[-0]` of an
assignment. A tuple is an index by path, which is looked up in `origin`, the record that the outer path reads. A string on the
way is read as JSON. Writing copies each level on the path, because values are shared.

Source: the dialect's rules for paths and assignments. The compiler writes short paths inline and calls this file for others.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.sql.runtime.jsontext import NotJsonError, from_json
from pipeline.sql.runtime.values import UNDEFINED, refuse


class Append:
    """The type of APPEND."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "APPEND"


APPEND: Final = Append()
Step = str | int | Append | tuple[Any, ...]
Steps = tuple[Step, ...]


def opened(value: Any) -> Any:
    """The JSON value of a string, or `undefined` if the string is not JSON. Any other value stays unchanged."""
    if type(value) is str or type(value) is bytes:
        try:
            return from_json(value)
        except NotJsonError:
            return UNDEFINED
    return value


def member(value: Any, key: str) -> Any:
    """The value of a key, or `undefined`."""
    if type(value) is dict:
        return value.get(key, UNDEFINED)
    value = opened(value)
    return value.get(key, UNDEFINED) if type(value) is dict else UNDEFINED


def element(value: Any, index: Any) -> Any:
    """The element at a 1-based index, or `undefined`: for an index out of range, for 0, and for a value that is not a list."""
    if type(value) is not list:
        value = opened(value)
        if type(value) is not list:
            return UNDEFINED
    if type(index) is not int or index == 0 or not -len(value) <= index <= len(value):
        return UNDEFINED
    return value[index - 1 if index > 0 else index]


def read(value: Any, steps: Steps, origin: Any) -> Any:
    """The value at `steps`, or `undefined`."""
    for step in steps:
        if value is UNDEFINED:
            return UNDEFINED
        value = member(value, step) if type(step) is str else element(value, _resolved(step, origin))
    return value


def _resolved(step: Step, origin: Any) -> Any:
    if type(step) is tuple:
        return read(origin, step, origin)
    return 0 if step is APPEND else step


def put(target: Any, steps: Steps, value: Any, origin: Any, at: int = 0) -> Any:
    """`target` with `value` at `steps[at:]`. Missing levels are created, and a level that is not a map or a list is replaced.

    The steps are not sliced: each level would keep a copy of the rest of a path that a device may have written.
    """
    if at == len(steps):
        return value
    step = steps[at]
    inner = read(target, (step,), origin) if at + 1 < len(steps) else UNDEFINED
    new = put(inner, steps, value, origin, at + 1)
    if type(step) is not str:
        return _put_element(target, _resolved(step, origin) if step is not APPEND else step, new)
    if type(target) is dict:
        return {**target, step: new}
    return {step: new}


def _put_element(target: Any, index: Any, value: Any) -> Any:
    if type(target) is not list:
        return [value]
    if index is APPEND:
        return [*target, value]
    if type(index) is not int or not -len(target) <= index <= len(target):
        return target
    if index == 0:
        return [value, *target]
    copy = target.copy()
    copy[index - 1 if index > 0 else index] = value
    return copy


def sliced(value: Any, begin: int, end: int) -> list[Any]:
    """`path[begin..end]`, with both ends; negative ones count from the end."""
    if type(value) is not list:
        refuse("a list to take a range of", value)
    first, last = _position(begin, value), _position(end, value)
    return sublist(value, first, last - first + 1)


def _position(index: int, items: list[Any]) -> int:
    position = index if index > 0 else len(items) + 1 + index
    if index == 0 or position < 1:
        refuse(f"a list that has the index {index} of the range", items)
    return position


def sublist(items: list[Any], start: int, length: int) -> list[Any]:
    """`length` elements from the 1-based `start`, or fewer if the list ends before."""
    if start > len(items) + 1 and start >= 2:
        return []
    if start < 1 or length < 0:
        refuse("a start of at least 1 and a length of at least 0", [start, length])
    return items[start - 1 : start - 1 + length]
