"""Plain English in the manual and in the product."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[3]
TEXTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(path for package in ("agents", "ingress", "pipeline") for path in (ROOT / package).rglob("*.py")),
]
# Each form that a reader reads twice, and a plain one.
FORMS: Final = {
    r"(?<![Tt]here )\b(?:is|are|was|were) no (?!longer\b|more\b|other\b|one\b|\w+er than\b)[a-z]": "is not a …",
    r"(?:^|[.:;]\s)Who (?![^.;]*\?)[a-z]": "whoever …, or a noun",
    r"\b(?:anew|afresh)\b": "again",
    r"\bof (?:which|it|them) there (?:is|are)\b": "there is … of it",
    r"\bbe it\b": "whether it is",
    r"\bwhom(?:ever)?\b": "two sentences",
    r"\b(?:tell|tells|told) of\b": "report …",
    r"\bbut for\b": "except",
    r"\b(?:rules|those|that|time|way) of (?:now|then)\b": "the present …, the earlier …",
    r"\bknows? (?:no\b(?! more)|nothing of\b)": "does not know …",
    r"(?:^|[.:;]\s)What (?:could|can|may|of|tells|works|lies|comes|remains|was)\b(?![^.;]*\?)": "a noun",
    r"\b[Nn]o clock and no dice\b": "the clock, random numbers",
}


def _paragraphs(path: Path) -> Iterator[str]:
    """Paragraphs of a page without its code, or docstrings and comments of a file."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield from re.sub(r"```.*?```", "", text, flags=re.S).split("\n\n")
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")


def _found(paragraph: str) -> list[str]:
    """The forms in a paragraph, each with its neighbours and a plain form."""
    text = " ".join(paragraph.split())
    return [
        f"{text[max(found.start() - 30, 0) : found.end() + 30]!r}: write {plain!r}"
        for form, plain in FORMS.items()
        for found in re.finditer(form, text)
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_sentences_are_plain(path: Path) -> None:
    """No sentence of these texts has a form that a newcomer reads twice."""
    assert [found for paragraph in _paragraphs(path) for found in _found(paragraph)] == []


@pytest.mark.parametrize(
    ("sentence", "count"),
    [
        ("A bucket that is no valid name is refused.", 1),
        ("Who finds its entry taken has lost.", 1),
        ("It stops. Who comes next goes on.", 1),
        ("The rest is chunked anew.", 1),
        ("of which there are two", 1),
        ("A broker to whom it is sent.", 1),
        ("It tells of each loss.", 1),
        ("All but for the last.", 1),
        ("Under the rules of now.", 1),
        ("This file knows no clock.", 1),
        ("What comes after it waits.", 1),
        ("What comes after it?", 0),
        ("Who may connect?", 0),
        ("It is no longer there, and is no larger than the limit.", 0),
        ("There is no free port.", 0),
    ],
)
def test_a_form_is_found(sentence: str, count: int) -> None:
    """The search finds each form, and nothing in plain sentences."""
    assert len(_found(sentence)) == count
