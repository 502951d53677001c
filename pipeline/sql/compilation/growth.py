"""How often a statement repeats what it reads.

`[a, a] AS b, [b, b] AS c, …` makes a value that costs nothing in memory, because its parts are shared, but that no memory holds
when it is written out. So each field has a weight: the number of times that it may hold the largest thing that it reads. A
statement with too large a weight is refused when it is made. Text and numbers count once, since the functions that make them
bound them at run time.

This file knows the tree of a statement and does not know values.
"""

from __future__ import annotations

from typing import Final

from pipeline.sql.compilation.inference import type_of
from pipeline.sql.syntax import nodes as n
from pipeline.sql.syntax.lexer import error_at

# More than a statement of the longest kind can name without aliases of aliases.
WEIGHT_MAX: Final = 10_000
_ONE: Final = frozenset({"boolean", "integer", "float", "number", "string"})


def refuse_growth(text: str, tree: n.Statement) -> None:
    """Raise SqlError at the first field that is too heavy."""
    weights: dict[str, int] = {}
    for field in (*tree.fields, *(tree.do or ())):
        if isinstance(field, n.Star):
            continue
        weight = _weight(field.value, weights)
        key = field.alias or field.value
        if isinstance(key, n.Slice):
            key = key.path
        if isinstance(key, n.Path):
            weight += weights.get(key.root, 0) if key.steps else 0
            weights[key.root] = weight
        if weight > WEIGHT_MAX:
            raise error_at(
                text,
                field.span[0],
                f"this holds what it reads {weight} times: aliases may repeat it {WEIGHT_MAX} times",
            )


def _weight(node: n.Expression, weights: dict[str, int]) -> int:
    match node:
        case n.Literal():
            return 0
        case n.Path(root) | n.Slice(n.Path(root)):
            return weights.get(root, 1)
        case n.ListOf(items):
            return max(1, sum(_weight(item, weights) for item in items))
        case n.Unary("+", operand):
            return _weight(operand, weights)
        case n.Case(_, branches, otherwise):
            results = [branch.then for branch in branches] + ([otherwise] if otherwise else [])
            return max(_weight(result, weights) for result in results)
        case n.Call(_, arguments) if type_of(node) not in _ONE:
            return max(1, sum(_weight(argument, weights) for argument in arguments))
    return 1
