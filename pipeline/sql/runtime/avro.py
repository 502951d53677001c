"""Avro's schemas as the language reads them: decimals are numbers. Values of other logical types stay numbers and strings.

Source: avro.apache.org/docs/1.11.1/specification, "Logical Types" and "Decimal".
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation
from importlib import import_module
from typing import Any, Final, NamedTuple

NUMBER: Final = "tidegate-number"  # our name for the logical type, so that the library's own decimals stay as they are
_PRECISION_MAX: Final = 1000  # digits; the work for one value grows faster than they do
_CONTEXT: Final = Context(prec=_PRECISION_MAX)


def prepare(library: Any, schema: Any) -> Any:
    """The schema for fastavro, `library`, which is told how it reads and writes numbers."""
    for kind in ("bytes", "fixed"):
        library.read.LOGICAL_READERS[f"{kind}-{NUMBER}"] = decode_number
        library.write.LOGICAL_WRITERS[f"{kind}-{NUMBER}"] = encode_number
    return _with_numbers(schema)


def _with_numbers(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_numbers(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _with_numbers(each) for key, each in schema.items() if key != "logicalType"}
    if schema.get("logicalType") == "decimal" and schema.get("type") in ("bytes", "fixed") and _digits(schema).is_valid:
        plain["logicalType"] = NUMBER
    return plain


def reader_of(library: Any, schema: Any) -> Callable[..., Any]:
    """The function of fastavro that reads a value of a schema.

    If a type is a part of itself, a device chooses how deep its value is. The compiled reader would overflow the stack of the
    process, so the one in Python reads such a schema, and raises RecursionError.
    """
    reader = import_module("fastavro._read_py") if _is_part_of_itself(schema, frozenset()) else library
    return reader.schemaless_reader  # type: ignore[no-any-return]


def _is_part_of_itself(schema: Any, around: frozenset[str]) -> bool:
    """Whether a schema names one of the types `around` it, or holds a type that does."""
    if isinstance(schema, str):
        return schema.rpartition(".")[2] in around
    if isinstance(schema, list):
        return any(_is_part_of_itself(each, around) for each in schema)
    inner = around | {schema["name"].rpartition(".")[2]} if "name" in schema else around
    parts = [field["type"] for field in schema.get("fields", ())]
    parts += [schema[key] for key in ("items", "values") if key in schema]
    return any(_is_part_of_itself(part, inner) for part in (schema["type"], *parts))


class _Digits(NamedTuple):
    """A decimal is an integer of at most `precision` digits, `scale` of them behind the point."""

    precision: Any
    scale: Any

    @property
    def is_valid(self) -> bool:
        """Whether it can be read. Avro says that a type which says otherwise is the bytes that it stands on."""
        whole = type(self.precision) is int and type(self.scale) is int
        return whole and 0 < self.precision <= _PRECISION_MAX and 0 <= self.scale <= self.precision


def _digits(schema: dict[str, Any]) -> _Digits:
    return _Digits(schema.get("precision"), schema.get("scale", 0))


def decode_number(data: bytes, schema: dict[str, Any], *_: Any) -> int | float:
    """An integer if the scale is 0, else the float that is nearest. Raises ValueError for more digits than the precision."""
    precision, scale = _digits(schema)
    if len(data) > precision:  # a byte holds more than two digits; what is longer is refused before it costs anything
        raise ValueError(f"expected at most {precision} digits, found {len(data)} bytes")
    unscaled = int.from_bytes(data, "big", signed=True)
    if abs(unscaled) >= 10**precision:
        raise ValueError(f"expected at most {precision} digits, found more")
    return unscaled / 10**scale if scale else unscaled


def encode_number(value: Any, schema: dict[str, Any], *_: Any) -> Any:
    """The bytes of a number. Raises ValueError if its digits do not fit.

    What is not a number stays what it is, and the library refuses it or takes another type of a union. It would take bytes.
    """
    if type(value) not in (int, float):
        return None if type(value) is bytes else value
    precision, scale = _digits(schema)
    try:
        unscaled = Decimal(str(value)).scaleb(scale, _CONTEXT)
    except InvalidOperation:
        raise ValueError(f"expected at most {precision} digits, found more") from None
    if unscaled != unscaled.to_integral_value() or abs(unscaled) >= 10**precision:
        raise ValueError(f"expected a number of {precision} digits, {scale} of them behind the point, found {value}")
    whole = int(unscaled)
    size = schema["size"] if schema["type"] == "fixed" else whole.bit_length() // 8 + 1
    try:
        return whole.to_bytes(size, "big", signed=True)
    except OverflowError:
        raise ValueError(f"expected a number of {size} bytes, found {value}") from None
