"""How much one payload may cost: functions in loops, and each function on values as hostile as a device can send them.

Sizes and counts are compared where they can be; times only with a generous limit, for what took minutes without its bound.
"""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from typing import Any

import pytest
import regex

from pipeline.errors import EvaluationError, TidegateError
from pipeline.sql import Event, compile_statement
from pipeline.sql.functions.registry import FUNCTIONS
from pipeline.sql.functions.strings import clusters
from pipeline.sql.runtime.event import Context
from pipeline.sql.runtime.looping import LOOKED_AT_BYTES_MAX
from pipeline.sql.runtime.ordering import order
from tests.parts.memory import traced
from tests.parts.waiting import patient

SIZE = 200_000
TEXTS = [
    "x" * SIZE, "e\u0301" * (SIZE // 2), "a b " * (SIZE // 4), json.dumps(list(range(SIZE // 8))), "ab" * (SIZE // 2), "1" * SIZE,
    b"\xff\x00" * (SIZE // 2), "\\x41" * (SIZE // 4), "YWFh" * (SIZE // 4), "\r\n" * (SIZE // 2), "[" * 900 + "]" * 900,
    "~p" * (SIZE // 2), "%Y" * (SIZE // 2), "a." * (SIZE // 2), "8" * 3999, "\U0001f468\u200d" * (SIZE // 4),
    "\U0001f1e6" * (SIZE // 2),
    ",", "", "all",
]  # fmt: skip
LISTS: list[Any] = [
    list(range(SIZE // 8)),
    ["x" * 10] * (SIZE // 16),
    [[1, [2]]] * (SIZE // 16),
    ["x" * SIZE] * 8,
    [65] * (SIZE // 4),
]
MAPS: list[Any] = [
    {f"k{n}": n for n in range(SIZE // 16)},
    {"keys": [f"k{n}" for n in range(SIZE // 16)], "values": list(range(SIZE // 16))},
]
NUMBERS: list[Any] = [0, 1, -1, 10**6, 10**300, 1 << 999_999, -(1 << 999_999), 253, 16_777_216, 1e308, 5e-324]
POOLS: dict[str, list[Any]] = {
    "string": TEXTS, "binary": TEXTS, "list": LISTS, "map": MAPS, "integer": [n for n in NUMBERS if type(n) is int],
    "number": NUMBERS, "float": [n for n in NUMBERS if type(n) is float], "any": [*TEXTS, *LISTS, *MAPS, *NUMBERS, None, True],
}  # fmt: skip
# What a program makes an EvaluationError of.
REFUSALS = (TidegateError, ArithmeticError, LookupError, RecursionError, MemoryError, TypeError, ValueError)


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name != "jq"])
def test_a_function_is_bounded_on_hostile_values(name: str) -> None:
    """Every function on a dozen draws of large values: an answer of bounded size or an error, soon."""
    declared, chance = FUNCTIONS[name], random.Random(name)
    event = Event({"payload": b"{}", "topic": "t"}, 1_700_000_000_000, ("t", 0, 0))
    reads: dict[str, list[Any]] = {"event": [event], "context": [Context()]}
    first = reads.get(declared.reads, [])
    for _ in range(12):
        signature = chance.choice(declared.signatures)
        count = chance.randint(signature.required, max(signature.required, len(signature.parameters)))
        arguments = [chance.choice(POOLS[each.type]) for each in signature.parameters[:count]]
        began = time.process_time()
        try:
            made = declared.call(*first, *arguments)
        except REFUSALS:
            made = None

        assert not isinstance(made, str | bytes) or len(made) <= 16_777_216
        assert time.process_time() - began < patient(2)


def evaluated(statement: str, document: Any) -> Any:
    return compile_statement(statement).evaluate(Event({"payload": json.dumps(document).encode()}, 0, ("t", 0, 0)))


@pytest.mark.parametrize(
    "body",
    [
        "payload.text + item AS x",
        "concat(payload.text, item) AS x",
        "pad(item, payload.n) AS x",
        "regex_replace(payload.text, 'a', 'b') AS x",
        "json_encode(payload.map) AS x",
        "json_decode(payload.text) AS x",
        "upper(payload) AS x",
        "map_put('k', item, payload.map) AS x",
        "contains(item, payload.list) AS x",
        "md5(payload) AS x",
    ],
)
def test_the_body_of_foreach_is_bounded_over_all_elements(body: str) -> None:
    """Each function that reads all of the payload, for each of its elements, would take minutes, or gigabytes."""
    document = {
        "list": [str(n) for n in range(50_000)],
        "text": json.dumps("x" * 100_000),
        "map": {f"k{n}": n for n in range(20_000)},
        "n": 1_000_000,
    }
    with traced():
        with pytest.raises(EvaluationError, match=f"more than {LOOKED_AT_BYTES_MAX} bytes"):
            evaluated(f'FOREACH payload.list AS item DO {body} FROM "t/#"', document)
        peak = tracemalloc.get_traced_memory()[1]

    assert peak < 4 * LOOKED_AT_BYTES_MAX


def test_a_loop_over_its_own_elements_is_not_bounded_by_their_number() -> None:
    """The bound is for what is read again and again: each record begins anew."""
    statement = "FOREACH payload.list DO upper(item) AS x, item + '-' AS y INCASE strlen(item) > 0 FROM \"t/#\""
    program = compile_statement(statement)
    event = json.dumps({"list": ["x" * 400] * 20_000}).encode()

    for _ in range(4):
        assert len(program.evaluate(Event({"payload": event}, 0, ("t", 0, 0))) or ()) == 20_000


def test_flags_are_characters_in_linear_time() -> None:
    """The same characters as by \\X, which looks back to the first letter of a row of flags for each."""
    chance = random.Random(1)
    letters = "\U0001f1e6\U0001f1e7\U0001f1ffae\u0301\u200d\U0001f468\u0600\r\n\u0903\ufe0f"
    plain = regex.compile(r"\X")
    for _ in range(3000):
        text = "".join(chance.choice(letters) for _ in range(chance.randint(0, 12)))
        if not text.isascii():
            assert clusters(text) == plain.findall(text), ascii(text)

    assert len(clusters("\U0001f1e6" * 400_000)) == 200_000


def test_text_and_bytes_compare_as_their_bytes() -> None:
    """In the order of their bits, which is that of their bytes."""
    chance = random.Random(2)
    for _ in range(500):
        left, right = (bytes(chance.randrange(256) for _ in range(chance.randint(0, 3))) for _ in range(2))
        bits = ["".join(f"{octet:08b}" for octet in each) for each in (left, right)]

        assert order(left, right) == (bits[0] > bits[1]) - (bits[0] < bits[1])
