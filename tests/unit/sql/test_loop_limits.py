"""The body of FOREACH does a bounded amount of work for all elements of a record together."""

from __future__ import annotations

import json
import time

import pytest

from pipeline.errors import EvaluationError
from pipeline.sql import Event, Program, compile_statement

MANY = [0] * 50_000
LONG = "x" * 1_000_000
ITEMS = {str(i): 0 for i in range(10_000)}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ("DO payload.m AS m, s AS m.k", {"m": ITEMS}),
        ("DO payload.m AS m, s AS m.j.k", {"m": {"j": ITEMS}}),
        ("DO payload.l AS l, s AS l[1]", {"l": MANY}),
        ("DO payload.l[1..50000] AS l", {"l": MANY}),
        ("DO [1..100000] AS l", {}),
        ("DO map_put(payload.p, 1, map_new()) AS m", {"p": ".".join("a" * 900)}),
        ("DO sublist(1, 50000, payload.l) AS l", {"l": MANY}),
        ("DO s INCASE payload.p = payload.q", {"p": LONG, "q": LONG}),
        ("DO s INCASE payload.p < payload.q", {"p": LONG, "q": LONG}),
        ("DO s INCASE payload.p = payload.q", {"p": ITEMS, "q": ITEMS}),
        ("DO s INCASE payload.p = 1", {"p": "1" * 4000}),
        ("DO s INCASE payload.p in (payload.q, 1)", {"p": MANY, "q": MANY}),
        ("DO CASE payload.p WHEN payload.q THEN 1 ELSE 2 END AS r", {"p": MANY, "q": MANY}),
        ("DO s INCASE payload.p =~ payload.q", {"p": "x/" * 10_000, "q": "x/" * 10_000}),
        ("DO payload.p.x AS x", {"p": json.dumps({"x": MANY})}),
        ("DO payload.p[1] AS x", {"p": json.dumps(MANY)}),
        ("DO payload.b * payload.b AS x", {"b": int("9" * 4000)}),
        ("DO s INCASE payload.p = payload.q", {"p": [LONG], "q": [LONG]}),
        ("DO sprintf_s(payload.f, payload.l) AS x", {"f": "~n" * 600, "l": []}),
        ("DO sprintf_s(payload.f, payload.l) AS x", {"f": "~2b", "l": [int("9" * 3900)]}),
        ("DO format_date('second', 0, payload.f) AS x", {"f": "%::z" * 600}),
    ],
)
def test_what_the_body_of_foreach_does_for_each_element_is_bounded(body: str, fields: dict[str, object]) -> None:
    """Copies, comparisons and text that is decoded again: a record that asks for too much of them fails soon."""
    program = compile_statement(f'FOREACH payload.a AS s {body} FROM "t"')
    event = Event({"payload": json.dumps({"a": MANY, **fields}).encode()}, 0, ("t", 0, 0))
    began = time.process_time()

    with pytest.raises(EvaluationError, match="the body of FOREACH reads and makes more than"):
        program.evaluate(event)

    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    ("call", "elements"),
    [
        ("regex_match('aaab', s)", [f"(a{{1,100}}){{1,10}}{number}" for number in range(10_000)]),
        (r"regex_match(s, '^(a|aa)+\1$(?!x)c')", ["a" * 18] * 100_000),
    ],
    ids=["patterns of the device", "searches that end in time"],
)
def test_searches_in_the_body_of_foreach_share_a_time(call: str, elements: list[str]) -> None:
    """Each search may end in time, and a hundred thousand of them do not."""
    program = compile_statement(f'FOREACH payload.a AS s DO {call} AS r FROM "t"')
    payload = json.dumps({"a": elements}).encode()
    began = time.process_time()

    with pytest.raises(EvaluationError, match="the body of FOREACH took longer than 2 s"):
        program.evaluate(Event({"payload": payload}, 0, ("t", 0, 0)))

    assert time.process_time() - began < 10


def test_foreach_takes_a_bounded_number_of_elements() -> None:
    """FOREACH has a bound, which is lower without DO, and the next record works."""
    whole = compile_statement('FOREACH payload.a FROM "t"')
    small = compile_statement('FOREACH payload.a DO item FROM "t"')

    def rows(program: Program, count: int) -> int:
        payload = json.dumps({"a": [0] * count}).encode()
        return len(program.evaluate(Event({"payload": payload}, 0, ("t", 0, 0))) or [])

    assert rows(small, 100_000) == 100_000
    for program, count in ((small, 100_001), (whole, 10_001)):
        with pytest.raises(EvaluationError, match="FOREACH takes at most"):
            rows(program, count)
        assert rows(program, 3) == 3


def test_rows_of_foreach_share_the_text_of_the_payload() -> None:
    """`*` in DO holds the payload once, however many elements there are."""
    program = compile_statement('FOREACH payload.a AS s DO s AS before, *, s AS x FROM "t"')

    rows = program.evaluate(Event({"payload": json.dumps({"a": MANY}).encode()}, 0, ("t", 0, 0))) or []

    assert len({id(row["payload"]) for row in rows}) == 1
    assert (len(rows), rows[7]["x"]) == (len(MANY), 0)
