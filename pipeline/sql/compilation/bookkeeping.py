"""The state of a compilation: names, labels, the scope, and the columns and keys that the code reads so far.

This file does not know expressions; see compiler.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import SqlError
from pipeline.sql.compilation.codegen import Labels
from pipeline.sql.compilation.scope import Scope
from pipeline.sql.syntax import nodes as n
from pipeline.sql.syntax.lexer import error_at


class Bookkeeping:
    """The state of one statement. `namespace` collects the functions and constants that its code needs.

    `columns` are the columns that the code reads so far (None: all); `keys` are those of the payload, `called`
    the functions that it calls. In a condition (`in_condition`), functions of the message give undefined, as in the dialect.
    """

    def __init__(self, text: str, tree: n.Statement, namespace: dict[str, Any]) -> None:
        self.text = text
        self.namespace = namespace
        self.labels = Labels(tree.span)
        self.scope = Scope()
        self.columns: set[str] | None = set()
        self.loaded = False
        self.uses_chance = False
        self.keys: set[str] = set()
        self.called: set[str] = set()
        self.in_loop = False  # of FOREACH
        self.in_condition = False
        self.label = 1
        self._locals = 0

    @contextmanager
    def perhaps(self) -> Iterator[None]:
        """Use around code that may not run: later code must not rely on what this code decodes."""
        loaded = self.loaded
        yield
        self.loaded = loaded

    @contextmanager
    def labelled(self, node: n.Node) -> Iterator[None]:
        """Use around the code of `node`: an error in this code is reported at `node`."""
        outer, self.label = self.label, self.labels.number(node.span)
        yield
        self.label = outer

    @contextmanager
    def asking(self, scope: Scope) -> Iterator[None]:
        """Use around a condition that sees `scope`."""
        outer, self.scope, self.in_condition = self.scope, scope, True
        yield
        self.scope, self.in_condition = outer, False

    def local(self) -> str:
        """The name of a new local variable."""
        self._locals += 1
        return f"v{self._locals}"

    def bind(self, value: Any, hint: str) -> str:
        """A name in the namespace for a constant or function that has no literal form."""
        name = f"{hint}_{len(self.namespace)}"
        self.namespace[name] = value
        return name

    def error(self, node: n.Node, message: str) -> SqlError:
        """The error that refuses the statement because of `node`."""
        return error_at(self.text, node.span[0], message)

    def reads(self, column: str) -> None:
        """Note that the statement reads a column of the event."""
        if self.columns is not None:
            self.columns.add(column)
