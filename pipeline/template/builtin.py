"""Jinja's own filters and tests, over the values of the language.

Each has Jinja's name and arguments. Jinja itself would write Python's text (`True`, `None`, `1e-07`, `{'a': 1}`), count
booleans as numbers, and fail on lists of mixed kinds or on lists of lists. Here text is the language's, and the order of values
is that of its comparison. What Jinja does lazily is done at once, so that its result is a list, and can be printed.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote

import jinja2
from jinja2 import filters as jinja_filters
from jinja2.sandbox import SandboxedEnvironment

from pipeline.sql.runtime.jsontext import to_json
from pipeline.sql.runtime.ordering import order, same
from pipeline.sql.runtime.values import BadValueError, shown
from pipeline.template.language import octets_of, plain, text
from pipeline.template.work import RESULT_CHARACTERS_MAX, bounded_number, current, too_long

DECIMALS_MAX: Final = 30
_NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*", re.ASCII)
_WHOLE: Final = re.compile(r"\s*[+-]?[0-9]+\s*", re.ASCII)

FILTERS: Final[dict[str, Callable[..., Any]]] = {
    # They neither make text nor compare.
    name: jinja_filters.FILTERS[name]
    for name in (
        "count", "first", "last", "length", "list", "map", "reject", "rejectattr", "select", "selectattr",
    )
}  # fmt: skip
TESTS: Final[dict[str, Callable[..., bool]]] = {}


# They take lists, and also the keys of a map, and the characters of a text.
OF_ELEMENTS: Final = frozenset(
    ["count", "first", "join", "last", "length", "list", "map", "max", "min", "reject", "rejectattr", "select",
     "selectattr", "sort", "sum", "unique"]
)  # fmt: skip


def _filter(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(call: Callable[..., Any]) -> Callable[..., Any]:
        FILTERS.update(dict.fromkeys(names, call))
        return call

    return register


# --- Text


@_filter("string")
def _string(value: Any) -> str:
    return text(value)


@_filter("lower")
def _lower(value: Any) -> str:
    return text(value).lower()


@_filter("upper")
def _upper(value: Any) -> str:
    return text(value).upper()


@_filter("capitalize")
def _capitalize(value: Any) -> str:
    return text(value).capitalize()


@_filter("title")
def _title(value: Any) -> str:
    return str(jinja_filters.do_title(text(value)))


@_filter("trim")
def _trim(value: Any, chars: Any = None) -> str:
    return text(value).strip(None if chars is None else text(chars))


@_filter("truncate")
def _truncate(value: Any, length: int = 255, killwords: bool = False, end: Any = "...", leeway: int = 5) -> str:
    whole, end = text(value), text(end)
    if type(length) is not int or type(leeway) is not int or length < len(end):
        raise BadValueError(f"truncate: expected a length of at least {len(end)}, found {shown(length)}")
    if len(whole) <= length + leeway:
        return whole
    cut: str = whole[: length - len(end)]
    return f"{cut if killwords else cut.rsplit(' ', 1)[0]}{end}"


@_filter("urlencode")
def _urlencode(value: Any) -> str:
    return quote(octets_of(value), safe="/")


@_filter("replace")
def _replace(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    """The text with one part replaced by another, everywhere or so many times."""
    whole, old, new = text(value), text(old), text(new)
    found = whole.count(old) if count is None or count < 0 else min(count, whole.count(old))
    size = len(whole) + found * (len(new) - len(old))
    if size > RESULT_CHARACTERS_MAX:
        raise too_long(size)
    return whole.replace(old, new, -1 if count is None else count)


@_filter("join")
@jinja2.pass_environment
def _join(environment: SandboxedEnvironment, value: Any, d: Any = "", attribute: Any = None) -> str:
    """The texts of the elements, with `d` between them."""
    separator = text(d)
    pieces: list[Any] = []
    for item in _attributes(environment, value, attribute):
        pieces += [separator, item] if pieces else [item]
        current().spend(1)
    return joined(pieces)


def joined(values: list[Any]) -> str:
    """`~`: all as text, joined."""
    work, texts, size = current(), [], 0
    for value in values:
        work.bounded(value)
        texts.append(text(value))
        size += len(texts[-1])
        if size > RESULT_CHARACTERS_MAX:
            raise too_long(size)
    work.look_at("".join(texts))
    return "".join(texts)


# --- Numbers


def _is_number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def number(value: Any, what: str) -> Any:
    """A number, which a boolean is not. Raises BadValueError."""
    if not _is_number(value):
        raise BadValueError(f"{what}: expected a number, found {shown(plain(value))}")
    return value


def finite(value: Any) -> Any:
    """The result of arithmetic, unless it is too large."""
    if type(value) is float and not math.isfinite(value):
        raise BadValueError("the result is beyond the range of a float")
    return bounded_number(value)


def plus(left: Any, right: Any) -> Any:
    """`+`: the sum of numbers, joined lists, or joined text if one side is text, as in a rule."""
    current().added(left, right)
    if isinstance(left, list) and isinstance(right, list):
        return left + right
    if isinstance(left, str) or isinstance(right, str):
        return text(left) + text(right)
    return finite(number(left, "+") + number(right, "+"))


@_filter("sum")
@jinja2.pass_environment
def _sum(environment: SandboxedEnvironment, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """The sum of the elements, each addition bounded as `+` is."""
    total = start
    for item in _attributes(environment, value, attribute):
        total = plus(total, item if isinstance(item, list) else number(item, "sum"))
    return total


@_filter("abs")
def _abs(value: Any) -> Any:
    return abs(number(value, "abs"))


@_filter("round")
def _round(value: Any, precision: int = 0, method: str = "common") -> Any:
    if type(precision) is not int or abs(precision) > DECIMALS_MAX:
        raise BadValueError(f"round: expected a precision of at most {DECIMALS_MAX} digits, found {shown(precision)}")
    return finite(jinja_filters.do_round(number(value, "round"), precision, method))  # type: ignore[arg-type]


@_filter("int")
def _int(value: Any, default: Any = 0, base: int = 10) -> Any:
    """A number without its fraction, or the number that a text holds; otherwise the default."""
    if isinstance(value, str):
        if base != 10:
            return jinja_filters.do_int(value, default, base) if "_" not in value else default
        if not _NUMBER.fullmatch(value):
            return default
        value = int(value) if _WHOLE.fullmatch(value) else float(value)
    return (
        bounded_number(int(value)) if type(value) is bool or (_is_number(value) and math.isfinite(value)) else default
    )


@_filter("float")
def _float(value: Any, default: Any = 0.0) -> Any:
    """A number, or the number that a text holds, as a float; otherwise the default."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return default
    found = float(value) if isinstance(value, str | int | float) else math.inf
    return found if math.isfinite(found) else default


# --- Lists and maps


def _attributes(environment: SandboxedEnvironment, value: Any, attribute: Any) -> Iterable[Any]:
    """The elements, or what is at a path of keys and positions in each."""
    if attribute is None:
        return value  # type: ignore[no-any-return]
    parts = [int(part) if part.isdecimal() else part for part in text(attribute).split(".")]
    return (functools.reduce(environment.getitem, parts, item) for item in value)


def _ordered(value: Any, case_sensitive: bool) -> Any:
    """A value that Python orders as the language does; text without its case if that is not to count."""
    if not case_sensitive and isinstance(value, str):
        value = value.lower()
    return functools.cmp_to_key(order)(plain(value))


@_filter("sort")
@jinja2.pass_environment
def _sort(
    environment: SandboxedEnvironment,
    value: Any,
    reverse: bool = False,
    case_sensitive: bool = False,
    attribute: Any = None,
) -> list[Any]:
    items = list(value)
    names = [None] if attribute is None else text(attribute).split(",")
    for name in reversed(names):  # the order of equal elements stays
        keys = [_ordered(each, case_sensitive) for each in _attributes(environment, items, name)]
        places = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(reverse))
        items = [items[place] for place in places]
    return items


@_filter("min")
@jinja2.pass_environment
def _min(environment: SandboxedEnvironment, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    return _extreme(environment, value, min, case_sensitive, attribute)


@_filter("max")
@jinja2.pass_environment
def _max(environment: SandboxedEnvironment, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
    return _extreme(environment, value, max, case_sensitive, attribute)


def _extreme(environment: SandboxedEnvironment, value: Any, choose: Any, case_sensitive: bool, attribute: Any) -> Any:
    items = list(value)
    if not items:
        return environment.undefined("an element of an empty list")
    keys = [_ordered(each, case_sensitive) for each in _attributes(environment, items, attribute)]
    return items[choose(range(len(items)), key=keys.__getitem__)]


@_filter("unique")
@jinja2.pass_environment
def _unique(
    environment: SandboxedEnvironment, value: Any, case_sensitive: bool = False, attribute: Any = None
) -> list[Any]:
    items = list(value)
    found: dict[Any, Any] = {}
    for item, each in zip(items, _attributes(environment, items, attribute), strict=True):
        found.setdefault(_identity(each, case_sensitive), item)
    return list(found.values())


def _identity(value: Any, case_sensitive: bool) -> Any:
    """What is equal for equal values, and only for them."""
    if isinstance(value, str):
        return "text", value if case_sensitive else value.lower()
    return ("number", value) if _is_number(value) else ("other", to_json(plain(value)))


@_filter("items")
def _items(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        raise BadValueError(f"items: expected a map, found {shown(plain(value))}")
    return [list(pair) for pair in value.items()]


@_filter("dictsort")
def _dictsort(value: Any, case_sensitive: bool = False, by: str = "key", reverse: bool = False) -> list[Any]:
    if by not in ("key", "value"):
        raise BadValueError(f"dictsort: expected by='key' or by='value', found {shown(by)}")
    place = 0 if by == "key" else 1
    return sorted(_items(value), key=lambda pair: _ordered(pair[place], case_sensitive), reverse=bool(reverse))


@_filter("default", "d")
def _default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """The default instead of a missing value or null; with `boolean` also instead of what counts as false."""
    nothing = value is None or isinstance(value, jinja2.Undefined) or (boolean and not value)
    return default_value if nothing else value


# --- Tests


def _test(*names: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    def register(call: Callable[..., bool]) -> Callable[..., bool]:
        TESTS.update(dict.fromkeys(names, call))
        return call

    return register


@_test("number")
def _is_a_number(value: Any) -> bool:
    return _is_number(value)


@_test("string")
def _is_string(value: Any) -> bool:
    return isinstance(value, str | bytes)


@_test("lower")
def _is_lower(value: Any) -> bool:
    return not isinstance(value, jinja2.Undefined) and text(value).islower()


@_test("upper")
def _is_upper(value: Any) -> bool:
    return not isinstance(value, jinja2.Undefined) and text(value).isupper()


@_test("even")
def _is_even(value: Any) -> bool:
    return bool(number(value, "even") % 2 == 0)


@_test("odd")
def _is_odd(value: Any) -> bool:
    return bool(number(value, "odd") % 2 == 1)


@_test("divisibleby")
def _is_divisible(value: Any, num: Any) -> bool:
    return bool(number(value, "divisibleby") % number(num, "divisibleby") == 0)


@_test("sameas")
def _is_same(value: Any, other: Any) -> bool:
    """Of the same type and value."""
    return same(plain(value), plain(other))
