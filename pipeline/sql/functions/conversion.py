"""Conversions from one type to another."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from pipeline.sql.functions.registry import as_binary, as_map, as_number, function
from pipeline.sql.runtime.jsontext import to_text
from pipeline.sql.runtime.ordering import parse_number
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Bits, Text, float_text, octets, refuse, text_of

DECIMALS_MAX: Final = 253
_HEX: Final = re.compile(rb"[0-9A-Fa-f]*")


@function("str(x: any) -> string", examples=(("str(1.0)", "'1.0'"), ("str(payload.list)", "'[1,2,300]'")))
def str_(x: Any) -> Text:
    """Any value as text. Floats have at most ten decimals. Booleans, null and `undefined` become their words, maps
    and lists become compact JSON. A list of printable character codes becomes these characters.
    """
    return to_text(x)


@function("str_utf8(x: any) -> string", example=("str_utf8('ü')", "'ü'"))
def str_utf8(x: Any) -> str:
    """The same as `str()`, but raises if the text is not valid UTF-8."""
    text = to_text(x)
    return text if type(text) is str else refuse("valid UTF-8", text)


@function("str_utf16_le(x: any) -> string", example=("bin2hexstr(str_utf16_le('ab'))", "'61006200'"), grows=True)
def str_utf16_le(x: Any) -> Text:
    """The text in UTF-16, little endian, without a byte order mark. Raises if the text is not valid UTF-8."""
    return text_of(str_utf8(x).encode("utf-16-le"))


@function("bool(x: any) -> boolean", examples=(("bool('true')", "true"), ("bool(0)", "false")))
def bool_(x: Any) -> bool:
    """True for true, 1, 1.0 and 'true'. False for false, 0, 0.0 and 'false'. Raises for all other values."""
    if type(x) is bool:
        return x
    if type(x) in (int, float) and x in (0, 1):
        return bool(x)
    if x in ("true", "false"):
        return bool(x == "true")
    refuse("true, false, 1, 0, 'true' or 'false'", x)


@function("int(x: any) -> integer", examples=(("int(-3.14)", "-4"), ("int('3.1415e2')", "314")))
def int_(x: Any) -> int:
    """The value as an integer. Floats are rounded down, booleans are 1 and 0, and text must hold a number. Raises for
    all other values.
    """
    if type(x) is bool:
        return int(x)
    if type(x) is str or type(x) is bytes:
        x = parse_number(x)
    return math.floor(as_number(x))


@function(
    "float(x: any[, decimals: integer]) -> float",
    examples=(("float('20')", "20.0"), ("float('3.1415926', 3)", "3.142")),
)
def float_(x: Any, decimals: int | None = None) -> float:
    """A number or numeric text as a float, rounded if `decimals` (above 0) is given. Raises for all other values."""
    if type(x) is str or type(x) is bytes:
        x = parse_number(x)
    value = float(as_number(x))
    if decimals is None:
        return value
    if not 0 < decimals <= DECIMALS_MAX:
        refuse(f"1 to {DECIMALS_MAX} decimals", decimals)
    return float(float_text(value, decimals, compact=False))


@function("float2str(x: float, decimals: integer) -> string", example=("float2str(20.2, 15)", "'20.199999999999999'"))
def float2str(x: float, decimals: int) -> str:
    """A float as decimal text with at most `decimals` decimals. Trailing zeros are removed, but one decimal stays
    unless `decimals` is 0. Raises for an integer.
    """
    if not 0 <= decimals <= DECIMALS_MAX:
        refuse(f"0 to {DECIMALS_MAX} decimals", decimals)
    return float_text(x, decimals, compact=True)


@function("map(x: any) -> map", example=("map('{\"a\":1}')", "json_decode('{\"a\":1}')"))
def map_(x: Any) -> dict[str, Any]:
    """The map itself, or the map in a string that holds a JSON object. The empty list gives an empty map. Raises for
    all other values.
    """
    return as_map(x)


@function(
    "bin2hexstr(b: any[, prefix: any]) -> string",
    examples=(("bin2hexstr('jkl')", "'6A6B6C'"), ("bin2hexstr('jkl', '0x')", "'0x6A6B6C'")),
    grows=True,
)
def bin2hexstr(b: Any, prefix: Any = UNDEFINED) -> Text:
    """A binary as upper-case hexadecimal digits. Bits are padded with zeros on the left."""
    prefix = "" if prefix is UNDEFINED else as_binary(prefix)
    digits = f"{b.value:0{-(-b.size // 4)}X}" if isinstance(b, Bits) else octets(as_binary(b)).hex().upper()
    return prefix + digits if type(prefix) is str else text_of(octets(prefix) + digits.encode())


@function(
    "hexstr2bin(digits: binary[, prefix: any]) -> string",
    examples=(("hexstr2bin('6A6b')", "'jk'"), ("hexstr2bin('0x6A', '0x')", "'j'")),
)
def hexstr2bin(digits: Text, prefix: Any = UNDEFINED) -> Text:
    """The binary for hexadecimal digits in upper or lower case. An odd number of digits gets a leading 0. Raises for
    other characters, and if a given prefix is missing.
    """
    raw, lead = octets(digits), b"" if prefix is UNDEFINED else octets(as_binary(prefix))
    if not raw.startswith(lead):
        raise BadValueError(f"expected text that begins with {prefix!r}, found {digits!r}")
    raw = raw[len(lead) :]
    if not _HEX.fullmatch(raw):
        refuse("hexadecimal digits", digits)
    return text_of(bytes.fromhex((raw if len(raw) % 2 == 0 else b"0" + raw).decode()))


@function("sqlserver_bin2hexstr(b: any) -> string", example=("sqlserver_bin2hexstr('ab')", "'0x6162'"), grows=True)
def sqlserver_bin2hexstr(b: Any) -> Text:
    """The same as `bin2hexstr()` with the prefix 0x, as in binary literals of SQL Server."""
    return bin2hexstr(b, "0x")
