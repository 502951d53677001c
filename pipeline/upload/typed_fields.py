"""Checks a JSON object field by field: each expected field exists and has its type, and no other field exists.

This is for objects that lie in a bucket for years and may have been overwritten, truncated, or written by a later version. An
error names the field. Pure. This file does not know the ledger.
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
    """Check the type of each field. Numbers must not be negative. Raises ValueError, which names the field."""
    for name, expected in types.items():
        if name not in fields:
            if name in optional:
                continue
            raise ValueError(f"{where} has no field {name!r}")
        found = fields[name]
        good = isinstance(found, expected)
        if isinstance(found, int) and expected is int:
            good = not isinstance(found, bool) and found >= 0  # true is not a number in JSON, but it is one in Python
        if not good:
            wanted = {int: "a number from 0 on", str: "a text", bool: "true or false", list: "a list"}[expected]
            raise ValueError(f"field {name!r} of {where}: expected {wanted}, found {_shown(found)}")
    unknown = fields.keys() - types.keys()
    if unknown:
        raise ValueError(f"{where} has a field {min(unknown)!r}, which this version does not know")


def _shown(found: object) -> str:
    text = orjson.dumps(found, default=str).decode()
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"
