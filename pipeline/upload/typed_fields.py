"""A JSON object, field by field: each that is expected is there, of its type, and no other is.

For what lies in a bucket for years and may have been written over, cut short, or written by a later version. What is wrong is
said by the field's name. Pure; it knows nothing of the ledger.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

SHOWN_CHARACTERS_MAX: Final = 40


def object_of(content: bytes) -> dict[str, Any]:
    """The JSON object of these bytes. Raises ValueError."""
    found = orjson.loads(content)
    if not isinstance(found, dict):
        raise ValueError(f"expected a JSON object, found {_shown(found)}")
    return found


def check(fields: Mapping[str, Any], types: Mapping[str, type], where: str, optional: Collection[str] = ()) -> None:
    """Each field is of its type. Numbers are not negative. Raises ValueError that names the field."""
    for name, expected in types.items():
        if name not in fields:
            if name in optional:
                continue
            raise ValueError(f"{where} has no field {name!r}")
        found = fields[name]
        good = isinstance(found, expected)
        if isinstance(found, int) and expected is int:
            good = not isinstance(found, bool) and found >= 0  # in JSON true is not a number, and in Python it is one
        if not good:
            wanted = {int: "a number from 0 on", str: "a text", bool: "true or false", list: "a list"}[expected]
            raise ValueError(f"field {name!r} of {where}: expected {wanted}, found {_shown(found)}")
    unknown = fields.keys() - types.keys()
    if unknown:
        raise ValueError(f"{where} has a field {min(unknown)!r}, which this version does not know")


def _shown(found: object) -> str:
    text = orjson.dumps(found, default=str).decode()
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"
