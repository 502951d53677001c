"""The compiled form of a statement: all that follows from its text alone.

A Program is a form in a context, with the shape that it shares with other programs. To make a form takes a hundred times as long
as to make a program of it, so forms are cached: whoever changes one rule among thousands compiles one statement.
"""

from __future__ import annotations

import ast
from types import CodeType
from typing import Any, Final

from msgspec import Struct

from pipeline.memo import Memo
from pipeline.sql.compilation.codegen import framed
from pipeline.sql.compilation.compiler import Compiler
from pipeline.sql.compilation.growth import refuse_growth
from pipeline.sql.compilation.statements import StatementCompiler
from pipeline.sql.compilation.weight import weight_of
from pipeline.sql.functions.registry import FUNCTIONS
from pipeline.sql.syntax.nodes import Span, Statement
from pipeline.sql.syntax.parser import parse

FORMS_MAX: Final = 10_000
FORMS_BYTES_MAX: Final = 128 << 20
# Memory of a form for each character of its statement, as measured with short and long ones: most of it is the tree.
BYTES_A_CHARACTER: Final = 60


class Form(Struct, frozen=True, eq=False):
    """A compiled statement. `code` defines `evaluate`, and needs the functions and constants that are in `names`.

    `spans`: the places in the text, by the line numbers of the code. The other fields: see Program.
    """

    text: str
    tree: Statement
    code: CodeType
    names: dict[str, Any]
    spans: list[Span]
    columns: frozenset[str] | None
    keys: frozenset[str]
    weight: tuple[int, int]
    waits: bool
    uneven: bool
    repeatable: bool
    grows: bool


_FORMS: Final = Memo[tuple[str, bool], Form](FORMS_MAX, FORMS_BYTES_MAX)


def form_of(text: str, *, any_source: bool = False) -> Form:
    """The form of a statement. Raises SqlError for a statement that can never work, and RecursionError."""
    found = _FORMS.get((text, any_source))
    if found is None:
        tree = parse(text, any_source=any_source)
        refuse_growth(text, tree)
        found = _FORMS.remember((text, any_source), _compiled(text, tree), BYTES_A_CHARACTER * len(text))
    return found


def _compiled(text: str, tree: Statement) -> Form:
    compiler = Compiler(text, tree, {})
    module = _module(compiler, tree)
    called = [FUNCTIONS[name] for name in compiler.called]
    return Form(
        text,
        tree,
        compile(module, "<rule>", "exec"),
        compiler.namespace,
        compiler.labels.spans,
        None if compiler.columns is None else frozenset(compiler.columns),
        frozenset(compiler.keys),
        weight_of(tree),
        waits="jq" in compiler.called,
        uneven=tree.collect or any(each.seconds_max for each in called),
        repeatable=not any(each.theme == "state" for each in called),
        grows=any(each.grows for each in called),
    )


def source_of(form: Form) -> str:
    """The Python source of a form, for people."""
    return ast.unparse(_module(Compiler(form.text, form.tree, {}), form.tree))


def _module(compiler: Compiler, tree: Statement) -> ast.Module:
    return framed(StatementCompiler(compiler, tree).body())
