"""Decoding only what is read: a payload as a small struct of the keys that programs use.

A rule that reads three keys of a payload needs three values, not a dict of thirty: msgspec fills a struct and skips
the rest in less than half the time. `Shape` is that struct with its decoder. Programs with the same keys have the same
shape, and programs that see the same events are given one together (`share_payload`), so that a payload is decoded
once for all.

What does not fit (a payload that is not an object, bytes that are not UTF-8) takes the general way, with the same result. One
difference remains: a number beyond the range of a float is only noticed where it is read.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import msgspec

from pipeline.sql.runtime.paths import member
from pipeline.sql.runtime.values import UNDEFINED

KEYS_MAX: Final = 64


def attribute(key: str) -> str:
    """The struct's attribute for a key of the payload."""
    return f"k_{key}" if key.isascii() and key.isidentifier() else f"x_{key.encode().hex()}"


def fits(key: str) -> bool:
    """Whether a struct may have this key: msgspec takes none that JSON would have to escape."""
    return key.isprintable() and '"' not in key and "\\" not in key


class Shape:
    """The keys that are read from the top of a payload. Get it from `shape_of`, which gives equal keys the same
    shape."""

    __slots__ = ("decode", "keys", "struct")

    def __init__(self, keys: frozenset[str]) -> None:
        self.keys = tuple(sorted(keys))
        names = {attribute(key): key for key in self.keys}
        fields = [(name, Any, UNDEFINED) for name in names]
        self.struct = msgspec.defstruct("Payload", fields, rename=names, gc=False)
        self.decode = msgspec.json.Decoder(self.struct).decode

    def of(self, document: Any) -> Any:
        """The struct with the values of a document that is decoded already."""
        return self.struct(*(member(document, key) for key in self.keys))


@functools.lru_cache(1_000)
def shape_of(keys: frozenset[str]) -> Shape:
    return Shape(keys)
