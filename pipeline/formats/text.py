"""The text of one value, for cells and raw lines.

It is the text of the rule language, with two exceptions: a list is always JSON, even if its numbers could be codes of
characters; and an undefined value has no text.
"""

from __future__ import annotations

from typing import Any

from pipeline.errors import EncodeError
from pipeline.sql.runtime.jsontext import to_json_line, to_text
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text


def text_of(value: Any) -> Text | None:
    """Strings and bytes unchanged, maps and lists as JSON, None for undefined.

    Raises EncodeError for a value without a text.
    """
    if value is UNDEFINED:
        return None
    if type(value) in (dict, list):
        return to_json_line(value)[:-1].decode()
    try:
        return to_text(value)
    except BadValueError as error:
        raise EncodeError(str(error)) from None
