"""Compiles a statement into a Program, which evaluates one record at a time.

A program is a pure function of an Event and its Context. It reads no clock and no random numbers of the machine, so a replay of
the same records gives the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final

from pipeline.errors import EvaluationError, SqlError
from pipeline.sql import functions as _functions
from pipeline.sql.compilation.form import Form, form_of, source_of
from pipeline.sql.functions.registry import CHECKS
from pipeline.sql.runtime import operators, ordering, paths
from pipeline.sql.runtime.event import DEFAULT_CONTEXT, Context, Event
from pipeline.sql.runtime.jsontext import from_json
from pipeline.sql.runtime.looping import LOOPED, elements
from pipeline.sql.runtime.shape import KEYS_MAX, Shape, shape_of
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Row
from pipeline.sql.syntax.lexer import error_at

TEXT: Final = (str, bytes)


def decoded(value: Any) -> Any:
    """The JSON value of a string, or any other value unchanged. Raises NotJsonError for a string that is not JSON."""
    return from_json(value) if type(value) in TEXT else value


NAMESPACE: Final[dict[str, Any]] = {
    "U": UNDEFINED,
    "TEXT": TEXT,
    "decoded": decoded,
    **{name: getattr(paths, name) for name in ("element", "member", "put", "read", "sliced")},
    **{name: getattr(ordering, name) for name in ("is_in", "same")},
    **{f"compare_{name}": getattr(ordering, f"compare_{name}") for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{
        name: getattr(operators, name)
        for name in (
            "add", "divide", "list_of_range", "multiply", "negate", "quotient", "remainder", "subtract", "topic_matches", "truth",
        )
    },
    **{f"loop_{name}": operator for name, operator in LOOPED.items()},
    "elements": elements,
    **{f"as_{name}": check for name, check in CHECKS.items()},
}  # fmt: skip


class Program:
    """A compiled statement.

    `text`: the statement. `topics`: its FROM sources, which the caller matches. `columns`: the event columns that the
    statement may read, None for all; an Event may lack other columns. `tree`: the syntax tree. `weight`: what its rows may
    take. `waits`: whether it waits for another process, so that it is better evaluated in a thread. `uneven`:
    whether a short record may take long, because of FOREACH or a search. `repeatable`: whether a second evaluation of the same
    record gives the same, because the statement uses no table of the process.

    `evaluate(event)` gives the rows of one event: one for SELECT, any number for FOREACH, None if WHERE is false. It
    raises EvaluationError. The caller checks that the event matches FROM. Rows share values with the event and with each
    other: read them, do not change them.
    """

    __slots__ = (
        "_form",
        "_namespace",
        "columns",
        "context",
        "evaluate",
        "grows",
        "keys",
        "repeatable",
        "shape",
        "text",
        "topics",
        "tree",
        "uneven",
        "waits",
        "weight",
    )

    evaluate: Callable[[Event], list[Row] | None]

    def __init__(self, form: Form, context: Context) -> None:
        self._form = form
        self._namespace = {**NAMESPACE, **form.names, "CONTEXT": context, "EXPLAIN": self._explained}
        self.text = form.text
        self.tree = form.tree
        self.context = context
        self.weight = form.weight
        self.waits = form.waits
        self.uneven = form.uneven
        self.repeatable = form.repeatable
        self.grows = form.grows
        self.topics = form.tree.sources
        self.columns = form.columns
        self.keys = form.keys
        self.read_with(shape_of(self.keys))
        exec(form.code, self._namespace)
        self.evaluate = self._namespace["evaluate"]

    @property
    def source(self) -> str:
        """The Python code, for people."""
        return source_of(self._form)

    def read_with(self, shape: Shape) -> None:
        """Decode payloads with this shape, which has at least the program's own `keys`."""
        self.shape = self._namespace["SHAPE"] = shape

    def _explained(self, error: Exception) -> EvaluationError:
        """The error with the expression that raised it."""
        start, end = self._form.spans[_label(error.__traceback__)]
        expression = " ".join(self.text[start:end].split())
        if len(expression) > 200:
            expression = expression[:200] + "…"
        return EvaluationError(f"in {expression}: {_reason(error)}")


def _label(traceback: TracebackType | None) -> int:
    """The label of the innermost instruction of the rule."""
    label = 1
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == "<rule>":
            label = traceback.tb_lineno
        traceback = traceback.tb_next
    return label


def _reason(error: Exception) -> str:
    if isinstance(error, BadValueError):
        return str(error)
    if isinstance(error, RecursionError):
        return "the value is nested too deeply"
    if isinstance(error, MemoryError):
        return "the value is too large"
    if isinstance(error, OverflowError):
        return "the result is out of range"
    return f"{type(error).__name__}: {error}"


def compile_statement(text: str, context: Context | None = None, *, any_source: bool = False) -> Program:
    """The program of a statement.

    Raises SqlError, with line, column and caret, for a statement that can never work. `any_source` allows a topic
    filter that can never match.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise error_at(
            text.encode(errors="replace").decode(), error.start, "the statement is not valid Unicode"
        ) from None
    if not text.strip(" \t\r\n"):
        raise SqlError("the statement is empty", line=1, column=1)
    try:
        return Program(form_of(text, any_source=any_source), context or DEFAULT_CONTEXT)
    except RecursionError:
        raise error_at(text, 0, "the statement nests too deeply") from None


def share_payload(programs: Iterable[Program]) -> None:
    """Let programs that get the same events decode each payload together, once. Results do not change."""
    programs = list(programs)
    keys = frozenset().union(*(program.keys for program in programs))
    if len(keys) <= KEYS_MAX:
        for program in programs:
            program.read_with(shape_of(keys))


assert _functions.FUNCTIONS
