"""A hostile rule or payload ends in an error soon, and reaches nothing."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import time
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest

from pipeline.errors import EncodeError, EvaluationError, SqlError
from pipeline.memo import Memo
from pipeline.sql import Context, Event, compile_statement, to_json
from pipeline.sql.functions import dates, regexes
from pipeline.sql.runtime.event import DEFAULT_CONTEXT
from tests.parts.memory import traced
from tests.parts.waiting import within


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
    with within(2), pytest.raises(EvaluationError):
        evaluated(expression)


@pytest.mark.parametrize(
    ("function", "window"), [("gunzip", 31), ("zip_uncompress", 15), ("unzip", -15)], ids=["gzip", "zlib", "deflate"]
)
def test_a_bomb_does_not_unpack(function: str, window: int) -> None:
    """A small payload that unpacks to very much is refused at the bound, for every kind of compression."""
    packer = zlib.compressobj(9, zlib.DEFLATED, window)
    bomb = b"".join(packer.compress(bytes(1_000_000)) for _ in range(70)) + packer.flush()
    assert len(bomb) < 100_000

    with pytest.raises(EvaluationError, match="unpacks to more than 67108864 bytes"):
        evaluated(f"{function}(payload)", bomb)

    small = zlib.compressobj(9, zlib.DEFLATED, window)
    assert evaluated(f"{function}(payload)", small.compress(b"next") + small.flush()) == "next"


def test_gzip_files_behind_each_other_share_one_bound() -> None:
    """Many small members of a gzip file share one bound."""
    member = gzip.compress(bytes(16_000_000))

    with pytest.raises(EvaluationError, match="unpacks to more"):
        evaluated("gunzip(payload)", member * 5)


@pytest.mark.parametrize("read", ["payload.a", "payload.b"])
def test_deep_json_is_read_to_a_fixed_depth(read: str) -> None:
    """1,024 levels can be read, however deep the caller's stack is and whichever Python runs it; more is no JSON.

    It makes no difference whether the rule reads the deep part, or passes over it.
    """
    assert evaluated(f"is_map({read})", b'{"b": 1, "a":' + b"[" * 1023 + b"]" * 1023 + b"}") is False
    for levels in (1024, 1400, 20_000):
        with pytest.raises(EvaluationError, match="JSON"):
            evaluated(read, b'{"b": 1, "a":' + b"[" * levels + b"]" * levels + b"}")


def test_a_path_of_very_many_levels_costs_little() -> None:
    """A path that a device wrote is as long as its payload: no level of `map_put` keeps a copy of the rest."""
    with traced():
        with pytest.raises(EvaluationError, match="nested too deeply"):
            evaluated("map_put(payload.path, 1, map_new())", json.dumps({"path": "a." * 400_000}).encode())
        peak = tracemalloc.get_traced_memory()[1]

    assert peak < 64 << 20


def test_many_brackets_are_not_depth() -> None:
    """A payload with thousands of small objects is read normally, and brackets in text do not count."""
    wide = json.dumps({"a": [{"n": [index]} for index in range(3000)], "big": 10**30, "text": "[{" * 3000})

    assert evaluated("nth(3000, payload.a)", wide.encode()) == {"n": [2999]}
    assert evaluated("payload.big", wide.encode()) == 10**30


@pytest.mark.parametrize("innermost", [1, 2**70, {}], ids=["narrow", "wide", "empty"])
def test_a_row_that_nests_too_deeply_has_no_json_form(innermost: object) -> None:
    """A row may nest 254 levels, and a deeper one gives an error on every Python."""

    def nested(levels: int) -> object:
        value = innermost
        for _ in range(levels - (innermost == {})):
            value = [value]
        return value

    assert to_json(nested(254)).count(b"[") == 254 - (innermost == {})
    for levels in (255, 900, 5000):
        with pytest.raises(EncodeError, match=r"254|limit"):
            to_json(nested(levels))


def doubled(first: str, step: str, times: int = 40) -> str:
    """A statement in which each field is made of the one before it, twice."""
    fields = [f"{first} AS a0", *(f"{step.replace('@', f'a{i}')} AS a{i + 1}" for i in range(times))]
    return f'SELECT {", ".join(fields)} FROM "t/#"'


@pytest.mark.parametrize(
    ("first", "step"),
    [
        ("payload", "concat(@, @)"),
        ("payload", "@ + @"),
        ("payload", "join_to_string([@, @])"),
        ("payload", "replace(@, 'a', @)"),
        ("payload", "regex_replace(@, '^', @)"),
        ("payload", "bin2hexstr(@)"),
        ("payload", "json_encode(json_encode(@) + json_encode(@))"),
        ("payload", "str_utf16_le(@)"),
        ("payload", "base64_encode(@ + @)"),
        ("payload", "sprintf('~s~s', @, @)"),
        ("payload", "join_to_sql_values_string([@, @])"),
        ("payload", "pad(@ + @, 1)"),
        ("3", "@ * @"),
        ("3", "bitsl(@, 900000)"),
    ],
)
def test_what_doubles_with_each_alias_ends_at_a_bound(first: str, step: str) -> None:
    """A chain of aliases cannot make text or integers larger than a bound."""
    program = compile_statement(doubled(first, step))
    with within(5), pytest.raises(EvaluationError, match=r"longer than|more than"):
        program.evaluate(Event({"topic": "t", "payload": b"a" * 1000}, 0, ("t", 0, 0)))


@pytest.mark.parametrize(
    "step",
    ["[@, @]", "mput('a', @, mput('b', @, map_new()))", "coalesce([[@, @]])", "case when true then [@, @] end"],
)
def test_a_structure_that_repeats_itself_is_refused(step: str) -> None:
    """A statement that doubles a shared value again and again is refused."""
    with pytest.raises(SqlError, match="aliases may repeat it"):
        compile_statement(doubled("payload.a", step))


def test_nested_aliases_that_repeat_themselves_are_refused() -> None:
    """A statement that writes an alias twice under the next one again and again is refused."""
    fields = ["payload.a AS a0", *(f"a{i} AS a{i + 1}.l, a{i} AS a{i + 1}.r" for i in range(40))]

    with pytest.raises(SqlError, match="aliases may repeat it"):
        compile_statement(f'SELECT {", ".join(fields)} FROM "t"')


def test_a_long_statement_is_no_growth() -> None:
    """Thousands of plain fields, literals and elements are allowed."""
    fields = ", ".join(f"payload.f{i} AS out.f{i}" for i in range(2000))
    compile_statement(f'SELECT {fields}, [{", ".join(map(str, range(5000)))}] AS list FROM "t"')


def test_a_value_in_a_table_is_bounded() -> None:
    """Records cannot grow a value in a table by reading, doubling and storing it."""
    context = Context()
    program = compile_statement(
        "SELECT kv_store_put('k', [kv_store_get('k'), kv_store_get('k')]) AS r FROM \"t\"", context
    )

    for _ in range(12):
        program.evaluate(Event({}, 0, ("t", 0, 0)))
    with pytest.raises(EvaluationError, match="at most 65536 bytes"):
        program.evaluate(Event({}, 0, ("t", 0, 0)))
    with pytest.raises(EvaluationError, match="key of a table"):
        evaluated("kv_store_put(pad('', 70000), 1)", context=context)


@pytest.mark.parametrize(
    "call", ["regex_match(payload, {})", "regex_replace(payload, {}, '')", "regex_extract(payload, {})"]
)
@pytest.mark.parametrize("pattern", [r"^(a|aa)+\1$(?!x)c", r"(?=(a+)+$)b", r"(a+a+)+y(?<=z)", r"(?:a?){40}a{40}(?!.)b"])
def test_a_pattern_that_explodes_ends_in_time(call: str, pattern: str) -> None:
    """A slow pattern ends at a time limit, and the next search works."""
    with within(1), contextlib.suppress(EvaluationError):
        evaluated(call.format(f"'{pattern}'"), b"a" * 5000)

    assert evaluated("regex_match('a', 'a(?!b)')") is True


@pytest.mark.parametrize("pattern", ["a*b|", "a"])
def test_very_many_matches_end_in_time(pattern: str) -> None:
    """Millions of matches, and a pattern with many empty matches, end at a time limit."""
    with within(5), pytest.raises(EvaluationError, match=r"took longer than 0\.25 s"):
        evaluated(f"regex_replace(payload, '{pattern}', 'x')", b"a" * 8_000_000)

    assert evaluated(f"regex_replace(payload, '{pattern}', 'x')", b"ab") in ("x", "xx", "xb")


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
    """A slow jq child is ended, and it reaches no files or modules."""
    with within(5), pytest.raises(EvaluationError):
        evaluated("jq(payload, '1', 300)", program.encode())


def test_jq_sees_no_environment_and_lives_on() -> None:
    """After a program was ended the next one works, and `env` is empty."""
    with pytest.raises(EvaluationError, match="within"):
        evaluated("jq('last(repeat(1))', '1', 100)")

    assert evaluated("jq('env | length', '1')") == [0]
    DEFAULT_CONTEXT.sandbox.close()


def test_a_table_holds_a_bounded_number_of_keys() -> None:
    """A rule that stores a key for each message fails at the bound."""
    context = Context()
    for number in range(100_000):
        context.store.put(("str", str(number)), number)

    with pytest.raises(EvaluationError, match="full"):
        evaluated("kv_store_put('new', 1)", context=context)
    assert evaluated("kv_store_put('7', 1)", context=context)


def test_a_table_holds_a_bounded_number_of_bytes() -> None:
    """Large values fill a table sooner, what is removed makes room, and a replaced value counts once."""
    context = Context()
    put = compile_statement("SELECT kv_store_put(payload.k, pad('', 60000)) AS r FROM \"t\"", context)

    def fill(keys: Iterable[int]) -> None:
        for key in keys:
            put.evaluate(Event({"payload": b'{"k": "%d"}' % key}, 0, ("t", 0, 0)))

    with pytest.raises(EvaluationError, match="full: its keys and values take"):
        fill(range(2000))
    with pytest.raises(EvaluationError, match="full"):
        fill([2001])
    evaluated("kv_store_del('1')", context=context)

    fill([2001, 2001, 2001])
    with pytest.raises(EvaluationError, match="full"):
        fill([2002])


def test_a_short_text_is_searched_for_a_short_time() -> None:
    """A flood of small messages, each of which makes a pattern explode, costs each of them little."""
    program = compile_statement(r"""SELECT regex_match(payload, '^(a|aa)+\1$(?!x)c') AS r FROM "t" """)
    began = time.process_time()

    for _ in range(20):
        with pytest.raises(EvaluationError, match=r"took longer than 0\.005 seconds"):
            program.evaluate(Event({"payload": b"a" * 40}, 0, ("t", 0, 0)))

    assert time.process_time() - began < 1


def test_what_devices_choose_fills_no_cache() -> None:
    """Patterns of dates and replacements are cached up to a number of bytes."""
    for number in range(200):
        text = f"{number}" + "y" * 3_000
        assert dates._layout(text)[0] == text
        assert regexes._replacement(text.encode()) == (text.encode(),)

    assert len(dates._LAYOUTS) > 1
    assert dates._LAYOUTS.size_bytes <= 1 << 20
    assert regexes._REPLACEMENTS.size_bytes <= 1 << 20


def test_patterns_that_devices_choose_fill_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern counts with its program and with what a search may take."""
    monkeypatch.setattr(regexes, "_PATTERNS", Memo[bytes, regexes.Pattern](1_000, 4 << 20))

    for number in range(100):
        assert regexes.regex_match(f"{number}", f"^{number}$")
        assert regexes._PATTERNS.size_bytes <= 4 << 20

    assert 1 < len(regexes._PATTERNS) < 64


def test_a_pattern_whose_program_is_large_works_in_the_other_engine() -> None:
    """RE2 would take megabytes for such a pattern, and a device may choose a thousand of them."""
    pattern = regexes.Pattern(rb"(([a-c]{1,30}x){1,30}y){1,30}")

    assert pattern._linear is None
    assert pattern.search(b"aaxy")
