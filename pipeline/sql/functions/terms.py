"""Erlang's external term format, for the values of the language.

Source: erlang.org/doc/apps/erts/erl_ext_dist. Atoms are `true`, `false`, `null` and `undefined`; other atoms decode to
their text. Pids, functions, tuples and similar terms are refused.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any, Final

from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Bits, octets, refuse, text_of

DEPTH_MAX: Final = 500
INFLATED_BYTES_MAX: Final = 67_108_864
_ATOMS: Final = {"true": True, "false": False, "null": None, "undefined": UNDEFINED}


def encode(value: Any) -> bytes:
    """The term with its version byte."""
    return b"\x83" + _encoded(value)


def _encoded(value: Any) -> bytes:
    if value is UNDEFINED or value is None or type(value) is bool:
        name = next(name for name, atom in _ATOMS.items() if atom is value).encode()
        return struct.pack(">BB", 119, len(name)) + name
    if type(value) is int:
        return _integer(value)
    if type(value) is float:
        return struct.pack(">Bd", 70, value)
    if type(value) is list:
        return _list(value)
    if type(value) is dict:
        pairs = b"".join(_encoded(key) + _encoded(value[key]) for key in sorted(value))
        return struct.pack(">BI", 116, len(value)) + pairs
    if isinstance(value, Bits):
        whole, rest = divmod(value.size, 8)
        raw = (value.value << (8 - rest)).to_bytes(whole + 1, "big")
        return struct.pack(">BIB", 77, len(raw), rest) + raw
    raw = octets(value)
    return struct.pack(">BI", 109, len(raw)) + raw


def _integer(value: int) -> bytes:
    if 0 <= value <= 255:
        return bytes((97, value))
    if -(1 << 31) <= value < 1 << 31:
        return struct.pack(">Bi", 98, value)
    digits = abs(value).to_bytes((abs(value).bit_length() + 7) // 8, "little")
    sign = value < 0
    head = (
        struct.pack(">BBB", 110, len(digits), sign)
        if len(digits) < 256
        else struct.pack(">BIB", 111, len(digits), sign)
    )
    return head + digits


def _list(items: list[Any]) -> bytes:
    if not items:
        return b"\x6a"
    if len(items) < 65536 and all(type(i) is int and 0 <= i <= 255 for i in items):
        return struct.pack(">BH", 107, len(items)) + bytes(items)
    return struct.pack(">BI", 108, len(items)) + b"".join(map(_encoded, items)) + b"\x6a"


def decode(data: bytes) -> Any:
    """The value of exactly one term."""
    if data[:1] != b"\x83":
        refuse("data in Erlang's external term format", text_of(data))
    if data[1:2] == b"\x50":
        data = b"\x83" + _inflated(data)
    reader = _Reader(data)
    try:
        value = reader.term(0)
    except (struct.error, UnicodeDecodeError):
        raise BadValueError("the term ends too early") from None
    if reader.position != len(data):
        raise BadValueError("something follows the term")
    return value


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data[6:], INFLATED_BYTES_MAX)
    except zlib.error as error:
        raise BadValueError(f"the compressed term is broken: {error}") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 1

    def unpack(self, form: str) -> tuple[Any, ...]:
        found = struct.unpack_from(">" + form, self.data, self.position)
        self.position += struct.calcsize(">" + form)
        return found

    def raw(self, size: int) -> bytes:
        found = self.data[self.position : self.position + size]
        if len(found) != size:
            raise BadValueError("the term ends too early")
        self.position += size
        return found

    def term(self, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise BadValueError(f"the term nests deeper than {DEPTH_MAX} levels")
        (tag,) = self.unpack("B")
        if tag in (97, 98):
            return self.unpack("B" if tag == 97 else "i")[0]
        if tag in (110, 111):
            size, sign = self.unpack("BB" if tag == 110 else "IB")
            size_value = int.from_bytes(self.raw(size), "little")
            return -size_value if sign else size_value
        if tag == 70:
            value = self.unpack("d")[0]
            return value if math.isfinite(value) else refuse("a finite float", value)
        if tag == 109:
            return text_of(self.raw(self.unpack("I")[0]))
        if tag == 107:
            return list(self.raw(self.unpack("H")[0]))
        return self.composite(tag, depth)

    def composite(self, tag: int, depth: int) -> Any:
        if tag == 106:
            return []
        if tag == 108:
            items = [self.term(depth + 1) for _ in range(self._count())]
            if self.raw(1) != b"\x6a":
                raise BadValueError("the list has a tail that is not a list")
            return items
        if tag == 116:
            return dict(self._pair(depth) for _ in range(self._count()))
        if tag in (100, 115, 118, 119):
            (size,) = self.unpack("H" if tag in (100, 118) else "B")
            name = self.raw(size).decode()
            return _ATOMS.get(name, name)
        raise BadValueError(f"a term of tag {tag} is not a value here")

    def _count(self) -> int:
        count = int(self.unpack("I")[0])
        if count > len(self.data):
            raise BadValueError("the term ends too early")
        return count

    def _pair(self, depth: int) -> tuple[str, Any]:
        key = self.term(depth + 1)
        if type(key) is not str:
            refuse("a map with string keys", key)
        return key, self.term(depth + 1)
