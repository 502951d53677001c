"""Properties of templates that the cases in tests/conformance cannot express."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RenderError, TemplateSyntaxError
from pipeline.sql import UNDEFINED
from pipeline.template import Template


@pytest.mark.parametrize("raw", [b"", b"\xff\x00", "ü".encode(), b'{"a":1}'])
def test_a_payload_alone_comes_out_byte_for_byte(raw: bytes) -> None:
    """`${payload}` gives the exact bytes of the payload."""
    from pipeline.sql.runtime.values import text_of

    assert Template("${payload}").render({"payload": text_of(raw)}) == raw


@pytest.mark.parametrize(("policy", "text"), [("undefined", b"<undefined>"), ("empty", b"<>"), ("null", b"<null>")])
@pytest.mark.parametrize("template", ["<${zz}>", "<${zz|upper}>", "<${a.zz}>"])
def test_a_missing_value_follows_the_policy(template: str, policy: str, text: bytes) -> None:
    """The policy decides the text of a missing value, in paths and in expressions."""
    assert Template(template, missing=policy).render({"a": {}}) == text  # type: ignore[arg-type]


@pytest.mark.parametrize("template", ["${zz}", "${zz|upper}", "${u}", "${a.b.c}"])
def test_a_missing_value_can_send_the_record_to_the_dead_letters(template: str) -> None:
    """With `dead_letter` a missing value is an error that names the placeholder."""
    with pytest.raises(RenderError, match=r"zz|u|a\.b\.c"):
        Template(template, missing="dead_letter").render({"u": UNDEFINED, "a": {}})


def test_null_is_no_missing_value() -> None:
    """JSON's null is rendered under every policy."""
    assert Template("${n}", missing="dead_letter").render({"n": None}) == b"null"


def test_a_key_must_be_text() -> None:
    """A key of bytes that are not UTF-8 is refused."""
    with pytest.raises(RenderError, match="UTF-8"):
        Template("k/${raw}").render_text({"raw": b"\xff"})


def test_halves_of_a_character_meet() -> None:
    """Bytes that are valid UTF-8 together become text."""
    assert Template("${a}${b}").render_text({"a": b"\xc3", "b": b"\xbc"}) == "ü"


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("plain", frozenset()),
        ("${a.b}/${c}", frozenset({"a", "c"})),
        ("${a|upper}${% if b %}${d}${% endif %}", frozenset({"a", "b", "d"})),
        ("${.}", None),
    ],
)
def test_a_template_knows_what_it_reads(template: str, names: frozenset[str] | None) -> None:
    """`names` has the top-level keys, or is None for the whole row."""
    assert Template(template).names == names


@pytest.mark.parametrize(
    "template",
    [
        "${''.__class__.__mro__|string}",
        "${a.__init__.__globals__|string}",
        "${(1).real.__class__|string}",
        "${cycler.__init__|string}",
    ],
)
def test_a_template_reaches_nothing_but_the_row(template: str) -> None:
    """A template cannot reach attributes of Python objects or Jinja's globals."""
    assert b"class" not in Template(template).render({"a": "x"})


@pytest.mark.parametrize(
    "template",
    [
        "${self|string}",
        "${'a' * 1000000000|string}",
        "${(9 ** 99999999)|string}",
        "${('%999999999d' % 1)|string}",
        "${% for a in l %}${% for b in l %}${% for c in l %}${% endfor %}${% endfor %}${% endfor %}",
        "${f()|string}",
    ],
)
def test_a_hostile_template_fails_quickly(template: str) -> None:
    """Output and steps of a template are bounded, and it cannot call functions."""
    with pytest.raises(RenderError):
        Template(template).render({"l": list(range(300)), "f": "x"})


@pytest.mark.parametrize("template", ["${a|nosuch}", "${% if %}", "${% include 'x' %}${% endif %}", "\ue0f0${a|upper}"])
def test_a_broken_expression_is_refused_when_made(template: str) -> None:
    """A broken expression is refused before the template is used."""
    with pytest.raises(TemplateSyntaxError):
        Template(template)


@given(st.text(alphabet=st.sampled_from("${}ab.|%#' "), max_size=20))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    """Any text is a template or is refused."""
    try:
        template = Template(text)
    except TemplateSyntaxError:
        return
    try:
        template.render({"a": "x", "b": {"a": 1}})
    except RenderError:
        return


def test_text_that_is_not_unicode_is_refused() -> None:
    """A template with half a surrogate pair is refused."""
    with pytest.raises(TemplateSyntaxError, match=r"character 3 .*'\\ud800'"):
        Template("ab\ud800")


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="$"), max_size=40))
def test_text_without_a_dollar_is_itself(text: str) -> None:
    """Text without a dollar sign is unchanged."""
    assert Template(text).render({}).decode() == text
