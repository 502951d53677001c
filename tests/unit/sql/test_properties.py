"""Properties of the language that must hold for all statements and payloads."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from pipeline.errors import EvaluationError, SqlError
from pipeline.rule_trial import alike
from pipeline.sql import Context, Event, compile_statement, share_payload, to_json
from pipeline.sql.syntax import nodes
from pipeline.sql.syntax.lexer import KEYWORDS
from pipeline.sql.syntax.parser import parse
from tests.unit.sql import programs, reference
from tests.unit.sql.printed import to_sql

SEED = ("mqtt.messages", 3, 17)


def message(payload: bytes) -> Event:
    columns = {"topic": "t/1", "qos": 1, "flags": {"dup": False}, "b": [1, "x"], "payload": payload}
    return Event(columns, 1_708_671_600_123, SEED)


@given(programs.statements)
@settings(max_examples=300, deadline=None)
def test_a_printed_statement_parses_to_the_same_tree(tree: nodes.Statement) -> None:
    """A printed statement parses to the same tree."""
    assert parse(to_sql(tree)) == tree


@given(st.text(max_size=80))
@settings(max_examples=300, deadline=None)
def test_any_text_compiles_or_is_refused_with_a_place(text: str) -> None:
    """Any text compiles or is refused with line and column."""
    refused = None
    try:
        compile_statement(text)
    except SqlError as error:
        refused = error

    assert refused is None or (refused.line >= 1 and refused.column >= 1)


SIGNS = [
    "'x'",
    '"t/#"',
    "1",
    "1.5",
    "[1..2]",
    "a",
    "payload",
    ".",
    ",",
    "(",
    ")",
    "[",
    "]",
    "*",
    "+",
    "-",
    "/",
    "=",
    "<",
]
WORDS = st.sampled_from([*sorted(KEYWORDS), *SIGNS, "true", "div", "mod", "upper"])


@given(st.lists(WORDS, max_size=25))
@settings(max_examples=500, deadline=None)
def test_any_row_of_tokens_compiles_or_is_refused(words: list[str]) -> None:
    """Tokens in any order compile or are refused."""
    try:
        tree = compile_statement(" ".join(["SELECT", *words])).tree
    except SqlError:
        return
    assert parse(to_sql(tree)) == tree


def outcome(run: Any) -> Any:
    try:
        return run()
    except EvaluationError:
        return "error"


def comparable(tree: nodes.Statement) -> bool:
    """Whether the interpreter covers a statement, which must not write to the name `payload`."""
    text = to_sql(tree)
    return "AS payload" not in text and not any(_keeps_payload(f) for f in (*tree.fields, *(tree.do or ())))


def _keeps_payload(field: nodes.Field | nodes.Star) -> bool:
    if isinstance(field, nodes.Star) or field.alias is not None:
        return False
    path = field.value.path if isinstance(field.value, nodes.Slice) else field.value
    return isinstance(path, nodes.Path) and path.root == "payload"


@given(programs.statements, programs.documents)
@settings(max_examples=600, deadline=None)
def test_a_program_does_what_the_reference_interpreter_does(tree: nodes.Statement, document: dict[str, Any]) -> None:
    """A compiled statement gives the same rows, no result or error as the interpreter."""
    assume(comparable(tree))
    payload = json.dumps(document).encode()
    try:
        program = compile_statement(to_sql(tree))
    except SqlError:
        assume(False)
        return

    compiled = outcome(lambda: program.evaluate(message(payload)))
    interpreted = outcome(lambda: reference.evaluate(program.tree, message(payload), Context()))

    event("error" if compiled == "error" else "rows" if compiled else "none")
    assert (compiled == interpreted == "error") or alike(compiled, interpreted), program.source


@given(st.lists(programs.statements, min_size=2, max_size=3), programs.documents)
@settings(max_examples=150, deadline=None)
def test_programs_on_one_event_do_not_meet(trees: list[nodes.Statement], document: dict[str, Any]) -> None:
    """A program gives the same rows on its own event, on a used event, and with a shared payload."""
    payload = json.dumps(document).encode()
    compiled = []
    for tree in trees:
        try:
            compiled.append(compile_statement(to_sql(tree)))
        except SqlError:
            continue
    alone = [outcome(lambda p=program: p.evaluate(message(payload))) for program in compiled]

    shared = message(payload)
    together = [outcome(lambda p=program: p.evaluate(shared)) for program in compiled]
    share_payload(compiled)
    again = message(payload)
    sharing = [outcome(lambda p=program: p.evaluate(again)) for program in compiled]

    assert alike(together, alone)
    assert alike(sharing, alone)


@given(programs.statements, st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_no_payload_makes_a_program_fail_in_another_way(tree: nodes.Statement, payload: bytes) -> None:
    """Any payload gives rows with a JSON form, no result, or EvaluationError."""
    try:
        program = compile_statement(to_sql(tree))
    except SqlError:
        return

    rows = outcome(lambda: program.evaluate(message(payload)))

    if isinstance(rows, list):
        to_json(rows)
