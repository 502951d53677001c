"""Bits of integers and of binaries."""

from __future__ import annotations

import math
import struct
from typing import Any, Final

from pipeline.sql.functions.registry import as_binary, as_integer, function
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Bits, bounded_integer, octets, refuse, text_of

SHIFT_MAX: Final = 1_000_000


@function("bitnot(i: integer) -> integer", example=("bitnot(10)", "-11"))
def bitnot(i: int) -> int:
    """The integer with all bits inverted, in two's complement."""
    return ~i


@function("bitand(a: integer, b: integer) -> integer", example=("bitand(-10, -8)", "-16"))
def bitand(a: int, b: int) -> int:
    """The bits that are set in both integers."""
    return a & b


@function("bitor(a: integer, b: integer) -> integer", example=("bitor(10, 8)", "10"))
def bitor(a: int, b: int) -> int:
    """The bits that are set in at least one of the integers."""
    return a | b


@function("bitxor(a: integer, b: integer) -> integer", example=("bitxor(10, 8)", "2"))
def bitxor(a: int, b: int) -> int:
    """The bits that are set in exactly one of the integers."""
    return a ^ b


@function("bitsl(i: integer, places: integer) -> integer", example=("bitsl(8, 2)", "32"))
def bitsl(i: int, places: int) -> int:
    """The integer shifted to the left, without overflow. Negative places shift to the right. Raises beyond a million places."""
    if places > SHIFT_MAX:
        raise BadValueError(f"a shift goes at most {SHIFT_MAX} places, found {places}")
    return bounded_integer(i << places) if places >= 0 else i >> -places


@function("bitsr(i: integer, places: integer) -> integer", example=("bitsr(-8, 1)", "-4"))
def bitsr(i: int, places: int) -> int:
    """The integer shifted to the right, with its sign. Negative places shift to the left."""
    return bitsl(i, -places)


@function("bitsize(b: any) -> integer", example=("bitsize('abc')", "24"))
def bitsize(b: Any) -> int:
    """The number of bits."""
    return b.size if isinstance(b, Bits) else 8 * len(octets(as_binary(b)))


@function("bytesize(b: any) -> integer", example=("bytesize('你好')", "6"))
def bytesize(b: Any) -> int:
    """The number of bytes. A last byte that is not full counts too."""
    return -(-b.size // 8) if isinstance(b, Bits) else len(octets(as_binary(b)))


@function(
    "subbits(b: any, length: integer) -> any",
    "subbits(b: any, start: integer, length: integer[, type: any, sign: any, endian: any]) -> any",
    examples=(
        ("subbits(hexstr2bin('9F4E58'), 9, 8)", "78"),
        ("subbits(hexstr2bin('9F4E58'), 1, 16, 'integer', 'signed', 'big')", "-24754"),
        ("bin2hexstr(subbits(hexstr2bin('9F4E58'), 9, 8, 'bits'))", "'4E'"),
    ),
)
def subbits(b: Any, *options: Any) -> Any:
    """`length` bits from the 1-based bit position `start`, whose default is 1. They are read as `type` ('integer',
    'float' or 'bits'), with `sign` ('unsigned' or 'signed') and `endian` ('big' or 'little'). Gives `undefined` if the
    start is outside, and fewer bits if the binary ends before. Raises for other options, and for a float without 16, 32
    or 64 bits."""
    whole = len(options) == 1
    start, length = (1, as_integer(options[0])) if whole else (as_integer(options[0]), as_integer(options[1]))
    given: list[Any] = list(options[2:])
    kind, sign, endian = given + ["integer", "unsigned", "big"][len(given) :]
    if (
        kind not in ("integer", "float", "bits")
        or sign not in ("unsigned", "signed")
        or endian not in ("big", "little")
    ):
        refuse(
            "subbits() options 'integer', 'float' or 'bits'; 'unsigned' or 'signed'; 'big' or 'little'",
            [kind, sign, endian],
        )
    value, size = _bits_of(b)
    if not 1 <= start <= size:
        return UNDEFINED
    rest = size - start + 1
    length = length if 0 <= length <= rest else rest
    found = (value >> (rest - length)) & ((1 << length) - 1)
    if kind == "integer":
        return _as_integer(found, length, sign == "signed", endian == "little")
    if kind == "float":
        return _as_float(found, length, endian)
    return text_of(found.to_bytes(length // 8, "big")) if length % 8 == 0 else Bits(found, length)


def _bits_of(b: Any) -> tuple[int, int]:
    if isinstance(b, Bits):
        return b.value, b.size
    raw = octets(as_binary(b))
    return int.from_bytes(raw, "big"), 8 * len(raw)


def _as_integer(found: int, length: int, signed: bool, little: bool) -> int:
    if little:
        found = _little(found, length)
    if signed and length and found >> (length - 1):
        found -= 1 << length
    return found


def _little(found: int, length: int) -> int:
    """The integer with its bytes in reverse order. A last piece of fewer than 8 bits is the most significant."""
    whole, rest = divmod(length, 8)
    head, tail = found >> rest, found & ((1 << rest) - 1)
    return int.from_bytes(head.to_bytes(whole, "big"), "little") | tail << (8 * whole)


def _as_float(found: int, length: int, endian: str) -> float:
    formats = {16: "e", 32: "f", 64: "d"}
    if length not in formats:
        raise BadValueError(f"a float has 16, 32 or 64 bits, found {length}")
    order = ">" if endian == "big" else "<"
    value = struct.unpack(order + formats[length], found.to_bytes(length // 8, "big"))[0]
    if not math.isfinite(value):
        raise BadValueError("these bits are not a finite float")
    return float(value)
