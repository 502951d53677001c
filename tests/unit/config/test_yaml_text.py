"""YAML as this program reads it: plain, with lines, within bounds, and without traps."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.text import yaml_text
from pipeline.config.text.places import Places, path_of
from pipeline.config.text.yaml_text import read
from pipeline.errors import ConfigError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With libyaml and without: PyYAML may be installed either way."""
    monkeypatch.setattr(yaml_text, "_LOADER", getattr(yaml, request.param))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null: x\non: y\n1: z\nyes: v", {"null": "x", "on": "y", "1": "z", "yes": "v"}),
        ('{type: csv, null: ""}', {"type": "csv", "null": ""}),
        ("a: on\nb: No\nc: true\nd: ~\ne:", {"a": True, "b": False, "c": True, "d": None, "e": None}),
        ("a: 12\nb: -3\nc: 1_000\nd: 0x1F\ne: 1.5\nf: '1'", {"a": 12, "b": -3, "c": 1000, "d": 31, "e": 1.5, "f": "1"}),
        ("a: 0123\nb: 12:30:45\nc: 2001-01-01\nd: 1e5", {"a": "0123", "b": "12:30:45", "c": "2001-01-01", "d": "1e5"}),
        ("a: !!str 12", {"a": "12"}),
        ("a: !!float 1", {"a": 1}),
        ("a: !!int '12'", {"a": 12}),
        ("a: " + "9" * 5000, {"a": "9" * 5000}),
        ("base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}", {"base": {"x": 1, "y": 2}, "a": {"x": 1, "y": 3}}),
        ("a: [&x 1, *x]", {"a": [1, 1]}),
        ("\ufeffa: 1", {"a": 1}),
        ("", None),
        ('{"a": [1, true, null, "ü"]}', {"a": [1, True, None, "ü"]}),
    ],
)
def test_what_is_written_is_what_is_meant(text: str, value: Any) -> None:
    """Keys are texts, octal numbers, base 60 and dates do not exist, and very long numbers are texts."""
    assert read(text, "c.yaml").value == value


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("a: 1\nb: 2\na: 3", "3:1", "'a' is here twice, in line 1 and in line 3"),
        ("rules:\n  x: 1\n  'x': 2", "3:3", "'x' is here twice, in line 2 and in line 3"),
        ("a: 1\n---\nb: 2", "2:1", "expected one document, found a second"),
        ("a:\n\tb: 1", "2:1", "found a tab"),
        ("a: [\n", "", "expected a value"),
        ("a: b: c", "1:5", "found a colon where no setting can begin"),
        ("a: @sesame", "1:4", "a text that begins with @ needs quotes"),
        ("a: *sesame", "1:4", "a text that begins with * needs quotes"),
        ("a: !sesame x", "1:4", "a text that begins with ! needs quotes"),
        ("a: !!python/object:os.system x", "1:4", "a text that begins with ! needs quotes"),
        ("a: &x [*x]", "1:8", "found an alias"),
        ("a: 'sesame", "1:", "the text ends within quotes"),
        ("a: |sesame\n  x", "1:5", "the text begins on the next line"),
        ("a: \x01", "1:4", "found a control character"),
        ("? [a]\n: b", "1:3", "expected the name of a setting"),
        ("a: &a {x: 1}\nb: {<<: *a, <<: *a}", "2:13", "'<<' is here twice"),
        ("a: !!int x", "1:4", "its tag says: !!int"),
        ("a: !!map 5", "1:4", "its tag says: !!map"),
        ("<<: 5", "1:1", "expected a mapping, or a list of mappings, after <<"),
        ("a: " + "[" * 900, "1:5", "expected at most 50 nested values"),
        ("a: " + "[" * 100_000, "1:", "nested values"),
        ("{a: " * 100_000, "1:", "nested values"),
        (BOMB, "5:", "with those that aliases repeat"),
        ("a: \ud800", "", "not YAML"),
    ],
    ids=lambda each: each[:20] if isinstance(each, str) else None,
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, where: str, said: str) -> None:
    """A YAML error has a line, and never a traceback or the text itself."""
    with pytest.raises(ConfigError) as caught:
        read(text, "c.yaml")

    assert caught.value.where.startswith(f"c.yaml:{where}" if where else "c.yaml")
    assert said in str(caught.value)
    assert "sesame" not in str(caught.value)


@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"%@`#,? \n\t\\0~<"), max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text gives a value or a ConfigError."""
    with suppress(ConfigError):
        read(text, "c.yaml")


STATEMENTS = """\
rules:
  block:
    sql: |
      SELECT a
        FROM "t/#"
  folded:
    sql: >-
      SELECT a
      FROM "t/#"
  plain: {sql: SELECT a FROM "t/#", enable: true}
  quoted: {sql: 'SELECT a FROM "t/#"'}
  escaped: {sql: "SELECT a FROM \\"t/#\\""}
  gaps:
    sql: >
      SELECT

        a, b
      FROM "t"
  wrapped: {sql: 'SELECT a,
      ''b'' FROM

      "t"'}
"""


@given(
    st.text("ab\"'\n \\:#é\u20ac", max_size=60).filter(str.strip),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(8, 40),
)
def test_each_character_of_a_text_is_found_where_it_stands(text: str, style: str | None, width: int) -> None:
    """However YAML writes a text, each letter of it is found in the file."""
    file = yaml.dump({"k": {"m": text}}, default_style=style, width=width, allow_unicode=True)
    rows = tuple(file.splitlines())
    places = Places("", read(file, "c.yaml"), rows)
    for number, line in enumerate(text.split("\n"), 1):
        for column, letter in enumerate(line, 1):
            _, row, at = places.of(("k", "m"), number, column).split(":")
            if letter in "ab":
                assert rows[int(row) - 1][int(at) - 1] == letter


@pytest.mark.parametrize(
    ("path", "line", "column", "place"),
    [
        ("rules.block.sql", 1, 8, "4:14"),
        ("rules.block.sql", 2, 8, "5:14"),
        ("rules.block.sql", 9, 1, "3:5"),
        ("rules.folded.sql", 1, 8, "8:14"),
        ("rules.folded.sql", 1, 15, "9:12"),
        ("rules.plain.sql", 1, 8, "10:23"),
        ("rules.quoted.sql", 1, 8, "11:25"),
        ("rules.escaped.sql", 1, 17, "12:36"),
        ("rules.escaped.sql", 1, 19, "12:38"),
        ("rules.gaps.sql", 3, 3, "17:9"),
        ("rules.gaps.sql", 4, 1, "18:7"),
        ("rules.wrapped.sql", 1, 12, "20:9"),
        ("rules.wrapped.sql", 2, 1, "22:7"),
        ("rules.folded.sql", 1, 20, "9:17"),
        ("rules.block.gone[3].x", 0, 0, "2:3"),
        ("", 0, 0, "1:1"),
    ],
)
def test_a_place_in_a_statement_is_a_place_in_the_file(path: str, line: int, column: int, place: str) -> None:
    """A place in a statement of any style is mapped to the file; a place that is not in it, to its setting."""
    places = Places("c.yaml", read(STATEMENTS, "c.yaml"), tuple(STATEMENTS.splitlines()))

    assert places.of(path_of(path), line, column) == f"c.yaml:{place}"
