"""Mutants of a module: its source with one small change each, of the kinds that people make by mistake.

A comparison that is off by one or turned round, `and` for `or`, a number that is one too large, a sign, a condition that is
forgotten, a statement that is not there. Docstrings, annotations, texts, limits, and the `strict` of zip are left alone: no test
should depend on them.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Final, NamedTuple

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Mod: ast.Add,
}  # fmt: skip


class Mutant(NamedTuple):
    """One change: its line, the old and new code, and the whole changed module."""

    line: int
    before: str
    after: str
    source: str


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its nodes."""
    tree = ast.parse(source)
    places = [node for node in ast.walk(tree) if isinstance(node, ast.expr | ast.stmt)]
    ignored = {id(inner) for node in ast.walk(tree) for outer in _ignored(node) for inner in ast.walk(outer)}
    for number, node in enumerate(places):
        if id(node) in ignored:
            continue
        for choice, changed in enumerate(_changes(node)):
            fresh = copy.deepcopy(tree)
            place = [each for each in ast.walk(fresh) if isinstance(each, ast.expr | ast.stmt)][number]
            instead = list(_changes(place))[choice]
            whole = ast.fix_missing_locations(_Swap(place, instead).visit(fresh))
            yield Mutant(node.lineno, ast.unparse(node), ast.unparse(changed), ast.unparse(whole))


def _ignored(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of a node that are not behaviour."""
    if isinstance(node, ast.AnnAssign):
        yield node.annotation
        if ast.unparse(node.annotation) == "Final" and isinstance(node.value, ast.Constant):
            yield node.value  # a limit that somebody chose: one more would do as well
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from filter(
            None, [node.returns, *(each.annotation for each in ast.walk(node.args) if isinstance(each, ast.arg))]
        )
        yield from node.decorator_list
    if isinstance(node, ast.keyword) and node.arg == "strict":
        yield node.value  # of zip: an assertion, which only a fault elsewhere would break
    if isinstance(node, ast.ClassDef):
        yield from [*node.bases, *node.decorator_list]
    if isinstance(node, ast.JoinedStr):
        yield from node.values


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """The possible replacements of a node."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        yield ast.Compare(node.left, [_COMPARISONS[type(node.ops[0])]()], node.comparators)
    elif isinstance(node, ast.Compare):
        for number, operator in enumerate(node.ops):
            operators = [*node.ops[:number], _COMPARISONS[type(operator)](), *node.ops[number + 1 :]]
            yield ast.Compare(node.left, operators, node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for number in range(len(node.values)):
            rest = [*node.values[:number], *node.values[number + 1 :]]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        yield ast.BinOp(node.left, _OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif (
        isinstance(node, ast.AugAssign)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Await))
        or (isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript))
    ):
        yield ast.Pass()
    elif isinstance(node, ast.If | ast.While):
        yield type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)
    elif isinstance(node, ast.Break | ast.Continue):
        yield ast.Pass()


class _Swap(ast.NodeTransformer):
    """Replaces one node with another."""

    def __init__(self, place: ast.AST, instead: ast.AST) -> None:
        self._place = place
        self._instead = instead

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._place:
            return ast.copy_location(self._instead, node)
        self.generic_visit(node)
        return node
