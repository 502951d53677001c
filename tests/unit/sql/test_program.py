"""Programs: their facts, their errors, and that they are pure."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from pipeline.errors import EvaluationError, SqlError
from pipeline.sql import UNDEFINED, Event, compile_statement, share_payload, to_json
from pipeline.sql.runtime.values import Bits, float_text, number_text, text_of


def event(payload: bytes = b'{"x":1}', offset: int = 1, **columns: Any) -> Event:
    return Event({"topic": "t/1", "payload": payload, **columns}, 1_708_671_600_123, ("mqtt.messages", 0, offset))


@pytest.mark.parametrize(
    ("statement", "columns"),
    [
        ('SELECT * FROM "t"', None),
        ('SELECT 1 AS a FROM "t"', frozenset()),
        ('SELECT payload.x AS x, clientid FROM "t" WHERE qos = 1', frozenset({"payload", "clientid", "qos"})),
        ('SELECT clientid AS topic, topic AS t FROM "t"', frozenset({"clientid", "topic"})),
        ('SELECT topic(1) AS a, peerhost() AS b FROM "t"', frozenset({"topic", "peerhost"})),
        ('SELECT things[qos] AS a FROM "t"', frozenset({"things", "qos"})),
        ('FOREACH payload.x AS e DO e.y AS y, clientid FROM "t"', frozenset({"payload", "clientid"})),
        ('FOREACH payload.x AS e FROM "t"', None),
    ],
)
def test_a_program_names_the_columns_that_it_reads(statement: str, columns: frozenset[str] | None) -> None:
    """A program names its columns, so that the worker prepares no others."""
    assert compile_statement(statement).columns == columns


def test_a_program_names_its_sources() -> None:
    """A program names the sources of FROM, which the caller matches."""
    assert compile_statement("SELECT 1 FROM \"t/#\", 'u', v").topics == ("t/#", "u", "v")


@pytest.mark.parametrize(
    ("statement", "line", "column", "words", "caret"),
    [
        ('SELECT a\nFROM "t"\nWHERE a = = 1', 3, 11, "expected an expression, found '='", "          ^"),
        ('SELECT lenght(a) FROM "t"', 1, 8, "did you mean length()?", "       ^"),
        ("SELECT substr('a') FROM \"t\"", 1, 8, "found 1, expected substr(text: string", "       ^"),
        ("SELECT lower('a' + 'b', 2) FROM \"t\"", 1, 8, "found 2", "       ^"),
        ("SELECT sqrt('a') FROM \"t\"", 1, 13, "sqrt(x): expected a number, found string 'a'", "            ^"),
        ('SELECT a FROM "t" WHERE 5', 1, 25, "expected a condition", "                        ^"),
    ],
)
def test_a_refusal_points_at_the_place(statement: str, line: int, column: int, words: str, caret: str) -> None:
    """The error has line, column, the text of the line, and a caret under the place."""
    with pytest.raises(SqlError) as raised:
        compile_statement(statement)

    error = raised.value
    assert (error.line, error.column) == (line, column)
    assert words in error.message
    assert error.snippet == f"{statement.splitlines()[line - 1]}\n{caret}"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1 + payload.x * payload.s", "in payload.x * payload.s: expected numbers for *, found string 'abc'"),
        ("upper(payload.x)", "in payload.x: expected a string, found integer 1"),
        ("payload.s > 5", "in payload.s > 5: expected text that holds a number, found string 'abc'"),
        ("nth(9, payload.l)", "in nth(9, payload.l): expected a list with an element 9, found list [1]"),
        ("1 * hexstr2bin('6162')", "in 1 * hexstr2bin('6162'): expected numbers for *, found string 'ab'"),
        ("1 * hexstr2bin('00ff')", r"in 1 * hexstr2bin('00ff'): expected numbers for *, found string b'\x00\xff'"),
        (
            "CASE WHEN payload.zz THEN 1 END",
            "in payload.zz: expected a condition that is true or false, found undefined",
        ),
    ],
)
def test_an_error_names_the_expression_and_what_was_found(expression: str, message: str) -> None:
    """The error names the innermost expression, and the value with its type."""
    program = compile_statement(f'SELECT {expression} AS r FROM "t"')

    with pytest.raises(EvaluationError) as raised:
        program.evaluate(event(b'{"x":1,"s":"abc","l":[1]}'))

    assert str(raised.value) == message


def test_text_of_the_author_never_becomes_code() -> None:
    """Names, keys and strings that look like Python stay text."""
    sql = """SELECT 'U' AS a, payload."x') or exit(" AS b, "__import__" AS c, 'get' AS "event", @ FROM "t" """.replace(
        ", @", ""
    )

    rows = compile_statement(sql).evaluate(event())

    assert rows == [{"a": "U", "b": UNDEFINED, "c": UNDEFINED, "event": "get"}]


def test_a_replay_gives_the_same_chance() -> None:
    """The same place gives the same random values, and another place or rule gives others."""
    one = compile_statement('SELECT uuid_v4() AS a, uuid_v4() AS b, random() AS c FROM "t"')
    two = compile_statement('SELECT uuid_v4() AS a FROM "t"')
    shared = event()

    first = one.evaluate(shared)

    assert first == one.evaluate(shared) == one.evaluate(event())
    assert first != one.evaluate(event(offset=2))
    assert first[0]["a"] not in (first[0]["b"], two.evaluate(shared)[0]["a"])  # type: ignore[index]


def test_programs_with_different_keys_read_one_event() -> None:
    """Programs that share a payload give the same rows as without sharing."""
    programs = [compile_statement(f'SELECT payload.{key} AS v FROM "t"') for key in ("x", "y", '"odd key"')]
    payload = b'{"x":1,"odd key":2}'
    before = [program.evaluate(event(payload)) for program in programs]

    share_payload(programs)

    shared = event(payload)
    assert [program.evaluate(shared) for program in programs] == before == [[{"v": 1}], [{"v": UNDEFINED}], [{"v": 2}]]


def test_a_program_does_not_change_what_it_is_given() -> None:
    """Assignments copy, so the event's values and the shared payload do not change."""
    flags = {"dup": False}
    shared = event(b'{"l":[1,2],"m":{"a":1}}', flags=flags)
    program = compile_statement(
        'SELECT payload.l AS l, 9 AS l[1], payload.m AS m, 2 AS m.a, flags, 1 AS flags.x FROM "t"'
    )

    rows = program.evaluate(shared)

    assert rows == [{"l": [9, 2], "m": {"a": 2}, "flags": {"dup": False, "x": 1}}]
    assert shared.document() == {"l": [1, 2], "m": {"a": 1}}
    assert flags == {"dup": False}


def test_undefined_is_one_value() -> None:
    """Undefined stays one instance after copying and pickling, is false, and prints its name."""
    assert copy.deepcopy([UNDEFINED])[0] is copy.copy(UNDEFINED) is pickle.loads(pickle.dumps(UNDEFINED)) is UNDEFINED
    assert not UNDEFINED
    assert repr(UNDEFINED) == "undefined"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": UNDEFINED}, b'{"a":"undefined"}'),
        ({"a": 2**70, "b": UNDEFINED}, b'{"a":1180591620717411303424,"b":"undefined"}'),
        ({"a": b"\xffx"}, '{"a":"\N{REPLACEMENT CHARACTER}x"}'.encode()),
        ({"ü/": None}, '{"ü/":null}'.encode()),
    ],
)
def test_a_row_becomes_compact_json(value: Any, expected: bytes) -> None:
    """A row becomes UTF-8 JSON with undefined as text and integers of any length."""
    assert to_json(value) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0"),
        (0.1 + 0.2, "0.3"),
        (-2.5, "-2.5"),
        (1e-11, "0.0"),
        (123456789.125, "123456789.125"),
        (1e22, "10000000000000000000000.0"),
        (0.12345678916, "0.1234567892"),
        (3.14159265359, "3.1415926536"),
        (-0.0, "-0.0"),
    ],
)
def test_a_float_is_written_with_ten_decimals_at_most(value: float, text: str) -> None:
    """A float is written with one to ten decimals and never with an exponent."""
    assert number_text(value) == text


def test_rounding_is_that_of_the_original() -> None:
    """Rounding adds half a unit in binary, and then cuts digits, as in EMQX."""
    assert float_text(2.5, 0, compact=True) == "3"
    assert float_text(0.125, 2, compact=True) == "0.13"


def test_strings_have_one_form() -> None:
    """Valid UTF-8 is str, and other bytes stay bytes."""
    assert text_of("ü".encode()) == "ü"
    assert text_of(b"\xc3") == b"\xc3"
    assert Bits(5, 3) == Bits(5, 3)
