"""Reads and writes JSON, and gives the text of any value.

Decoding accepts exactly one value with white space around it. It keeps integers of any length, and of a duplicate key it keeps
the last value. Encoding is compact UTF-8, and `undefined` becomes the string "undefined". JSON cannot hold bytes that are not
UTF-8: they become U+FFFD, as in the original dialect. Lines of stored rows are stricter: undefined is null, and such bytes are
refused.

Source: the dialect's data model; RFC 8259.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
import orjson

from pipeline.errors import EncodeError
from pipeline.sql.runtime.values import (
    TEXT_LENGTH_MAX,
    UNDEFINED,
    BadValueError,
    Text,
    is_printable,
    number_text,
    octets,
    refuse,
    shown,
    text_of,
)

# Floats between these have no exponent in the language's JSON.
_DECIMAL_MIN: Final = 1e-6
_DECIMAL_END: Final = 1e21
_INT64: Final = range(-(1 << 63), 1 << 64)  # what the library writes as it is
# Our own limits, because those of the libraries depend on the Python and on the depth of the stack. The manual names
# both.
READ_LEVELS_MAX: Final = 1024
WRITTEN_LEVELS_MAX: Final = 254
DEEP_BYTES_MIN: Final = 2 * READ_LEVELS_MAX  # a text that is not longer cannot nest too deeply
FEW: Final = 16  # brackets of a kind that are looked for before they are counted

_decode = msgspec.json.Decoder().decode
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_LINE_OPTIONS = _OPTIONS | orjson.OPT_APPEND_NEWLINE


class NotJsonError(BadValueError):
    """A text is not JSON."""


def from_json(text: Text) -> Any:
    """The value of the JSON in `text`. Raises NotJsonError, also for nesting deeper than 1,024 levels."""
    if len(text) > DEEP_BYTES_MIN and may_be_deep(text):
        _check_depth(text)
    try:
        return _decode(text)
    except RecursionError:
        return _from_deep_json(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJsonError(f"not JSON: {error}; the text is {shown(text)}") from None


def may_be_deep(text: Text) -> bool:
    """Whether the text has enough brackets to nest too deeply.

    Most texts have few, and `find` goes from one to the next twenty times as fast as `count` counts.
    """
    brackets: tuple[Any, Any] = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    if all(_has_few(text, each) for each in brackets):
        return False
    return sum(map(text.count, brackets)) > READ_LEVELS_MAX


def _has_few(text: Text, bracket: Any) -> bool:
    at = -1
    for _ in range(FEW):
        at = text.find(bracket, at + 1)
        if at < 0:
            return True
    return False


def _check_depth(text: Text) -> None:
    """Raise NotJsonError for nesting deeper than 1,024 levels, which is orjson's limit. msgspec reports other faults."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error) or "recursion limit" in str(error):
            raise NotJsonError(f"not JSON: it nests deeper than {READ_LEVELS_MAX:,} levels") from None


def _from_deep_json(text: Text) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJsonError(f"not JSON: {error}") from None


def to_json(value: Any) -> bytes:
    """The value as compact JSON. Raises EncodeError for nesting beyond 254 levels.

    Floats from 1e-6 to below 1e21 have no exponent, and -0.0 has no sign, as in EMQX's JSON.
    """
    try:
        text = orjson.dumps(value, _default, _OPTIONS)
    except TypeError:
        return _to_wide_json(value, _default, _decimal)
    if b"e+" in text or b"e-" in text or b"-0.0" in text:  # perhaps a float, perhaps text
        return orjson.dumps(_rewritten(value, _decimal), _default, _OPTIONS)
    return text


def _decimal(value: float) -> Any:
    """A float without an exponent if the language's JSON has none there."""
    if value == 0.0:
        return 0.0
    short = repr(value)
    if "e" not in short or not _DECIMAL_MIN <= abs(value) < _DECIMAL_END:
        return value
    digits = f"{Decimal(short):f}"
    return orjson.Fragment(digits if "." in digits else f"{digits}.0")


def _rewritten(value: Any, number: Callable[[float], Any]) -> Any:
    """The value with its floats replaced by `number`, and with integers of any size in a form that the library takes."""
    kind = type(value)
    if kind is float:
        return number(value)
    if kind is int:
        return value if value in _INT64 else orjson.Fragment(str(value))
    if kind is list:
        return [_rewritten(each, number) for each in value]
    if kind is dict:
        return {key: _rewritten(each, number) for key, each in value.items()}
    return value


def to_json_line(value: Any) -> bytes:
    """The value as compact JSON with a line break, for stored rows: undefined becomes null, and no other value changes.

    Raises EncodeError for bytes that are not UTF-8, and for nesting beyond 254 levels.
    """
    try:
        return orjson.dumps(value, _stored_default, _LINE_OPTIONS)
    except TypeError as error:
        if isinstance(error.__cause__, EncodeError):
            raise error.__cause__ from None
        return _to_wide_json(value, _stored_default, float) + b"\n"


def _to_wide_json(value: Any, default: Callable[[Any], Any], number: Callable[[float], Any]) -> bytes:
    """JSON with integers beyond 64 bits, which is slower."""
    if _nests_deeply(value):
        raise EncodeError(f"the row cannot become JSON: it nests deeper than {WRITTEN_LEVELS_MAX} levels")
    try:
        return orjson.dumps(_rewritten(value, number), default, _OPTIONS)
    except (RecursionError, ValueError, TypeError) as error:
        if isinstance(error.__cause__, EncodeError):
            raise error.__cause__ from None
        raise EncodeError(f"the row cannot become JSON: {error}") from None


def _nests_deeply(value: Any) -> bool:
    """Whether a value nests beyond 254 levels. Goes level by level, so it needs no deep stack itself."""
    level = [value]
    for _ in range(WRITTEN_LEVELS_MAX):
        level = [inner for each in level for inner in _inside(each)]
    return any(isinstance(each, dict | list) for each in level)


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _default(value: Any) -> Any:
    if value is UNDEFINED:
        return "undefined"
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"{shown(value)} has no JSON form")


def _stored_default(value: Any) -> Any:
    if value is UNDEFINED:
        return None
    if isinstance(value, bytes):
        raise EncodeError(f"bytes that are not UTF-8 have no JSON form: {shown(value)}")
    raise TypeError(f"{shown(value)} has no JSON form")


# The usual case of `to_json_line` as code, for a loop that must not spend a call on it. It raises TypeError in the others.
# The library gives each text a page of memory as long as it lives, so whoever uses this must not keep many of them.
LINE_CODE: Final[tuple[str, Mapping[str, Any]]] = (
    "dumps(row, stored_default, OPTIONS)",
    {"dumps": orjson.dumps, "stored_default": _stored_default, "OPTIONS": _LINE_OPTIONS},
)


def to_text(value: Any) -> Text:
    """The text of any value, as in `str()` and templates."""
    kind = type(value)
    if kind is str or kind is bytes:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return number_text(value)
    if value is UNDEFINED:
        return "undefined"
    if value is None:
        return "null"
    if kind is list:
        return text_of(bytes(value)) if is_printable(value) else to_json(value).decode()
    if kind is dict:
        return to_json(value).decode()
    return refuse("a value that has a text", value)


def concat(left: Any, right: Any) -> Text:
    """Both values as joined text. The bytes are checked again, because two halves of one character may meet."""
    left, right = to_text(left), to_text(right)
    if len(left) + len(right) > TEXT_LENGTH_MAX:
        raise BadValueError(f"the text would be longer than {TEXT_LENGTH_MAX}")
    if type(left) is str and type(right) is str:
        return left + right
    return text_of(octets(left) + octets(right))


def join(parts: list[Text], separator: Text) -> Text:
    """The strings joined with a separator. Bytes stay exact. Raises BadValueError for more than text may have."""
    size = len(separator) * len(parts) + sum(map(len, parts))
    if size > TEXT_LENGTH_MAX + len(separator):
        raise BadValueError(f"the text would be longer than {TEXT_LENGTH_MAX}")
    if type(separator) is str and all(type(part) is str for part in parts):
        return separator.join(parts)  # type: ignore[arg-type]
    return text_of(octets(separator).join(octets(part) for part in parts))
