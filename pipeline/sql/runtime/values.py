"""The values of the language, and their texts.

This file defines their representation:

    undefined   UNDEFINED, a singleton         list   list
    null        None                           map    dict with str keys
    boolean     bool                           string str, or bytes when (and only when) it is not valid UTF-8
    integer     int, unbounded                 bits   Bits: 1 to 7 bits more than whole bytes, never leaves an
    expression float       float, never NaN or infinite

Strings and binaries are one type in the language. Valid UTF-8 is `str`, so that rows become JSON without conversion.
Other strings are `bytes`, so that nothing is lost. Each string has only one of the two forms, so equal strings are
equal Python values. `text_of` chooses the form, and `octets` gives the bytes. Rows, programs and the decoded payload
share values: nobody changes them.

This file does not know statements or functions.
"""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final, NoReturn

from pipeline.errors import TidegateError

Row = dict[str, Any]
Text = str | bytes

TEXT_DECIMALS: Final = 10
# Limits of the result of one operator or function. A chain of aliases that each double the last would fill any memory.
TEXT_LENGTH_MAX: Final = 16_777_216
INTEGER_BITS_MAX: Final = 1_000_000
_EXACT: Final = Context(prec=1100)


class BadValueError(TidegateError, code="BAD_REQUEST", fault="author"):
    """An operator or function cannot accept a value. `evaluate` converts this into an EvaluationError with the place."""


class TimeOverError(BadValueError):
    """A program of another language took longer than it may. The same value may pass on another day."""


class Undefined:
    """The type of UNDEFINED. It has one instance, also after copying and pickling."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "undefined"

    def __bool__(self) -> bool:
        return False

    def __copy__(self) -> Undefined:
        return self

    def __deepcopy__(self, memo: object) -> Undefined:
        return self

    def __reduce__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


class Bits:
    """A bit sequence whose length is not a multiple of 8. `value` holds the `size` bits, right-aligned."""

    __slots__ = ("size", "value")

    def __init__(self, value: int, size: int) -> None:
        self.value = value
        self.size = size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bits) and (self.value, self.size) == (other.value, other.size)

    def __hash__(self) -> int:
        return hash((self.value, self.size))

    def __repr__(self) -> str:
        return f"bits:{self.value:0{self.size}b}"


def text_of(octets: bytes) -> Text:
    """The language's string for these bytes."""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return bytes(octets)


def octets(text: Text) -> bytes:
    """The exact bytes of a string of the language."""
    return text.encode() if type(text) is str else text  # type: ignore[return-value]


def type_name(value: object) -> str:
    """The name of the type of `value` in the manual."""
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    return _TYPE_NAMES.get(type(value), "bits")


_TYPE_NAMES: Final = {
    bool: "boolean", int: "integer", float: "float", str: "string", bytes: "string", list: "list", dict: "map",
}  # fmt: skip


# The words for floats that the language does not have, where data of devices holds one. EMQX's decoder names them so.
NOT_FINITE: Final = {"nan": math.nan, "infinity": math.inf, "-infinity": -math.inf}


def shown(value: object, limit: int = 80) -> str:
    """`value` with its type for an error message, cut to `limit` characters."""
    if value is UNDEFINED or value is None:
        return type_name(value)
    try:
        text = repr(value.decode() if isinstance(value, bytes) else value)
    except UnicodeDecodeError:
        text = repr(value)
    except (RecursionError, ValueError):
        text = "…"
    return f"{type_name(value)} {text if len(text) <= limit else text[:limit] + '…'}"


def refuse(expected: str, value: object) -> NoReturn:
    raise BadValueError(f"expected {expected}, found {shown(value)}")


def float_text(value: float, decimals: int, *, compact: bool) -> str:
    """The decimal text of a float, as Erlang's float_to_binary writes it: half a unit is added in binary, and the
    rest is cut exactly.
    """
    magnitude = abs(value)
    rounded = Decimal(magnitude + 0.5 / 10**decimals if decimals < 19 and magnitude < 2**53 else magnitude)
    if decimals < 19 and magnitude < 2**53:
        digits = f"{rounded.quantize(Decimal(1).scaleb(-decimals), ROUND_DOWN, _EXACT):f}"
    else:
        digits = f"{magnitude:.{decimals}f}"
    if compact and decimals:
        whole, _, fraction = digits.partition(".")
        digits = f"{whole}.{fraction.rstrip('0') or '0'}"
    return "-" + digits if value < 0 else digits


def number_text(value: float) -> str:
    """The decimal text of a number. A float has one to ten decimals, and never an exponent."""
    if type(value) is int:
        try:
            return str(value)
        except ValueError:
            raise BadValueError("an integer of more than 4300 digits cannot become text") from None
    short = repr(value)
    # Below 2**16 the shortest text is also the exact one if it fits the decimals. This avoids exact arithmetic.
    if -65536.0 < value < 65536.0 and "e" not in short and len(short) - short.index(".") - 1 <= TEXT_DECIMALS:
        return short
    return float_text(value, TEXT_DECIMALS, compact=True)


def bounded_text(text: Text) -> Text:
    """`text`, which an operation made longer. Raises BadValueError if it is too long."""
    if len(text) > TEXT_LENGTH_MAX:
        raise BadValueError(f"the text would be longer than {TEXT_LENGTH_MAX}")
    return text


def bounded_integer(number: int) -> int:
    """`number`, which an operation made larger. Raises BadValueError if it is too large."""
    if number.bit_length() > INTEGER_BITS_MAX:
        raise BadValueError(f"the integer would have more than {INTEGER_BITS_MAX} bits")
    return number


def size_up_to(value: Any, limit: int) -> int:
    """About the size of a value in written form, in bytes. Stops counting after `limit`."""
    size, waiting = 0, [value]
    while waiting and size <= limit:
        value = waiting.pop()
        kind = type(value)
        size += 8
        if kind is str or kind is bytes:
            size += len(value)
        elif kind is int:
            size += value.bit_length() >> 3
        elif kind is dict:
            waiting += value.keys()
            waiting += value.values()
        elif kind is list:
            if len(value) * 8 > limit - size:
                return limit + 1
            waiting += value
    return size


def is_printable(items: list[Any]) -> bool:
    """Whether Erlang shows this list as text: Latin-1 character codes, with white space and escape."""
    return all(type(i) is int and (32 <= i <= 126 or 160 <= i <= 255 or 8 <= i <= 13 or i == 27) for i in items)
