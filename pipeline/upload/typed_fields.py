"""Writes a JSON object with a checksum, and checks it field by field: each expected field exists and has its type, and no other
field exists.

This is for objects that lie in a bucket for years and may have been overwritten, truncated, or written by a later version. An
error names the field. Pure. This file does not know the ledger.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from typing import Any, Final

import orjson

FORMAT: Final = 2
SHOWN_CHARACTERS_MAX: Final = 40
_JSON: Final = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2


def sealed(fields: dict[str, Any]) -> bytes:
    """The bytes of an object with its format and a checksum of its other fields, so that a change by hand leaves a trace."""
    fields = {"format": FORMAT, **fields}
    return orjson.dumps(
        {**fields, "checksum": hashlib.sha256(orjson.dumps(fields, option=_JSON)).hexdigest()}, option=_JSON
    )


def unsealed(content: bytes, types: Mapping[str, type], where: str, optional: Collection[str] = ()) -> dict[str, Any]:
    """The fields of an object, also if it was changed. Raises ValueError. Another format is an error before any field is
    checked.
    """
    found = object_of(content)
    written = found.pop("format", None)
    if isinstance(written, bool) or written != FORMAT:
        raise ValueError(f"{where} has format {written!r}: this version reads format {FORMAT}")
    check(found, {**types, "checksum": str}, where, (*optional, "checksum"))
    found.pop("checksum", None)
    return found


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


def values(found: object, types: Mapping[str, type], where: str) -> list[Any]:
    """A list of values, one for each of these names and of its type. Raises ValueError."""
    if not isinstance(found, list) or len(found) != len(types):
        raise ValueError(f"{where}: expected {' and '.join(types)}, found {_shown(found)}")
    check(dict(zip(types, found, strict=True)), types, where)
    return found


def _shown(found: object) -> str:
    text = orjson.dumps(found, default=str).decode()
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "…"
