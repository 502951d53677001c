"""Columns that an Avro schema declares: the values of each, their form in a chunk, and their type in Arrow.

`fit` checks a value of a row and gives the value for the chunk's JSON line. It refuses a value that the column cannot hold.
`load` converts the value of the line into a value for Arrow. Values of a logical type may be numbers in the type's unit. For
dates and times, they may also be ISO 8601 texts.

Source: the Avro specification 1.11, sections "Schema Declaration" and "Logical Types".
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final

import pyarrow as pa

from pipeline.errors import ConfigError, EncodeError
from pipeline.extras import needed
from pipeline.formats.moments import DAYS, day, days, of_day, since_epoch, years
from pipeline.sql.runtime.values import UNDEFINED, octets, shown

Fit = Callable[[Any, str], Any]  # arguments: the value, and its place for the error
_UNSET: Final = object()
_FLOAT_MAX: Final = 3.4028234663852886e38
_DECIMAL_DIGITS_MAX: Final = 38  # of Spark, DuckDB, polars and Athena; Arrow could write more
_DECIMAL: Final = Context(prec=2 * _DECIMAL_DIGITS_MAX)
_NUMBER: Final = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)  # as every parser of decimals reads it


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True, slots=True)
class Column:
    """One column, or one level inside a column."""

    type: Any  # pyarrow has no types
    fit: Fit
    load: Callable[[Any], Any] = _same
    nullable: bool = False


def columns(source: str) -> Column:
    """The record that `source`, an Avro schema as JSON, declares. Raises ConfigError."""
    with needed("schemas", "a Parquet object with a schema"):
        import fastavro
    try:
        document = json.loads(source)
        fastavro.parse_schema(document)
    except Exception as error:
        raise ConfigError(f"the Avro schema is refused: {error}") from error
    if not isinstance(document, dict) or document.get("type") != "record":
        raise ConfigError(f"expected an Avro record schema, found {source.strip()[:80]}")
    return _Builder().column(document, "", "")


class _Builder:
    """Walks through a schema and remembers the named types that it has seen."""

    def __init__(self) -> None:
        self._named: dict[str, Column | None] = {}

    def column(self, schema: Any, path: str, namespace: str) -> Column:
        if isinstance(schema, list):
            return self._union(schema, path, namespace)
        if isinstance(schema, str):
            if schema in _SIMPLE:
                return _SIMPLE[schema]
            return self._known(schema, path, namespace)
        kind = schema["type"]
        if isinstance(kind, dict | list):
            return self.column(kind, path, namespace)
        logical = _logical(schema)
        if logical is not None and kind not in {"fixed"}:
            return logical
        if kind in {"record", "error", "enum", "fixed"}:
            return self._name(schema, path, namespace, logical)
        if kind == "array":
            return _array(self.column(schema["items"], f"{path}[]", namespace))
        if kind == "map":
            return _map(self.column(schema["values"], f"{path}.*", namespace))
        return self.column(kind, path, namespace)

    def _known(self, name: str, path: str, namespace: str) -> Column:
        full = name if "." in name or not namespace else f"{namespace}.{name}"
        found = self._named.get(full, self._named.get(name))
        if found is None:
            raise ConfigError(f"{path}: the type {name!r} is recursive, which a column cannot be")
        return found

    def _union(self, schema: list[Any], path: str, namespace: str) -> Column:
        others = [each for each in schema if each != "null"]
        if len(others) != 1:
            raise ConfigError(f"{path}: expected a union of null and one type, found {json.dumps(schema)[:80]}")
        inner = self.column(others[0], path, namespace)
        return inner if len(others) == len(schema) else _nullable(inner)

    def _name(self, schema: Mapping[str, Any], path: str, namespace: str, logical: Column | None) -> Column:
        name = schema["name"]
        space = schema.get("namespace", name.rpartition(".")[0] or namespace)
        full = name if "." in name or not space else f"{space}.{name}"
        self._named[full] = None
        if logical is not None:
            made = logical
        elif schema["type"] == "enum":
            made = _enum(schema["symbols"])
        elif schema["type"] == "fixed":
            made = _bytes(schema["size"])
        else:
            made = self._record(schema, path, space)
        self._named[full] = made
        return made

    def _record(self, schema: Mapping[str, Any], path: str, namespace: str) -> Column:
        fields: list[tuple[str, Column, Any]] = []
        if not schema["fields"]:
            raise ConfigError(f"{path or 'the record'}: expected a record with fields, found none")
        for field in schema["fields"]:
            inner = self.column(field["type"], f"{path}.{field['name']}".lstrip("."), namespace)
            fields.append((field["name"], inner, _default(field, inner, path)))
        return _struct(fields)


def _default(field: Mapping[str, Any], column: Column, path: str) -> Any:
    """The default of a missing field, in the form for the chunk."""
    if "default" not in field:
        return None if column.nullable else _UNSET
    default = field["default"]
    if isinstance(default, str) and pa.types.is_binary(column.type):
        default = default.encode("latin-1")  # Avro writes bytes in JSON this way
    try:
        return column.fit(default, f"{path}.{field['name']}".lstrip("."))
    except EncodeError as error:
        raise ConfigError(f"the default value of a field is not of its type: {error}") from None


def _refuse(path: str, expected: str, value: Any) -> EncodeError:
    return EncodeError(f"column {path}: expected {expected}, found {shown(value)}")


# --- Compound types


def _nullable(inner: Column) -> Column:
    def fit(value: Any, path: str) -> Any:
        return None if value is None or value is UNDEFINED else inner.fit(value, path)

    def load(value: Any) -> Any:
        return None if value is None else inner.load(value)

    return Column(inner.type, fit, inner.load if inner.load is _same else load, nullable=True)


def _struct(fields: list[tuple[str, Column, Any]]) -> Column:
    def fit(value: Any, path: str) -> Any:
        if type(value) is not dict:
            raise _refuse(path, "a map", value)
        fitted = {}
        for name, column, default in fields:
            found = value.get(name, _UNSET)
            if found is _UNSET or (found is UNDEFINED and default is not _UNSET):
                if default is _UNSET:
                    there = ", ".join(value) or "none"
                    where = f"{path}.{name}" if path else name
                    raise EncodeError(f"column {where}: required, and not in the row, whose fields are: {there}")
                fitted[name] = default
            else:
                fitted[name] = column.fit(found, f"{path}.{name}" if path else name)
        return fitted

    loaders = [(name, column.load) for name, column, _ in fields if column.load is not _same]

    def load(value: dict[str, Any]) -> dict[str, Any]:
        for name, convert in loaders:
            value[name] = convert(value[name])
        return value

    arrow = pa.struct([pa.field(name, column.type, nullable=column.nullable) for name, column, _ in fields])
    return Column(arrow, fit, load if loaders else _same)


def _array(inner: Column) -> Column:
    def fit(value: Any, path: str) -> Any:
        if type(value) is not list:
            raise _refuse(path, "a list", value)
        return [inner.fit(each, f"{path}[{number}]") for number, each in enumerate(value, 1)]

    def load(value: list[Any]) -> list[Any]:
        return [inner.load(each) for each in value]

    arrow = pa.list_(pa.field("element", inner.type, nullable=inner.nullable))
    return Column(arrow, fit, _same if inner.load is _same else load)


def _map(inner: Column) -> Column:
    def fit(value: Any, path: str) -> Any:
        if type(value) is not dict:
            raise _refuse(path, "a map", value)
        return {name: inner.fit(each, f"{path}.{name}") for name, each in value.items()}

    def load(value: dict[str, Any]) -> list[tuple[str, Any]]:
        return [(name, inner.load(each)) for name, each in value.items()]

    return Column(pa.map_(pa.string(), pa.field("value", inner.type, nullable=inner.nullable)), fit, load)


# --- Single values


def _boolean(value: Any, path: str) -> Any:
    if type(value) is not bool:
        raise _refuse(path, "a boolean", value)
    return value


def _integer(bits: int) -> Fit:
    limit = 1 << (bits - 1)

    def fit(value: Any, path: str) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not -limit <= value < limit:
            raise _refuse(path, f"an integer of {bits} bits", value)
        return value

    return fit


def _floating(form: str, limit: float, what: str) -> Fit:
    """Floats as near as the column has them, and integers exactly: nobody who reads an integer expects it to be rounded."""
    written = struct.Struct(form)

    def fit(value: Any, path: str) -> Any:
        kind = type(value)
        if (kind is not float and kind is not int) or not -limit <= value <= limit:
            raise _refuse(path, what, value)
        if kind is int and written.unpack(written.pack(value))[0] != value:
            raise _refuse(path, f"{what} that holds the integer exactly", value)
        return float(value)

    return fit


def _string(value: Any, path: str) -> Any:
    if type(value) is not str:
        raise _refuse(path, "a string in UTF-8", value)
    return value


def _bytes(size: int = -1) -> Column:
    what = "a string" if size < 0 else f"{size} bytes"

    def fit(value: Any, path: str) -> Any:
        if type(value) is not str and type(value) is not bytes:
            raise _refuse(path, what, value)
        content = octets(value)
        if size >= 0 and len(content) != size:
            raise _refuse(path, what, value)
        return base64.b64encode(content).decode()

    # Of any size in Arrow, too: pandas cannot read a list of binaries of one size.
    return Column(pa.binary(), fit, base64.b64decode)


def _enum(symbols: list[str]) -> Column:
    known = frozenset(symbols)

    def fit(value: Any, path: str) -> Any:
        if type(value) is not str or value not in known:
            raise _refuse(path, f"one of {', '.join(symbols)}", value)
        return value

    return Column(pa.string(), fit)


def _null(value: Any, path: str) -> Any:
    if value is not None and value is not UNDEFINED:
        raise _refuse(path, "null", value)
    return None


_SIMPLE: Final[Mapping[str, Column]] = {
    "null": Column(pa.null(), _null, nullable=True),
    "boolean": Column(pa.bool_(), _boolean),
    "int": Column(pa.int32(), _integer(32)),
    "long": Column(pa.int64(), _integer(64)),
    "float": Column(pa.float32(), _floating("f", _FLOAT_MAX, "a number of 32 bits")),
    "double": Column(pa.float64(), _floating("d", 1.7976931348623157e308, "a number")),
    "bytes": _bytes(),
    "string": Column(pa.string(), _string),
}


# --- Logical types


def _moment(parse: Callable[[str], int], within: range, what: str) -> Fit:
    """Text, or its number in the unit of the column. Readers refuse the whole object for a number outside of the range."""

    def fit(value: Any, path: str) -> Any:
        number = value
        if type(number) is str:
            try:
                number = parse(number)
            except ValueError:
                raise _refuse(path, what, value) from None
        if type(number) is float and number.is_integer():
            number = int(number)
        if type(number) is not int or number not in within:
            raise _refuse(path, f"{what}, or its number from {within.start} to {within.stop - 1}", value)
        return number

    return fit


def _logical(schema: Mapping[str, Any]) -> Column | None:
    """The column of a logical type, or None for an unknown type, because Avro says that readers ignore it."""
    name, kind = schema.get("logicalType"), schema["type"]
    if name == "decimal" and kind in {"bytes", "fixed"}:
        return _decimal(schema["precision"], schema.get("scale", 0))
    return _LOGICAL.get((name, kind))


def _decimal(precision: int, scale: int) -> Column:
    if not 1 <= precision <= _DECIMAL_DIGITS_MAX or not 0 <= scale <= precision:
        raise ConfigError(
            f"expected a decimal of 1 to {_DECIMAL_DIGITS_MAX} digits, which all readers know, found precision {precision},"
            f" scale {scale}"
        )
    step = Decimal(1).scaleb(-scale)
    what = f"a number of {precision} digits, {scale} of them decimals"

    def fit(value: Any, path: str) -> Any:
        if type(value) not in (int, float) and not (type(value) is str and _NUMBER.fullmatch(value)):
            raise _refuse(path, what, value)
        try:
            number = Decimal(repr(value) if type(value) is float else value)
            exact = number.quantize(step, context=_DECIMAL)
        except InvalidOperation:  # not a number, or more digits than any column has
            raise _refuse(path, what, value) from None
        if exact != number or len(exact.as_tuple().digits) > precision:
            raise _refuse(path, what, value)
        return str(exact)

    return Column(pa.decimal128(precision, scale), fit, Decimal)


_ISO: Final = "an ISO 8601"


_LOGICAL: Final[Mapping[tuple[Any, str], Column]] = {
    ("date", "int"): Column(pa.date32(), _moment(days, DAYS, f"{_ISO} date")),
    ("time-millis", "int"): Column(pa.time32("ms"), _moment(of_day(1000), day(1000), f"{_ISO} time")),
    ("time-micros", "long"): Column(pa.time64("us"), _moment(of_day(10**6), day(10**6), f"{_ISO} time")),
    **{
        (f"{prefix}timestamp-{unit}", "long"): Column(
            pa.timestamp(short, tz=None if prefix else "UTC"),
            _moment(
                since_epoch(per_second, local=bool(prefix)),
                years(per_second),
                f"{_ISO} time {'without' if prefix else 'with'} a zone",
            ),
        )
        for prefix in ("", "local-")
        for unit, short, per_second in (("millis", "ms", 1000), ("micros", "us", 10**6), ("nanos", "ns", 10**9))
    },
    ("uuid", "string"): _SIMPLE["string"],
}
