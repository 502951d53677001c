"""The cache of compiled statements, and that programs of one statement share nothing but its form."""

from __future__ import annotations

import pytest

from pipeline.errors import EvaluationError, SqlError
from pipeline.rule.rule_set import RuleSet
from pipeline.sql import Context, Event, compile_statement, share_payload
from pipeline.sql.compilation.form import form_of
from pipeline.sql.runtime.schemas import SchemaText, build

POINT = "SELECT schema_decode('point', payload) AS p FROM \"t/#\""


def event(payload: bytes) -> Event:
    """An event with nothing but a payload."""
    return Event({"payload": payload}, 0, ())


def test_a_statement_is_compiled_once() -> None:
    """The action of five thousand rules compiles the one that changed."""
    statements = {f"r{number}": f'SELECT {number} AS n, payload.a FROM "of-form/{number}"' for number in range(50)}
    before = RuleSet(statements, node="")
    after = RuleSet({**statements, "r7": 'SELECT 7 AS changed FROM "of-form/7"'}, node="")

    forms = [form_of(text) for text in statements.values()]
    assert [program.tree for program in before.programs] == [form.tree for form in forms]
    same = [new.tree is old.tree for new, old in zip(after.programs, before.programs, strict=True)]
    assert same == [number != 7 for number in range(50)]


def test_programs_of_one_form_have_their_own_context() -> None:
    """The same statement sees the schemas, the tables and the environment of its own context."""
    with_point = Context(schemas={"point": build(*SchemaText("json", '{"type": "object"}'))})
    knows, knows_not = compile_statement(POINT, with_point), compile_statement(POINT, Context())
    one, other = (
        compile_statement("SELECT getenv('A') AS a FROM \"t/#\"", Context(environment={"EMQXVAR_A": value}))
        for value in "12"
    )

    assert knows.evaluate(event(b'{"x": 1}')) == [{"p": {"x": 1}}]
    with pytest.raises(EvaluationError, match="point"):
        knows_not.evaluate(event(b'{"x": 1}'))
    assert [program.evaluate(event(b"")) for program in (one, other)] == [[{"a": "1"}], [{"a": "2"}]]


def test_programs_of_one_form_have_their_own_shape() -> None:
    """A program that decodes with others does not change how the same statement decodes alone."""
    statement = 'SELECT payload.a AS a FROM "t/#"'
    alone, together = compile_statement(statement), compile_statement(statement)
    share_payload([together, compile_statement('SELECT payload.b FROM "t/#"')])

    assert alone.shape is not together.shape
    assert alone.evaluate(event(b'{"a": 1}')) == together.evaluate(event(b'{"a": 1}')) == [{"a": 1}]


def test_an_error_names_the_expression_of_its_own_statement() -> None:
    """A program of a cached form explains its errors as the first one did."""
    for _ in range(2):
        with pytest.raises(EvaluationError, match=r"in 1 div payload\.zero: "):
            compile_statement('SELECT 1 div payload.zero AS x FROM "t/#"').evaluate(event(b'{"zero": 0}'))


def test_what_is_allowed_for_people_is_refused_in_a_rule() -> None:
    """A statement that was compiled with any source is still refused where its source cannot match."""
    statement = 'SELECT * FROM "a/#/b"'
    compile_statement(statement, any_source=True)

    for _ in range(2):
        with pytest.raises(SqlError):
            compile_statement(statement)


def test_people_can_see_the_source() -> None:
    """The Python code of a cached form is the code of its statement."""
    program = compile_statement('SELECT payload.a FROM "t/#" WHERE payload.b = 17')

    assert "def evaluate(event):" in program.source
    assert "17" in program.source
