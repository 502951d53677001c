"""A hostile rule or payload ends in an error, soon, and reaches nothing."""

from __future__ import annotations

import os
import time

import pytest

from pipeline.errors import EncodeError, EvaluationError, SqlError
from pipeline.sql import Context, Event, compile_statement, sandbox, to_json


def evaluated(expression: str, payload: bytes = b"{}", context: Context | None = None) -> object:
    program = compile_statement(f'SELECT {expression} AS r FROM "t/#"', context)
    rows = program.evaluate(Event({"topic": "t", "payload": payload}, 0, ("t", 0, 0)))
    assert rows is not None
    return rows[0]["r"]


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 200 + "1" + ")" * 200,
        "-" * 1 + " -" * 300 + "1",
        "[" * 200 + "]" * 200,
        "a" + "[a" * 200 + "]" * 200,
        "[1..1000000000]",
        "'" + "x" * 200_000 + "'",
        "9" * 5000,
    ],
)
def test_a_statement_that_is_too_large_is_refused(expression: str) -> None:
    """Nesting, length, ranges and numbers of a statement are bounded."""
    with pytest.raises(SqlError):
        compile_statement(f'SELECT {expression} AS r FROM "t"')


@pytest.mark.parametrize(
    "expression",
    [
        "pad('a', 99999999999)",
        "bitsl(1, 9999999999)",
        "sprintf('~999999999999s', 'a')",
        "power(10.0, 1000)",
        "gunzip(payload.bomb)",
        r"regex_match(pad('', 60, 'trailing', 'a'), '^(a|aa)+\1$(?!x)c')",
    ],
)
def test_a_function_that_asks_too_much_fails_soon(expression: str) -> None:
    """Sizes of results and times of searches are bounded."""
    start = time.perf_counter()

    with pytest.raises(EvaluationError):
        evaluated(expression)

    assert time.perf_counter() - start < 2


def test_a_bomb_does_not_unpack() -> None:
    """A small payload that unpacks to very much is refused at the bound."""
    bomb = compile_statement("SELECT zip_uncompress(zip_compress(pad('', 16000000))) AS r FROM \"t\"")
    assert bomb.evaluate(Event({}, 0, ("t", 0, 0))) is not None

    grown = "concat(x, x)".replace("x", "concat(pad('', 16000000), pad('', 16000000))")
    with pytest.raises(EvaluationError, match="unpacks to more"):
        evaluated(f"zip_uncompress(zip_compress(concat({grown}, pad('', 16000000))))")


def test_deep_json_is_read_to_a_fixed_depth() -> None:
    """1,024 levels can be read, however deep the caller's stack is; more is no JSON."""
    assert evaluated("is_map(payload.a)", b'{"a":' + b"[" * 1000 + b"]" * 1000 + b"}") is False
    with pytest.raises(EvaluationError, match="JSON"):
        evaluated("payload.a", b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}")


def test_a_row_that_nests_too_deeply_has_no_json_form() -> None:
    """Encoding says so instead of crashing."""
    value: list[object] = []
    for _ in range(5000):
        value = [value]

    with pytest.raises(EncodeError):
        to_json(value)


def test_getenv_sees_its_prefix_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule cannot read the environment of the worker."""
    monkeypatch.setenv("SECRET", "s3cr3t")
    monkeypatch.setenv("EMQXVAR_SITE", "plant7")
    context = Context(os.environ)

    assert evaluated("getenv('SECRET')", context=context) == ""
    assert evaluated("getenv('SITE')", context=context) == "plant7"


@pytest.mark.parametrize(
    "program",
    ["def f: f; f", "[range(1e12)]", 'import "x" as x; .', "input_filename", '"a" * 1e10', "last(repeat(1))"],
)
def test_a_jq_program_cannot_stall_or_leave(program: str) -> None:
    """The child is ended when it is late; files and modules are out of reach."""
    start = time.perf_counter()

    with pytest.raises(EvaluationError):
        evaluated(f"jq('{program}', '1', 300)")

    assert time.perf_counter() - start < 5


def test_jq_sees_no_environment_and_lives_on() -> None:
    """After a program was ended the next one works, and `env` is empty."""
    with pytest.raises(EvaluationError, match="within"):
        evaluated("jq('last(repeat(1))', '1', 100)")

    assert evaluated("jq('env | length', '1')") == [0]
    sandbox.close()


def test_a_table_holds_a_bounded_number_of_keys() -> None:
    """A rule that stores a key for each message fails at the bound, it does not fill the memory."""
    context = Context(store={("str", str(i)): i for i in range(100_000)})

    with pytest.raises(EvaluationError, match="full"):
        evaluated("kv_store_put('new', 1)", context=context)
