"""What a template may cost: a device chooses the lengths of lists and texts, and none of them may stall or fill the worker.

Each hostile template is refused with an error that names it and what was found, after a bounded number of steps.
"""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from pipeline.errors import RenderError
from pipeline.template import Template, template
from pipeline.template.work import RESULT_CHARACTERS_MAX, STEPS_MAX, Work
from tests.parts.memory import traced

LONG = "x" * 1_000_000
MANY = list(range(100_000))
WORDS = ["w" * 100] * 10_000
KEYS = [f"k{n}" for n in range(50_000)]
TEXTS = [json.dumps({"b": "1" * n}) for n in range(9000)]
DEEP_SETS = "".join(f"${{% set b{n + 1} = [b{n}, b{n}] %}}" for n in range(40))

# Templates, and the rows that blow them up. What is not bounded here would take gigabytes, or minutes.
HOSTILE: dict[str, tuple[str, dict[str, Any]]] = {
    "joined": ("${a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a ~ a | string}", {"a": LONG}),
    "joined in a loop": ("${% for x in a %}${x ~ b | string}${% endfor %}", {"a": MANY, "b": LONG}),
    "added text": ("${" + " + ".join(["a"] * 20) + " | string}", {"a": LONG}),
    "added lists": ("${" + " + ".join(["a"] * 60) + " | length}", {"a": MANY}),
    "sets": ("${% set b0 = a %}" + DEEP_SETS + "${b40 | string}", {"a": "x"}),
    "maps": ("${% set b = {'x': a, 'y': a} %}${% set c = {'x': b, 'y': b, 'z': [b] * 2} %}${c | json}", {"a": LONG}),
    "sets of text": ("".join("${% set a = a ~ a %}" for _ in range(40)) + "${a | length}", {"a": "xx"}),
    "integers": ("".join("${% set a = a * a %}" for _ in range(40)) + "${a | string}", {"a": 12345678901234567890}),
    "integers added": ("".join("${% set a = a + a %}" for _ in range(200)) + "${a | string}", {"a": 10**1200}),
    "powers": ("${a ** 100 | string}", {"a": 1e9}),
    "repeated": ("${'x' * a | string}", {"a": 10**9}),
    "filled": ("${'%0999999999d' % a | string}", {"a": 1}),
    "join": ("${a | join(b)}", {"a": MANY, "b": LONG}),
    "join of lists": ("${a | join}", {"a": [WORDS] * 100}),
    "replace": ("${a | replace('x', b)}", {"a": LONG[:100_000], "b": LONG[:100_000]}),
    "replace nothing": ("${a | replace('', b)}", {"a": LONG[:100_000], "b": LONG[:100_000]}),
    "output in a loop": ("${% for x in a %}${b}${% endfor %}", {"a": MANY, "b": LONG}),
    "lists in a loop": ("${% for x in a %}${b}${% endfor %}", {"a": MANY[:1000], "b": list(range(10_000))}),
    "literals in a loop": ("${% for x in a %}" + "y" * 10_000 + "${% endfor %}", {"a": MANY}),
    "a block": ("${% set b %}${% for x in a %}" + "y" * 10_000 + "${% endfor %}${% endset %}${b | length}", {"a": MANY}),
    "loops in loops": ("${% for x in a %}" * 3 + "1" + "${% endfor %}" * 3, {"a": MANY}),
    "in, in a loop": ("${% for x in a %}${'y' if x in a else 'n' | string}${% endfor %}", {"a": KEYS}),
    "equal, in a loop": ("${% for x in a %}${b == c | string}${% endfor %}", {"a": MANY, "b": WORDS, "c": list(WORDS)}),
    "tests in a loop": ("${% for x in a %}${a | select('in', a) | list | length}${% endfor %}", {"a": MANY}),
    "filters in a loop": ("${% for x in a %}${b | upper | length}${% endfor %}", {"a": MANY, "b": LONG}),
    "json in a loop": ("${% for x in a %}${b | json | length}${% endfor %}", {"a": MANY, "b": [WORDS] * 10}),
    "sum of lists": ("${a | sum(start=[]) | length}", {"a": [list(range(100))] * 50_000}),
    "doubling filters": ("${a" + " | hex" * 40 + "}", {"a": "x"}),
    "keys of slashes": ("${% for x in b %}${a | key_part}${a | percent}${% endfor %}", {"a": "a/" * 50_000, "b": MANY}),
    "many placeholders": ("${a}" * 1000, {"a": LONG}),
    "decoded in a loop": ("${% for x in a %}${x.b.c | default('-')}${% endfor %}", {"a": TEXTS}),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_would_grow_without_end_is_refused(name: str) -> None:
    """At once: memory stays far below what the result would take, and the error says which template it was and what it made."""
    text, row = HOSTILE[name]
    made = Template(text)
    with traced():
        with pytest.raises(RenderError) as caught:
            made.render(row)
        peak = tracemalloc.get_traced_memory()[1]

    assert template.quoted(text) in str(caught.value)
    assert any(word in str(caught.value) for word in ("expected at most", "steps", "moderate size", "takes numbers"))
    assert len(str(caught.value)) < 1000
    assert peak < 12 * RESULT_CHARACTERS_MAX


@pytest.mark.parametrize(
    "text",
    [
        "${% for x in payload.list %}${payload.name}:${x}${% endfor %}",
        "${% for x in payload.list %}${payload.name | upper}:${x | string}${% endfor %}",
        "${% for x in payload.list %}${% if payload.name == 'a' %}${payload.list | length}${% endif %}${% endfor %}",
        "${payload.name}-${payload.list}-${payload.n}" + "-${payload.name}" * 50,
    ],
)
def test_a_payload_is_decoded_once_for_a_row(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each turn of a loop: a hundred kilobytes took nine seconds."""
    read = []

    def counting(found: Any) -> Any:
        read.append(found)
        return json.loads(found)

    monkeypatch.setattr("pipeline.template.template.from_json", counting)
    monkeypatch.setattr("pipeline.template.work.from_json", counting)
    payload = json.dumps({"name": "a", "n": 1, "list": list(range(2000))})

    Template(text).render({"payload": payload})

    assert read == [payload]


def test_the_work_of_a_row_is_that_of_its_own() -> None:
    """What one row cost is not counted against the next."""
    made = Template("${% for x in a %}${x | string}${% endfor %}")
    row = {"a": list(range(50_000))}

    assert {len(made.render(row)) for _ in range(12)} == {238_890}


def test_what_is_moderate_is_rendered() -> None:
    """A list of ten thousand elements with a dozen expressions each, and a text of a megabyte through filters."""
    body = "".join(f"${{x.v{n} | default({n}) | string}}," for n in range(12))
    text = "${% for x in a %}" + body + "${% endfor %}${b | upper | trim | base64 | length}"

    rendered = Template(text).render({"a": [{"v1": n} for n in range(10_000)], "b": LONG})

    assert rendered.endswith(b"1333336")


@pytest.mark.parametrize(
    ("text", "row", "expected"),
    [
        ("${a ~ 1 ~ b | string}", {"a": "x", "b": [1]}, "x1[1]"),
        ("${([a, 2] + [3]) | join('-')}", {"a": 1}, "1-2-3"),
        ("${a | join(', ', attribute='n')}", {"a": [{"n": 1}, {"n": 2}]}, "1, 2"),
        ("${a | join(', ', attribute='n.0')}", {"a": [{"n": [1]}, {"n": [2]}]}, "1, 2"),
        ("${a | sum}", {"a": [1, 2.5]}, "3.5"),
        ("${a | sum(attribute='n')}", {"a": [{"n": 1}, {"n": 2}]}, "3"),
        ("${a | replace('a', 'b', 1)}", {"a": "aaa"}, "baa"),
        ("${a | replace(1, 2)}", {"a": 111}, "222"),
        ("${a + b | string}", {"a": "x", "b": "y"}, "xy"),
        ("${'y' if 2 in a and b == {'k': [1]} else 'n' | string}", {"a": [1, 2], "b": {"k": [1]}}, "y"),
        ("${% for k, v in a | dictsort %}${k ~ v | string}${% endfor %}", {"a": {"b": 1, "a": 2}}, "a2b1"),
        ("${% set a, b = [1, 2] %}${(a + b) | string}", {}, "3"),
    ],
)  # fmt: skip
def test_what_is_counted_gives_what_jinja_gives(text: str, row: dict[str, Any], expected: str) -> None:
    """Joins, lists, sums and comparisons."""
    assert Template(text).render(row) == expected.encode()


def test_a_weight_counts_shared_values_each_time() -> None:
    """A list that holds one text a thousand times is as long as a thousand texts when it is written."""
    work = Work()
    text = "x" * 1000
    inner = [text] * 1000

    assert work.weight([inner] * 10) >= 10 * 1000 * 1000
    assert work.steps < 2000


def test_the_steps_of_one_row_take_moderate_time() -> None:
    """Steps, not seconds, are counted: the number of turns of an empty loop that is allowed says how they are weighed."""
    made = Template("${% for x in a %}1${% endfor %}")

    assert len(made.render({"a": [1] * STEPS_MAX})) == STEPS_MAX
    with pytest.raises(RenderError, match=f"more than {STEPS_MAX} steps"):
        made.render({"a": [1] * (STEPS_MAX + 1)})
