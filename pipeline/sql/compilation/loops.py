"""Compiles SELECT statements into the body of one loop over the columns of a fetch, instead of one function for each record.

The expressions are those of compiler.py. Only what they stand on is different: where the function reads the columns of an
Event, the loop reads locals that hold the fields of a Kafka record. These templates do so, and what they give is what
pipeline/record.py gives. A template may raise where that gives another value. Then the record is evaluated the other way.

Names that are not replaced belong to the loop: the record's `offset`, `timestamp`, `key`, `value` and `headers`, the latter
as a dict in `named`, and the Event if a statement needs one; the other names are functions of pipeline/sql/loop.py.
"""

from __future__ import annotations

import ast
from typing import Any, Final, NamedTuple

from pipeline.sql.compilation.codegen import Code, constant, py
from pipeline.sql.compilation.compiler import Compiler
from pipeline.sql.compilation.statements import Selection, StatementCompiler, names_in
from pipeline.sql.syntax import nodes as n

# The ingress writes this header second, and to look there costs a third of a search.
_CLIENTID: Final = (
    "key.decode() if (t[1] != UNKNOWN if len(headers) > 1 and (t := headers[1])[0] == 'clientid_from'"
    " else is_known(headers)) else U"
)
_HEADER: Final = "t.decode() if (t := named.get(k)) is not None else U"
# Headers that may be wrong. A record with such a header is a dead letter, even if WHERE is false.
READ_AT_ONCE: Final = {
    "topic": "named['topic'].decode()",
    "qos": "int(named.get('qos', b'0'))",
    "id": "named['id'].decode() if 'id' in named else id_of(timestamp, partition, offset)",
    "pub_props": "properties_of(named)",
}
COLUMNS: Final = {
    "payload": "value.decode()",
    "clientid": _CLIENTID,
    "timestamp": "timestamp",
    "publish_received_at": "timestamp",
    "username": _HEADER,
    "peerhost": _HEADER,
    "traceparent": _HEADER,
    "flags": "{'retain': 'retain' in named, 'dup': 'dup' in named}",
    "client_attrs": "{}",
    **{name: f"column_{name}" for name in READ_AT_ONCE},
    "event": "MESSAGE_EVENT",
    "node": "node",
    "metadata": "{'rule_id': n}",
}
# The payload as a struct. Whoever runs the loop gives it the function, which need not look at each payload if all are plain.
_NARROWED: Final = "decode(value)"


class LoopCompiler(Compiler):
    """Compiles expressions that read the locals of a loop, in which this is statement `number`."""

    def __init__(self, text: str, tree: n.Statement, namespace: dict[str, Any], number: int) -> None:
        super().__init__(text, tree, namespace)
        self.number = number

    def local(self) -> str:
        """The name of a new local variable, which no other statement of the loop uses."""
        return f"s{self.number}{super().local()}"

    def column(self, name: str) -> Code:
        """A column of the record."""
        self.reads(name)
        return py(
            COLUMNS.get(name, "U"), self.label, t=self.local(), k=constant(name, self.label), n=f"rule_{self.number}"
        )

    def narrowed_at_once(self) -> Code:
        """The struct of the decoded payload, decoded now unless another statement of the loop may have decoded it."""
        decoded = py(_NARROWED, self.label)
        return py("p or x", self.label, x=decoded) if self.number else decoded


class LoopedStatement(NamedTuple):
    """The parts of one statement in a loop: the beginning of its random numbers, and SELECT."""

    draws: list[ast.stmt]
    selection: Selection

    @property
    def names(self) -> set[str]:
        """All names in its code."""
        before, where, after, row = self.selection
        return names_in([*self.draws, *before, *after, *(ast.Expr(each) for each in (row, where) if each is not None)])


def looped(compiler: LoopCompiler, tree: n.Statement) -> LoopedStatement:
    """The parts of a SELECT."""
    statement = StatementCompiler(compiler, tree)
    selection = statement.selection()
    return LoopedStatement(statement.draws(), selection)
