"""The syntax tree of a statement.

Nodes never change. `span` (offsets in the text) does not count for equality, so tests can compare `parse(print(tree))` with
`tree`. Conditions and expressions share one union, because a comparison is both. The parser decides where each is allowed.

They are structs and not dataclasses, because Python compiles the text of six methods for each dataclass when it is imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

Span = tuple[int, int]


class Node(Struct, frozen=True, eq=False, kw_only=True):
    """A part of a statement that knows where it stands."""

    span: Span = (0, 0)

    def parts(self) -> tuple[Any, ...]:
        """What it says, without where."""
        return tuple(getattr(self, name) for name in self.__struct_fields__ if name != "span")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.parts() == self.parts()

    def __hash__(self) -> int:
        return hash(self.parts())

    def __repr__(self) -> str:
        said = (f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__ if name != "span")
        return f"{type(self).__name__}({', '.join(said)})"


class Literal(Node, frozen=True, eq=False):
    """A string, integer, float or boolean."""

    value: Any


class RangeLiteral(Node, frozen=True, eq=False):
    """`[A..B]` alone: the list A, A+1, …, B."""

    begin: int
    end: int


class Key(Struct, frozen=True):
    """One step of a path into a map."""

    name: str


class Index(Struct, frozen=True):
    """One step of a path into a list, 1-based. `from_end` with 0 is the `[-0]` of an assignment: append."""

    number: int
    from_end: bool = False


class PathIndex(Struct, frozen=True):
    """An index that is itself a path."""

    path: Path


Step = Key | Index | PathIndex


class Path(Node, frozen=True, eq=False):
    """A name (no steps) or a path."""

    root: str
    steps: tuple[Step, ...] = ()


class Slice(Node, frozen=True, eq=False):
    """`path[A..B]`."""

    path: Path
    begin: int
    end: int


class ListOf(Node, frozen=True, eq=False):
    items: tuple[Expression, ...]


class Call(Node, frozen=True, eq=False):
    name: str
    arguments: tuple[Expression, ...]


class Unary(Node, frozen=True, eq=False):
    operator: str
    operand: Expression


class Arithmetic(Node, frozen=True, eq=False):
    operator: str
    left: Expression
    right: Expression


class Comparison(Node, frozen=True, eq=False):
    operator: str
    left: Expression
    right: Expression


class Member(Node, frozen=True, eq=False):
    """`x IN (…)`."""

    operand: Expression
    items: tuple[Expression, ...]


class Not(Node, frozen=True, eq=False):
    operand: Expression


class Both(Node, frozen=True, eq=False):
    """`left AND right`."""

    left: Expression
    right: Expression


class Either(Node, frozen=True, eq=False):
    """`left OR right`."""

    left: Expression
    right: Expression


class Branch(Struct, frozen=True):
    when: Expression
    then: Expression


class Case(Node, frozen=True, eq=False):
    """`subject` is None in the searched form."""

    subject: Expression | None
    branches: tuple[Branch, ...]
    otherwise: Expression | None


Condition = Comparison | Member | Not | Both | Either
Expression = Literal | RangeLiteral | Path | Slice | ListOf | Call | Unary | Arithmetic | Case | Condition


class Star(Node, frozen=True, eq=False):
    """`*`."""


class Field(Node, frozen=True, eq=False):
    value: Expression
    alias: Path | None = None


class Statement(Node, frozen=True, eq=False):
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
    elif isinstance(node, Struct):
        yield node
        for name in node.__struct_fields__:
            if name not in {"span", "sources", "alias"}:
                yield from inside(getattr(node, name))
