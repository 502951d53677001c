"""The values that Jinja works on, and the language's text of each.

Jinja knows only Python's values. Bytes that are not UTF-8 are text with surrogates to it, so that all filters take them; a
missing value is an object of its own, and lists may be tuples. `plain` gives the language's value, and `text` its text: `true`,
`null`, `0.0000001`, JSON for maps and lists.
"""

from __future__ import annotations

from typing import Any

import jinja2

from pipeline.sql.runtime.jsontext import to_text
from pipeline.sql.runtime.values import UNDEFINED, text_of
from pipeline.template.work import current


class MissingValue(jinja2.Undefined):
    """A name without a value. It prints the text of the template's policy, and is noted."""

    __slots__ = ("path",)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.path = str(options.get("name") or "?")


def shown_to_jinja(value: Any) -> Any:
    """A value of the language as Jinja takes it."""
    return value.decode(errors="surrogateescape") if type(value) is bytes else value


def plain(value: Any) -> Any:
    """The value of the language that a value of Jinja stands for."""
    if isinstance(value, str):
        return value if value.isascii() else text_of(value.encode(errors="surrogateescape"))
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {text(key): plain(each) for key, each in value.items()}
    return UNDEFINED if isinstance(value, jinja2.Undefined) else value


def text(value: Any) -> str:
    """The language's text of any value. A missing one is noted, and has the text of the template's policy."""
    if isinstance(value, str):
        return value
    if isinstance(value, MissingValue):
        return current().note(value.path)
    if isinstance(value, list | tuple | dict):
        current().write_out(value)
    found = to_text(value if isinstance(value, int | float) else plain(value))
    return found if isinstance(found, str) else found.decode(errors="surrogateescape")


def octets_of(value: Any) -> bytes:
    """The bytes of the text of a value."""
    return text(value).encode(errors="surrogateescape")
