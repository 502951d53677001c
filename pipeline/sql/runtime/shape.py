"""Decodes only the keys of a payload that programs use, into a small struct.

A rule that reads three keys of a payload needs three values and not a dict of thirty. msgspec fills a struct and skips the other
keys in less than half the time. `Shape` is this struct with its decoder. Programs with the same keys have the same shape.
Programs that get the same events share one shape (`share_payload`), so that each payload is decoded once.

A payload that does not fit (not an object, or bytes that are not UTF-8) is decoded in the general way, with the same result. One
difference remains: a number beyond the range of a float is an error only if a rule reads it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Final

import msgspec

from pipeline.sql.runtime.paths import member
from pipeline.sql.runtime.values import UNDEFINED

KEYS_MAX: Final = 64


def attribute(key: str) -> str:
    """The name of the struct's attribute for a key of the payload."""
    return f"k_{key}" if key.isascii() and key.isidentifier() else f"x_{key.encode().hex()}"


def fits(key: str) -> bool:
    """Whether a struct may have this key. msgspec accepts no key that JSON would have to escape."""
    return key.isprintable() and '"' not in key and "\\" not in key


class Shape:
    """The keys that rules read from the top level of a payload. Use `shape_of`, which gives the same shape for equal keys."""

    __slots__ = ("decode", "keys", "struct")

    def __init__(self, keys: frozenset[str]) -> None:
        self.keys = tuple(sorted(keys))
        self.struct = _struct(self.keys, Any)
        self.decode = msgspec.json.Decoder(self.struct).decode

    def of(self, document: Any) -> Any:
        """The struct with the values of a decoded document."""
        return self.struct(*(member(document, key) for key in self.keys))


def scalars(keys: Iterable[str]) -> Callable[[bytes], Any]:
    """A decoder of payloads that are objects, and in which these keys have neither lists nor maps. It refuses any other.

    What it gives has the attributes and values of a shape's struct. So nobody can make it large with a short payload.
    """
    return msgspec.json.Decoder(_struct(keys, int | float | str | bool | None)).decode


def _struct(keys: Iterable[str], values: Any) -> Any:
    names = {attribute(key): key for key in keys}
    return msgspec.defstruct("Payload", [(name, values, UNDEFINED) for name in names], rename=names, gc=False)


@functools.lru_cache(1_000)
def shape_of(keys: frozenset[str]) -> Shape:
    return Shape(keys)
