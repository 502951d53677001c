"""The text of one value, for cells and raw lines.

It is the language's own text, except that a list is always JSON, even if its numbers could be the codes of characters, and that
something undefined has no text at all.
"""

from __future__ import annotations

from typing import Any

from pipeline.errors import EncodeError
from pipeline.sql.runtime.jsontext import to_json_line, to_text
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text


def text_of(value: Any) -> Text | None:
    """Strings and bytes as they are, maps and lists as JSON; None for undefined. Raises EncodeError for what has no text."""
    if value is UNDEFINED:
        return None
    if type(value) in (dict, list):
        return to_json_line(value)[:-1].decode()
    try:
        return to_text(value)
    except BadValueError as error:
        raise EncodeError(str(error)) from None
