"""The syntax tree of a statement.

Nodes are frozen dataclasses. `span` (offsets in the text) does not count for equality, so tests can compare `parse(print(tree))`
with `tree`. Conditions and expressions share one union, because a comparison is both. The parser decides where each is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    span: Span = field(default=(0, 0), compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A string, integer, float or boolean."""

    value: Any


@dataclass(frozen=True, slots=True)
class RangeLiteral(Node):
    """`[A..B]` alone: the list A, A+1, …, B."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Key:
    """One step of a path into a map."""

    name: str


@dataclass(frozen=True, slots=True)
class Index:
    """One step of a path into a list, 1-based. `from_end` with 0 is the `[-0]` of an assignment: append."""

    number: int
    from_end: bool = False


@dataclass(frozen=True, slots=True)
class PathIndex:
    """An index that is itself a path."""

    path: Path


Step = Key | Index | PathIndex


@dataclass(frozen=True, slots=True)
class Path(Node):
    """A name (no steps) or a path."""

    root: str
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """`path[A..B]`."""

    path: Path
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class ListOf(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Call(Node):
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`x IN (…)`."""

    operand: Expression
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not(Node):
    operand: Expression


@dataclass(frozen=True, slots=True)
class Both(Node):
    """`left AND right`."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Either(Node):
    """`left OR right`."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Branch:
    when: Expression
    then: Expression


@dataclass(frozen=True, slots=True)
class Case(Node):
    """`subject` is None in the searched form."""

    subject: Expression | None
    branches: tuple[Branch, ...]
    otherwise: Expression | None


Condition = Comparison | Member | Not | Both | Either
Expression = Literal | RangeLiteral | Path | Slice | ListOf | Call | Unary | Arithmetic | Case | Condition


@dataclass(frozen=True, slots=True)
class Star(Node):
    """`*`."""


@dataclass(frozen=True, slots=True)
class Field(Node):
    value: Expression
    alias: Path | None = None


@dataclass(frozen=True, slots=True)
class Statement(Node):
    """SELECT, or FOREACH if `collect` is true.

    Then the last of `fields` is the collection, and `do` and `incase` may be set.
    """

    fields: tuple[Field | Star, ...]
    sources: tuple[str, ...]
    where: Expression | None = None
    collect: bool = False
    do: tuple[Field | Star, ...] | None = None
    incase: Expression | None = None


def inside(node: Any) -> Iterator[Any]:
    """A part of a statement, and every part of what it evaluates. Aliases and sources are only names."""
    if isinstance(node, tuple):
        for each in node:
            yield from inside(each)
    elif is_dataclass(node):
        yield node
        for each in fields(node):
            if each.name not in {"span", "sources", "alias"}:
                yield from inside(getattr(node, each.name))
