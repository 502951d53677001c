"""The errors of the YAML parser in our own words. The parser quotes the text, which may be a secret; our messages do not."""

from __future__ import annotations

from typing import Final, NamedTuple

import yaml

# Parts of the messages of libyaml and of PyYAML, and their meaning. The first match counts.
_WORDS: Final = (
    (
        "mapping values are not allowed",
        "found a colon where no setting can begin; look at the indentation, or use quotes",
    ),
    ("could not find expected ':'", "expected a colon after the name of a setting"),
    ("expected ',' or ']'", "expected a comma or ]; a ${…} within braces or brackets needs quotes"),
    ("expected ',' or '}'", "expected a comma or }; a ${…} within braces or brackets needs quotes"),
    ("expected key", "expected a setting with the indentation of those before it"),
    ("expected '-' indicator", "expected an item (-) with the indentation of those before it"),
    ("<block end>", "expected a setting or an item with the indentation of those before it"),
    ("node content", "expected a value"),
    ("nesting depth", "expected fewer nested values"),
    ("unexpected end of stream", "the text ends within quotes"),
    ("unexpected document", "the text ends within quotes"),
    ("escape", "found an unknown escape in double quotes; in single quotes \\ is an ordinary character"),
    ("control characters", "found a control character"),
    ("special characters", "found a control character"),
    ("unacceptable character", "found a control character"),
    ("block sequence entries", "found an item (-) where none can begin; look at the indentation"),
    ("document start", "expected one document; a text that begins with % needs quotes"),
    ("YAML document", "expected YAML of version 1"),
    ("scanning a block scalar", "expected only indicators after | or >; the text begins on the next line"),
    ("anchor", "found no name after &; a text that begins with & needs quotes"),
    ("alias", "found no name after *; a text that begins with * needs quotes"),
    ("directive", "expected no directive; a text that begins with % needs quotes"),
    ("tag", "found no known tag; a text that begins with ! needs quotes"),
)


class PlainError(NamedTuple):
    """What is wrong, and where. Line and column count from 1."""

    words: str
    line: int
    column: int


def plain_words(error: yaml.YAMLError, text: str) -> PlainError:
    """An error of the parser in our words."""
    said = " ".join(str(getattr(error, name, "") or "") for name in ("problem", "context", "reason"))
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        line, column = mark.line, mark.column
    else:
        before = text[: int(getattr(error, "position", 0) or 0)]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    if "start any token" in said:
        return PlainError(_no_token(text, line, column), line + 1, column + 1)
    found = next((words for part, words in _WORDS if part in said), "expected YAML")
    return PlainError(found, line + 1, column + 1)


def _no_token(text: str, line: int, column: int) -> str:
    lines = text.split("\n")
    found = lines[line][column : column + 1] if line < len(lines) else ""
    return "found a tab where YAML expects spaces" if found == "\t" else f"a text that begins with {found} needs quotes"
