"""The manual of the language: complete, current and true."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.rule_trial import alike
from pipeline.sql import compile_statement
from pipeline.sql.functions import FUNCTIONS
from pipeline.sql.manual import example_context, example_event, functions_chapter
from pipeline.template import builtin, filters

PAGE = (Path(__file__).parents[3] / "docs" / "rule-language.md").read_text(encoding="utf-8")
EXAMPLES = [(f.name, call, result) for f in FUNCTIONS.values() for call, result in f.examples]


def test_the_manual_has_the_chapter_on_functions_that_the_declarations_give() -> None:
    """The chapter is the output of python -m pipeline.sql.manual docs/rule-language.md."""
    assert functions_chapter() in PAGE


def test_all_native_functions_are_there() -> None:
    """The language has 149 functions of its own, each with a sentence and an example."""
    native = {name: f for name, f in FUNCTIONS.items() if f.theme not in ("schemas", "sparkplug")}

    assert len(native) == 149
    for function in FUNCTIONS.values():
        assert function.doc.endswith("."), function.name
        assert function.examples, function.name


@pytest.mark.parametrize(("name", "call", "result"), EXAMPLES, ids=[f"{e[0]}-{i}" for i, e in enumerate(EXAMPLES)])
def test_an_example_is_true(name: str, call: str, result: str) -> None:
    """Each example of the manual gives what it says."""
    sql = f'SELECT {call} AS found, {result} AS wanted FROM "#"'
    rows = compile_statement(sql, example_context()).evaluate(example_event())

    assert rows is not None
    assert alike(rows[0]["found"], rows[0]["wanted"], approx=True), rows
    assert name in call


@pytest.mark.parametrize("name", sorted([*builtin.FILTERS, *filters.FILTERS]))
def test_a_filter_is_in_the_manual(name: str) -> None:
    """The manual names every filter of templates."""
    assert name in PAGE
