"""Makes Python syntax trees from small templates, and labels each instruction with its SQL node.

The compiler makes a tree instead of text for one reason: the line number of every Python node is the number of an SQL node. A
traceback then names the expression that raised, at no cost for evaluation.
"""

from __future__ import annotations

import ast
import functools
from typing import Any, Final, TypeVar

from pipeline.sql.syntax.nodes import Span

Code = ast.expr
T = TypeVar("T")


@functools.cache
def _template(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


@functools.cache
def _statements(source: str) -> list[ast.stmt]:
    return ast.parse(source).body


class Labels:
    """Numbers of SQL nodes, used as Python line numbers. Label 1 is the whole statement."""

    def __init__(self, whole: Span) -> None:
        self.spans: list[Span] = [whole, whole]
        self._numbers: dict[Span, int] = {whole: 1}

    def number(self, span: Span) -> int:
        """The label of the node with this span."""
        if span not in self._numbers:
            self._numbers[span] = len(self.spans)
            self.spans.append(span)
        return self._numbers[span]


def py(source: str, label: int, **parts: Code | str | int) -> Code:
    """The expression `source` with its names replaced by code, by another name (`str`) or by a number.

    A text of the rule's author is always passed as `constant(text)` and never as `str`, so that it cannot become code.
    """
    found = _copy(_template(source), label, parts)
    assert isinstance(found, ast.expr)
    return found


def do(source: str, label: int, **parts: Code | str | int) -> list[ast.stmt]:
    """The statements `source` with their names replaced as in `py`."""
    return [_copy(statement, label, parts) for statement in _statements(source)]


def constant(value: Any, label: int) -> Code:
    """A value that has a literal form in Python."""
    return _placed(ast.Constant(value), label)


def mapping(items: list[tuple[str, Code]], label: int) -> Code:
    """A dict display."""
    return _placed(ast.Dict([constant(key, label) for key, _ in items], [code for _, code in items]), label)


def sequence(items: list[Code], label: int) -> Code:
    """A list display."""
    return _placed(ast.List(items, ast.Load()), label)


def call(function: str, arguments: list[Code], label: int) -> Code:
    """A call of a function in the namespace by its name."""
    return _placed(ast.Call(_placed(ast.Name(function, ast.Load()), label), arguments, []), label)


def _copy(tree: Any, label: int, parts: dict[str, Any]) -> Any:
    """A copy of a template's tree, with its names replaced and every node labelled."""
    if isinstance(tree, ast.Name) and tree.id in parts:
        part = parts[tree.id]
        if isinstance(part, ast.AST):
            return part
        if isinstance(part, str):
            return _placed(ast.Name(part, tree.ctx), label)
        return constant(part, label)
    if isinstance(tree, list):
        return [_copy(item, label, parts) for item in tree]
    if not isinstance(tree, ast.AST):
        return tree
    copied = type(tree)(**{name: _copy(value, label, parts) for name, value in ast.iter_fields(tree)})
    return _placed(copied, label)


def _placed(node: T, label: int) -> T:
    """`node` with its label as the line number."""
    if isinstance(node, ast.expr | ast.stmt):
        node.lineno = node.end_lineno = label
        node.col_offset = node.end_col_offset = 0
    return node


_FRAME: Final = """
def evaluate(event):
    try:
        pass
    except Exception as error:
        raise EXPLAIN(error) from error
"""


def framed(body: list[ast.stmt]) -> ast.Module:
    """The definition of the function `evaluate(event)` with this body.

    If an exception occurs, it raises the error that EXPLAIN, a function in its namespace, makes from the exception. A method
    around it would cost one more call for each record.
    """
    module = ast.parse(_FRAME)
    definition = module.body[0]
    assert isinstance(definition, ast.FunctionDef)
    assert isinstance(definition.body[0], ast.Try)
    definition.body[0].body = body
    return module
