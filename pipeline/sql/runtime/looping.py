"""Limits what the body of FOREACH may read and make, over all elements of one record.

A device chooses how many elements there are, and how long the texts are that the body reads again for each of them. A function
that takes a millisecond once takes minutes for a hundred thousand elements, and text that it makes stays until the rows are
written. So in a loop the sizes of what functions and operators are given, and of what they make, are added up.

Each thread has a sum of its own: an evaluation does not change threads.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Final

from pipeline.sql.runtime.values import BadValueError

LOOKED_AT_BYTES_MAX: Final = 134_217_728
_SIZED: Final = (str, bytes, list, dict)


class _Sum(threading.local):
    def __init__(self) -> None:
        self.bytes = 0
        self.known: dict[int, tuple[Any, int]] = {}  # by identity: a list or a map, which is kept, and its size


_sum: Final = _Sum()


def begin() -> None:
    """Another loop begins."""
    _sum.bytes = 0
    _sum.known = {}


def counted(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function or an operator as it is called in a loop. Raises BadValueError when all of them have looked at too much."""

    @functools.wraps(call)
    def looping(*arguments: Any) -> Any:
        for argument in arguments:
            if type(argument) in _SIZED:
                _add(argument)
        made = call(*arguments)
        if type(made) is str or type(made) is bytes:
            _add(made)
        return made

    return looping


def _add(value: Any) -> None:
    _sum.bytes += len(value) if type(value) is str or type(value) is bytes else _size(value)
    if _sum.bytes > LOOKED_AT_BYTES_MAX:
        raise BadValueError(
            f"the body of FOREACH reads and makes more than {LOOKED_AT_BYTES_MAX} bytes for all elements together"
        )


def _size(value: Any) -> int:
    """Roughly the size of a list or a map when it is written out."""
    found = _sum.known.get(id(value))
    if found is None:
        size, waiting = 0, [value]
        while waiting and size <= LOOKED_AT_BYTES_MAX:
            each = waiting.pop()
            size += 8 + (len(each) if type(each) is str or type(each) is bytes else 0)
            if type(each) is dict:
                waiting += each.keys()
                waiting += each.values()
            elif type(each) is list:
                waiting += each
        found = _sum.known[id(value)] = value, size
    return found[1]
