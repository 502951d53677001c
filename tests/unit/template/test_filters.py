"""Properties of filters that single cases cannot show."""

from __future__ import annotations

import inspect
import string
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import jinja2.filters
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RenderError
from pipeline.sql.runtime.jsontext import to_text
from pipeline.sql.runtime.values import octets, text_of
from pipeline.template import Template
from pipeline.template.builtin import FILTERS
from pipeline.template.jinja import ENVIRONMENT
from pipeline.template.object_names import key_problem

KEY_PART = Template("${v | key_part}")
PERCENT = Template("${v | percent}")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.binary(max_size=8).map(text_of),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
HOSTILE = st.text(alphabet=st.sampled_from("./\\~%2Ee=aé_"), max_size=8)
PYTHONS = ("True", "False", "None", "{'", "['", "b'", "\\x", "Undefined", "<", "object")


@given(HOSTILE | st.text(max_size=8), HOSTILE | st.text(max_size=8))
def test_parts_of_keys_are_one_to_one(one: str, other: str) -> None:
    """Distinct texts give distinct parts."""
    parts = KEY_PART.render_text({"v": one}), KEY_PART.render_text({"v": other})

    assert (parts[0] == parts[1]) == (one == other)


@given(HOSTILE | st.text(max_size=8))
def test_a_part_of_a_key_is_one_part_and_reads_back(text: str) -> None:
    """It has no slash and no equals sign. A reader that decodes %XX finds the text, but for the ~ before a segment of dots."""
    part = KEY_PART.render_text({"v": text})

    assert part
    assert not set(part) & set('/\\= ?#+"\n')
    assert unquote(part.replace("~", "")) == text


@pytest.mark.parametrize(
    "text",
    ["", ".", "..", "../x", "a/../b", "..\\x", "x/", "/x", "温度/..", "a\nb", "\ufffe", "~", "../../_tidegate/x"],
)
def test_a_part_of_a_key_leads_nowhere_else(text: str) -> None:
    """A device that chooses the whole part gets an object there, not a dead letter."""
    assert not key_problem(KEY_PART.render_text({"v": text}))


@given(VALUES)
def test_percent_encoding_loses_nothing(value: Any) -> None:
    """Only letters, digits and - . _ ~ stay, and decoding gives the bytes of the value's text."""
    encoded = PERCENT.render_text({"v": value})

    assert not set(encoded) - set(string.ascii_letters + string.digits + "-._~%")
    assert unquote_to_bytes(encoded) == octets(to_text(value))


@pytest.mark.parametrize("name", ["string", "trim", "default", "truncate(1000000)"])
@given(value=VALUES)
def test_a_filter_that_changes_nothing_gives_the_text_of_the_language(name: str, value: Any) -> None:
    """The same as the plain placeholder."""
    text = octets(to_text(value))
    expected = (
        text.decode(errors="surrogateescape").strip().encode(errors="surrogateescape") if name == "trim" else text
    )

    assert Template(f"${{v | {name}}}").render({"v": value}) == (
        b"" if value is None and name == "default" else expected
    )


def rendered(text: str, value: Any) -> str:
    """What a template gives for a value, or the words of its error behind the template's text."""
    try:
        return Template(text).render({"v": value}).decode(errors="replace")
    except RenderError as error:
        return str(error).partition("cannot be rendered: ")[2]


@pytest.mark.parametrize("name", sorted(FILTERS))
@pytest.mark.parametrize(
    "value", [True, None, 1e-7, {"a": None, "b": True}, [True, None, {"k": 1e-7}], [["a"], [True]]], ids=str
)
def test_no_filter_writes_python(name: str, value: Any) -> None:
    """Each filter of Jinja that is allowed, with each kind of value: the language's text, or a refusal of the value."""
    arguments = {"replace": "('x', v)", "map": "('string')", "selectattr": "('k')", "rejectattr": "('k')"}.get(name, "")
    found = rendered(f"${{v | {name}{arguments}}} ${{v | {name}{arguments} | string}}", value)

    words = [each for each in PYTHONS if each in found.partition(", found")[0]]
    assert not words or (words == ["True"] and name in ("title", "capitalize"))


def test_each_name_of_jinja_keeps_its_arguments() -> None:
    """A filter of Jinja takes what Jinja's manual says."""
    for name, call in FILTERS.items():
        ours, theirs = (list(inspect.signature(each).parameters)[1:] for each in (call, jinja2.filters.FILTERS[name]))
        assert [each for each in ours if each not in ("value",)] == [
            each for each in theirs if each not in ("value", "iterable", "s")
        ], name


@pytest.mark.parametrize("name", sorted(filter(str.isidentifier, ENVIRONMENT.tests)))
@pytest.mark.parametrize("value", [True, None, 1e-7, 7, "%999999999d", {"a": 1}, [1, [2]]], ids=str)
def test_each_test_answers_or_refuses(name: str, value: Any) -> None:
    """Each test of Jinja, with each kind of value, is true or false, or says what it does not take."""
    of_two = ("divisibleby", "sameas", "eq", "ne", "lt", "le", "gt", "ge", "equalto", "lessthan", "greaterthan")
    argument = "([7])" if name == "in" else "(7)" if name in of_two else ""

    found = rendered(f"${{(v is {name}{argument}) | string}}", value)

    assert found in ("true", "false") or "expected" in found or "not supported between" in found


def test_a_filter_is_not_called_before_there_is_a_row() -> None:
    """What a template misses is noted when it is rendered, also in an expression that reads nothing of the row."""
    Template("${x | upper}").render({"x": 1})

    assert Template("${([] | first) ~ 'a' | upper}", missing="null").render_checked({}) == (b"nullA", ["?"])
