"""The values of the language and how each becomes text.

Representation, decided here once:

    undefined   UNDEFINED, a singleton         list   list
    null        None                           map    dict with str keys
    boolean     bool                           string str, or bytes when (and only when) it is not valid UTF-8
    integer     int, unbounded                 bits   Bits: 1 to 7 bits more than whole bytes, never leaves an
    expression float       float, never NaN or infinite

Strings and binaries are one type in the language. Keeping valid UTF-8 as `str` lets rows go to JSON as they are;
keeping the rest as `bytes` loses nothing; and because the choice is canonical, equal strings are equal Python values.
`text_of` makes the choice, `octets` goes back. Values are shared between rows, programs and the decoded payload:
nobody mutates them.

This file knows nothing of statements or functions.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final, NoReturn

from pipeline.errors import TidegateError

Row = dict[str, Any]
Text = str | bytes

TEXT_DECIMALS: Final = 10
# What one operator or function may make. A chain of aliases that each double the last would fill any memory.
TEXT_LENGTH_MAX: Final = 16_777_216
INTEGER_BITS_MAX: Final = 1_000_000
_EXACT: Final = Context(prec=1100)


class BadValueError(TidegateError, code="BAD_REQUEST", fault="author"):
    """A value that an operator or function cannot take; `evaluate` turns it into an EvaluationError with the place."""


class Undefined:
    """The type of UNDEFINED. There is one instance, also after copying and pickling."""

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
    """What the manual calls the type of `value`."""
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    return _TYPE_NAMES.get(type(value), "bits")


_TYPE_NAMES: Final = {
    bool: "boolean", int: "integer", float: "float", str: "string", bytes: "string", list: "list", dict: "map",
}  # fmt: skip


def shown(value: object, limit: int = 80) -> str:
    """`value` with its type for an error message, cut to `limit` characters."""
    if value is UNDEFINED or value is None:
        return type_name(value)
    try:
        text = repr(value)
    except (RecursionError, ValueError):
        text = "…"
    return f"{type_name(value)} {text if len(text) <= limit else text[:limit] + '…'}"


def refuse(expected: str, value: object) -> NoReturn:
    raise BadValueError(f"expected {expected}, found {shown(value)}")


def float_text(value: float, decimals: int, *, compact: bool) -> str:
    """Decimal text of a float as Erlang's float_to_binary writes it: half a unit is added in binary, then cut
    exactly."""
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
    """An integer in decimal; a float with up to ten decimals, at least one, and never an exponent."""
    if type(value) is int:
        try:
            return str(value)
        except ValueError:
            raise BadValueError("an integer of more than 4300 digits cannot become text") from None
    short = repr(value)
    # Below 2**16 the shortest text is also the cut one, as long as it fits the decimals: skips exact arithmetic.
    if -65536.0 < value < 65536.0 and "e" not in short and len(short) - short.index(".") - 1 <= TEXT_DECIMALS:
        return short
    return float_text(value, TEXT_DECIMALS, compact=True)


def bounded_text(text: Text) -> Text:
    """Text that was made larger, unless it is too large."""
    if len(text) > TEXT_LENGTH_MAX:
        raise BadValueError(f"the text would be longer than {TEXT_LENGTH_MAX}")
    return text


def bounded_integer(number: int) -> int:
    """An integer that was made larger, unless it is too large."""
    if number.bit_length() > INTEGER_BITS_MAX:
        raise BadValueError(f"the integer would have more than {INTEGER_BITS_MAX} bits")
    return number


def is_larger(value: Any, limit: int) -> bool:
    """Whether a value, written out, takes more than about `limit` bytes. Looks at no more of it than that."""
    left, waiting = limit, [value]
    while waiting and left >= 0:
        value = waiting.pop()
        left -= 8 + (len(value) if type(value) in (str, bytes) else 0)
        if type(value) is dict:
            waiting += value.keys()
            waiting += value.values()
        elif type(value) is list:
            if len(value) > left:
                return True
            waiting += value
    return left < 0


def is_printable(items: list[Any]) -> bool:
    """Whether Erlang would show this list as text: Latin-1 character codes, white space and escape included."""
    return all(type(i) is int and (32 <= i <= 126 or 160 <= i <= 255 or 8 <= i <= 13 or i == 27) for i in items)
