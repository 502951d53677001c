"""What the body of FOREACH may look at and make, over all elements of one record.

A device chooses how many elements there are, and how long the values are that the body reads again for each of them. A function
or a comparison that takes a millisecond once takes minutes for a hundred thousand elements, and what it makes stays until the
rows are written. So in a loop the sizes of what functions and operators are given, and of what they make, are added up. For
searches of patterns and jq programs no size tells how long they take, so their times are added up too. `LOOPED` are the
operators as they are called there.

Each thread has a sum of its own: an evaluation does not change threads.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from pipeline.sql.runtime import operators, ordering, paths
from pipeline.sql.runtime.jsontext import from_json
from pipeline.sql.runtime.paths import Steps
from pipeline.sql.runtime.values import BadValueError, Row, TimeOverError

LOOKED_AT_BYTES_MAX: Final = 134_217_728
# What a copy of a list or map takes for each item, and an item of a range with its integer.
COPIED_ITEM_BYTES: Final = 64
RANGE_ITEM_BYTES: Final = 40
# What lists, maps and what is in them take in memory, as a multiple of `_size`, which is that of their text.
MEMORY_FACTOR: Final = 8
LEVEL_BYTES: Final = 128  # what a map takes without its items
# How much longer than reading is decoding, comparing the items of lists and maps, and splitting a topic name.
DECODED: Final = 4
COMPARED: Final = 8
SPLIT: Final = 16
KEPT_BYTES_MIN: Final = 256
_LONG: Final = 1 << 64  # an integer beyond this is long
_SIZED: Final = (str, bytes, list, dict)
_TEXT: Final = (str, bytes)


class _Sum(threading.local):
    def __init__(self) -> None:
        self.bytes = 0
        self.seconds = 0.0
        self.known: dict[int, tuple[Any, int]] = {}  # by identity: a list or a map, which is kept, and its size


_sum: Final = _Sum()


def elements(collection: Any, most: int) -> list[Any]:
    """The elements for FOREACH: those of a list, which may have at most `most` elements. Anything else has no elements."""
    if type(collection) is not list:
        return []
    _sum.bytes, _sum.seconds = 0, 0.0
    _sum.known = {}
    if len(collection) > most:
        raise BadValueError(f"FOREACH takes at most {most} elements here, found {len(collection)}")
    return collection


def counted(call: Callable[..., Any], cost: int = 1, seconds_max: float = 0.0) -> Callable[..., Any]:
    """A function or an operator as it is called in a loop. Raises BadValueError when all of them have looked at too much.

    `cost` and `seconds_max`: see pipeline/sql/functions/registry.py.
    """
    if seconds_max:
        call = _timed(call, seconds_max)

    @functools.wraps(call)
    def looping(*arguments: Any) -> Any:
        for argument in arguments:
            kind = type(argument)
            if kind in _SIZED:
                _add(_size(argument) * cost)
            elif kind is int and not -_LONG < argument < _LONG:
                _add(_digits_cost(argument))
        made = call(*arguments)
        if type(made) in _TEXT:
            _add(len(made))
        elif type(made) is list:
            _add(8 * len(made))
        elif type(made) is dict:
            _add_levels(made)
        return made

    return looping


def _timed(call: Callable[..., Any], seconds_max: float) -> Callable[..., Any]:
    @functools.wraps(call)
    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return call(*arguments)
        finally:
            _sum.seconds += time.perf_counter() - began
            if _sum.seconds > seconds_max:
                raise TimeOverError(f"the body of FOREACH took longer than {seconds_max:g} s for all elements together")

    return timed


def _add(size_bytes: int) -> None:
    _sum.bytes += size_bytes
    if _sum.bytes > LOOKED_AT_BYTES_MAX:
        raise BadValueError(
            f"the body of FOREACH reads and makes more than {LOOKED_AT_BYTES_MAX} bytes for all elements together"
        )


def _add_levels(made: dict[str, Any]) -> None:
    """Count a map that was made, with the maps in it: `map_put` makes as many as a device writes into its path."""
    waiting = [made]
    while waiting:
        each = waiting.pop()
        _add(LEVEL_BYTES + COPIED_ITEM_BYTES * len(each))
        waiting += [inner for inner in each.values() if type(inner) is dict]


def _digits_cost(value: int) -> int:
    """What a long integer costs: its text and its products take the square of its length."""
    return value.bit_length() ** 2 >> 12


def _size(value: Any) -> int:
    """Roughly the size of a value when it is written out."""
    if type(value) is str or type(value) is bytes:
        return len(value)
    if type(value) is not list and type(value) is not dict:
        return 0
    found = _sum.known.get(id(value))
    if found is not None:
        return found[1]
    size = 0
    waiting: list[Any] = [value]
    while waiting and size <= LOOKED_AT_BYTES_MAX:
        each = waiting.pop()
        size += 8 + (len(each) if type(each) in _TEXT else 0)
        if type(each) is int and not -_LONG < each < _LONG:
            size += _digits_cost(each)
        elif type(each) is dict:
            waiting += each.keys()
            waiting += each.values()
        elif type(each) is list:
            waiting += each
    if size >= KEPT_BYTES_MIN:
        _sum.known[id(value)] = value, size
    return size


def memory_of(value: Any) -> int:
    """Roughly the memory that a value takes, rather too high than too low."""
    if type(value) in _TEXT:
        return len(value)
    known, _sum.known = _sum.known, {}  # which keeps values alive, until the next FOREACH
    size = MEMORY_FACTOR * _size(value)
    _sum.known = known
    return size


def written_size(rows: list[Row], limit: int) -> int:
    """Roughly the size of rows when they are written out. Stops counting after `limit`."""
    _sum.known = {}
    size = 0
    for row in rows:
        size += sum([8 + _size(value) for value in row.values()])
        if size > limit:
            break
    _sum.known = {}
    return size


# --- Paths. Text is decoded again for each element.


def _member(value: Any, key: str) -> Any:
    if type(value) in _TEXT:
        _add(DECODED * len(value))
    return paths.member(value, key)


def _element(value: Any, index: Any) -> Any:
    if type(value) in _TEXT:
        _add(DECODED * len(value))
    return paths.element(value, index)


def _read(value: Any, steps: Steps, origin: Any) -> Any:
    for step in steps:
        if type(value) in _TEXT:
            _add(DECODED * len(value))
        value = paths.read(value, (step,), origin)
    return value


def _decoded(value: Any) -> Any:
    if type(value) not in _TEXT:
        return value
    _add(DECODED * len(value))
    return from_json(value)


def _put(target: Any, steps: Steps, value: Any, origin: Any) -> Any:
    level = target
    for step in steps:  # each level is copied
        _add(COPIED_ITEM_BYTES * len(level) if type(level) in _SIZED else COPIED_ITEM_BYTES)
        level = paths.read(level, (step,), origin)
    return paths.put(target, steps, value, origin)


def _sliced(value: Any, begin: int, end: int) -> list[Any]:
    made = paths.sliced(value, begin, end)
    _add(8 * len(made))
    return made


def _range(begin: int, end: int) -> list[int]:
    _add(RANGE_ITEM_BYTES * max(0, end - begin + 1))
    return operators.list_of_range(begin, end)


# --- Comparisons


def _compares(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def looping(left: Any, right: Any) -> bool:
        if type(left) in _SIZED or type(right) in _SIZED:
            _add(_cost(left, right))
        return compare(left, right)

    return looping


def _cost(left: Any, right: Any) -> int:
    """What a comparison looks at. Text is compared up to the end of the shorter one; text and a number as two numbers."""
    if type(left) in _TEXT and type(right) in _TEXT:
        return min(len(left), len(right))
    if type(left) in _TEXT or type(right) in _TEXT:
        digits = min(len(left if type(left) in _TEXT else right), ordering.DIGITS_MAX)
        return digits + digits * digits // 16
    return COMPARED * (_size(left) + _size(right)) if type(left) is type(right) else 0


def _is_in(value: Any, items: list[Any]) -> bool:
    _add(COMPARED * len(items) * (1 + _size(value)))
    return ordering.is_in(value, items)


def _topic_matches(topic: Any, topic_filter: Any) -> bool:
    _add(SPLIT * (_size(topic) + _size(topic_filter)))
    return operators.topic_matches(topic, topic_filter)


LOOPED: Final[dict[str, Callable[..., Any]]] = {
    **{name: counted(getattr(operators, name)) for name in ("add", "subtract", "multiply", "quotient", "remainder")},
    **{name: _compares(getattr(ordering, name)) for name in ("compare_eq", "compare_ne", "compare_lt", "compare_le")},
    **{name: _compares(getattr(ordering, name)) for name in ("compare_gt", "compare_ge", "same")},
    "decoded": _decoded,
    "element": _element,
    "is_in": _is_in,
    "list_of_range": _range,
    "member": _member,
    "put": _put,
    "read": _read,
    "sliced": _sliced,
    "topic_matches": _topic_matches,
}
