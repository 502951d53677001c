"""Lists. The list is the last argument, and positions count from 1."""

from __future__ import annotations

from typing import Any

from pipeline.sql.functions.registry import as_integer, as_list, function
from pipeline.sql.runtime import paths
from pipeline.sql.runtime.ordering import is_in
from pipeline.sql.runtime.values import refuse


@function("nth(position: integer, items: list) -> any", example=("nth(2, ['a', 'b'])", "'b'"))
def nth(position: int, items: list[Any]) -> Any:
    """The element at a position. Raises if the list has no such element."""
    if not 1 <= position <= len(items):
        refuse(f"a list with an element {position}", items)
    return items[position - 1]


@function("length(items: list) -> integer", example=("length([1, 2])", "2"))
def length(items: list[Any]) -> int:
    """The number of elements of a list. For characters use `strlen()`, for maps `map_size()`."""
    return len(items)


@function(
    "sublist(count: integer, items: list) -> list",
    "sublist(start: integer, count: integer, items: list) -> list",
    examples=(("sublist(2, ['a', 'b', 'c'])", "['a', 'b']"), ("sublist(2, 5, ['a', 'b', 'c'])", "['b', 'c']")),
)
def sublist(*arguments: Any) -> list[Any]:
    """The first `count` elements, or `count` elements from `start` on. Gives fewer if the list ends before. Raises
    for a start below 1 or a negative count.
    """
    items = as_list(arguments[-1])
    start = as_integer(arguments[0]) if len(arguments) == 3 else 1
    return paths.sublist(items, start, as_integer(arguments[-2]))


@function("first(items: list) -> any", example=("first(['a', 'b'])", "'a'"))
def first(items: list[Any]) -> Any:
    """The first element. Raises for an empty list."""
    return items[0] if items else refuse("a list that is not empty", items)


@function("last(items: list) -> any", example=("last(['a', 'b'])", "'b'"))
def last(items: list[Any]) -> Any:
    """The last element. Raises for an empty list."""
    return items[-1] if items else refuse("a list that is not empty", items)


@function(
    "contains(x: any, items: list) -> boolean",
    examples=(("contains('a', ['a', 'b'])", "true"), ("contains(1, [1.0])", "false")),
)
def contains(x: Any, items: list[Any]) -> bool:
    """Whether the list has an element of the same type and value."""
    return is_in(x, items)
