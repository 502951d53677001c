"""The text of one value, for cells and raw lines.

It is the language's own text, except that a list is always JSON, even if its numbers could be the codes of characters, and that
something undefined has no text at all.
"""

from __future__ import annotations

from typing import Any

from pipeline.errors import EncodeError
from pipeline.sql.jsontext import to_json_line
from pipeline.sql.values import UNDEFINED, BadValueError, Text, number_text, shown


def text_of(value: Any) -> Text | None:
    """Strings and bytes as they are, maps and lists as JSON; None for undefined. Raises EncodeError for what has no text."""
    kind = type(value)
    if kind is str or kind is bytes:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        try:
            return number_text(value)
        except BadValueError as error:
            raise EncodeError(str(error)) from None
    if value is None:
        return "null"
    if kind is dict or kind is list:
        return to_json_line(value)[:-1].decode()
    if value is UNDEFINED:
        return None
    raise EncodeError(f"expected a value that has a text, found {shown(value)}")
