"""Splits the text of a statement into tokens.

A token has its kind, its value and its offsets in the text, so that every later error can show its place. Kinds are the keywords
in upper case, the operators themselves, and NAME, QUOTED, STRING, INTEGER, FLOAT, RANGE, TRUE, FALSE, END.

As in the original dialect, two single quotes inside a string do not end it and stay two quotes, all quotes at both ends of a
string are trimmed, and numbers such as `10e3` and `1.5f` are refused. Different on purpose: a comment may end a statement, and a
line may begin with `/`.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from pipeline.errors import SqlError

STATEMENT_CHARACTERS_MAX: Final = 100_000
KEYWORDS: Final = frozenset(
    [
        "SELECT",
        "FROM",
        "WHERE",
        "AS",
        "AND",
        "OR",
        "NOT",
        "IN",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "FOREACH",
        "DO",
        "INCASE",
        "IF",
        "ELSIF",
    ]
)
WORD_TOKENS: Final = {"div": "div", "mod": "mod", "true": "TRUE", "false": "FALSE"}


class Token(NamedTuple):
    """One token. `start` and `end` are offsets in the statement."""

    kind: str
    value: Any
    start: int
    end: int


# If two patterns begin alike, the longer one comes first. BADNUMBER matches texts that only look like numbers.
_TOKEN: Final = re.compile(
    r"""
      (?P<SPACE>   (?: [ \t\r\n]+ | --[^\n]* )+ )
    | (?P<NAME>    [A-Za-z][A-Za-z0-9_$@~]* )
    | (?P<BADNUMBER> [0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)?[fFdD] | [0-9]{2,}(?:[eE][+-]?[0-9]+[fFdD]?|[fFdD]) )
    | (?P<FLOAT>   [0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)? )
    | (?P<INTEGER> [0-9]+ )
    | (?P<STRING>  '(?:[^']|'')*' )
    | (?P<QUOTED>  "(?:[^"]|"")*" )
    | (?P<RANGE>   \[[+-]?[0-9]+\.\.[+-]?[0-9]+\] )
    | (?P<OPERATOR> != | <> | <= | >= | =~ | ~= | == | [=<>+\-*/()\[\],.] )
    """,
    re.VERBOSE,
)


def tokenize(text: str, *, with_last_comment: bool = True) -> list[Token]:
    """The tokens of a statement; the last is END. Raises SqlError at the first character that does not begin a token.

    Without `with_last_comment`, a `--` in the last line is two minus signs.
    """
    if len(text) > STATEMENT_CHARACTERS_MAX:
        raise error_at(text, 0, f"a statement has at most {STATEMENT_CHARACTERS_MAX} characters, found {len(text)}")
    tokens = []
    position, end = 0, len(text)
    signs_from = end if with_last_comment else text.rstrip().rfind("\n") + 1
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise error_at(text, position, _unexpected(text, position))
        position = match.end()
        if match.lastgroup != "SPACE":
            tokens.append(_token(text, match))
        elif (signs := text.find("--", max(match.start(), signs_from), position)) >= 0:
            tokens += [Token("-", "-", sign, sign + 1) for sign in (signs, signs + 1)]
            position = signs + 2
    tokens.append(Token("END", None, end, end))
    return tokens


def _token(text: str, match: re.Match[str]) -> Token:
    kind, found, start, end = match.lastgroup or "", match.group(), match.start(), match.end()
    value: Any = found
    if kind == "NAME":
        kind = found.upper() if found.upper() in KEYWORDS else WORD_TOKENS.get(found, "NAME")
    elif kind == "STRING":
        value = found.strip("'")
    elif kind == "QUOTED":
        value = found[1:-1]
    elif kind == "INTEGER":
        value = _integer(text, start, found)
    elif kind == "FLOAT":
        value = _float(text, start, found)
    elif kind == "RANGE":
        begin, _, last = found[1:-1].partition("..")
        value = (_integer(text, start, begin), _integer(text, start, last))
    elif kind == "BADNUMBER":
        raise error_at(text, start, f"{found!r} is not a number: write a fraction before an exponent, and no suffix")
    elif kind == "OPERATOR":
        if found == "==":
            raise error_at(text, start, "'==' is not an operator: write '='")
        kind = found
    return Token(kind, value, start, end)


def _integer(text: str, start: int, digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        raise error_at(text, start, "an integer literal has at most 4300 digits") from None


def _float(text: str, start: int, digits: str) -> float:
    value = float(digits)
    if value - value != 0.0:
        raise error_at(text, start, f"{digits!r} is beyond the range of a float")
    return value


def _unexpected(text: str, position: int) -> str:
    found = text[position]
    if found == "'":
        return "this string is not closed: a ' is missing"
    if found == '"':
        return 'this quoted name is not closed: a " is missing'
    if found == "_":
        return "a name cannot begin with '_': quote it, as in payload.\"_name\""
    if found in "|&":
        return f"{found!r} is not an operator: use + to join strings, AND and OR in conditions"
    return f"unexpected character {found!r}"


def error_at(text: str, offset: int, message: str) -> SqlError:
    """A SqlError for the place at `offset`, with line and column from 1, and the line with a caret under the place."""
    line_start = text.rfind("\n", 0, offset) + 1
    line_end = text.find("\n", offset)
    line_text = text[line_start : line_end if line_end >= 0 else len(text)].rstrip("\r")
    column = offset - line_start
    snippet = _cut(line_text, column)
    return SqlError(message, line=text.count("\n", 0, offset) + 1, column=column + 1, snippet=snippet)


def _cut(line: str, column: int, width: int = 100) -> str:
    """The part of a long line around the place, with the caret below.

    A tab stays a tab, so that the caret is under its place.
    """
    begin = max(0, column - width // 2)
    shown = line[begin : begin + width]
    lead = "".join("\t" if c == "\t" else " " for c in shown[: column - begin])
    return f"{shown}\n{lead}^"
