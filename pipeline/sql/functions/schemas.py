"""Registered schemas: encode, decode and check values with JSON Schema, Avro or Protobuf.

The configuration registers schemas by name. Sparkplug B is built in.
"""

from __future__ import annotations

import base64
import functools
from typing import Any, Final

from pipeline.record import METRICS
from pipeline.sql.functions.registry import as_binary, function
from pipeline.sql.functions.sparkplug import PROTO
from pipeline.sql.runtime import schemas
from pipeline.sql.runtime.event import Context, Event
from pipeline.sql.runtime.jsontext import from_json
from pipeline.sql.runtime.values import BadValueError, Text, octets, refuse, text_of


def _schema(context: Context, name: Text) -> schemas.RegisteredSchema:
    found: schemas.RegisteredSchema | None = context.schemas.get(str(name))
    if found is None:
        raise BadValueError(f"there is no schema {name!r}")
    return found


def _kind(value: Any) -> str | None:
    return None if value is None else str(as_binary(value))


@function(
    "schema_encode(schema: binary, value: any[, type: any]) -> string",
    example=("schema_encode('point', map('{\"x\":1}'))", "'{\"x\":1}'"),
    reads="context",
)
def schema_encode(context: Context, schema: Text, value: Any, type_: Any = None) -> Text:
    """A value as bytes: JSON text, Avro binary, or a Protobuf message of the given type. Raises if the value does not
    fit the schema.
    """
    return text_of(_schema(context, schema).encode(value, _kind(type_)))


@function(
    "schema_decode(schema: binary, data: binary[, type: any]) -> any",
    example=("schema_decode('point', '{\"x\":1}')", "json_decode('{\"x\":1}')"),
    reads="context",
    unpacks=True,
)
def schema_decode(context: Context, schema: Text, data: Text, type_: Any = None) -> Any:
    """The value of such bytes. Raises if the bytes do not fit the schema.

    Protobuf: a field of proto3 that was not sent has its default (0, '', false, the first name of an enum, an empty list or
    map). Sub-messages, members of a oneof and `optional` fields that were not sent are missing. Files of
    `google/protobuf/` can be imported. A group is a message in a field with its name in small letters. The keys of maps are text.

    Avro: a decimal is a number; other logical types are the numbers and strings that they stand on.

    A float that is not finite is the word 'nan', 'infinity' or '-infinity'. Protobuf is encoded with these words, too.
    """
    return _schema(context, schema).decode(octets(data), _kind(type_))


@function(
    "schema_check(schema: binary, value: any[, type: any]) -> boolean",
    example=("schema_check('point', '{\"x\":\"a\"}')", "false"),
    reads="context",
)
def schema_check(context: Context, schema: Text, value: Any, type_: Any = None) -> bool:
    """Whether a map can be encoded, or a string decoded. Raises for a schema that is not registered."""
    return schemas.check(_schema(context, schema), value, _kind(type_))


@functools.cache
def _sparkplug() -> schemas.RegisteredSchema:
    return schemas.build("protobuf", PROTO)


@function(
    "sparkplug_encode(value: any[, type: any]) -> string",
    example=("bin2hexstr(sparkplug_encode(map('{\"seq\":5}')))", "'1805'"),
)
def sparkplug_encode(value: Any, type_: Any = "Payload") -> Text:
    """A map as a Sparkplug B message. The default type is `Payload`. Raises if the map does not fit."""
    return text_of(_sparkplug().encode(value, _kind(type_)))


@function(
    "sparkplug_decode(data: binary[, type: any]) -> any",
    example=("sparkplug_decode(hexstr2bin('1805'))", "json_decode('{\"seq\":5}')"),
    unpacks=True,
)
def sparkplug_decode(data: Text, type_: Any = "Payload") -> Any:
    """The map of a Sparkplug B message. Raises for other data."""
    return _sparkplug().decode(octets(data), _kind(type_))


@function(
    "spb_encode(value: any[, type: any]) -> string", example=("bin2hexstr(spb_encode(map('{\"seq\":5}')))", "'1805'")
)
def spb_encode(value: Any, type_: Any = "Payload") -> Text:
    """The same as `sparkplug_encode()`, with `bytes_value` in Base64."""
    return text_of(_sparkplug().encode(_bytes_values(value, _from_base64), _kind(type_)))


@function(
    "spb_decode(data: binary[, type: any]) -> any",
    example=("spb_decode(hexstr2bin('1805'))", "json_decode('{\"seq\":5}')"),
    reads="event",
    unpacks=True,
)
def spb_decode(event: Event, data: Text, type_: Any = "Payload") -> Any:
    """The same as `sparkplug_decode()`, with `bytes_value` in Base64. A metric with an alias only gets the name and the
    type that it got at the birth of its device, if the source has `sparkplug_aliases`.
    """
    decoded = _bytes_values(_sparkplug().decode(octets(data), _kind(type_)), _to_base64)
    born = event.header(METRICS)
    if born and type(metrics := decoded.get("metrics")) is list:
        _name(metrics, _born(born))
    return decoded


# The most bytes of names that metrics of one message get. The ingress gives no more.
NAMES_BYTES_MAX: Final = 1 << 20


def _born(header: bytes) -> dict[str, tuple[str, int | None]]:
    """What the ingress knew of the aliases. Refuses what it does not write."""
    found: Any = from_json(header)
    whole = type(found) is dict and all(
        type(each) is list and len(each) == 2 and type(each[0]) is str and type(each[1]) in (int, type(None))
        for each in found.values()
    )
    if not whole:
        refuse("names of metrics in the record's header", found)
    born: dict[str, tuple[str, int | None]] = found
    return born


def _name(metrics: list[Any], born: dict[str, tuple[str, int | None]]) -> None:
    size_bytes = 0
    for at, metric in enumerate(metrics):
        named = born.get(str(metric.get("alias"))) if not metric.get("name") else None
        if named is None:
            continue
        name, datatype = named
        size_bytes += len(name)
        if size_bytes > NAMES_BYTES_MAX:
            return
        metrics[at] = {**metric, "name": name}
        if datatype is not None:
            metrics[at].setdefault("datatype", datatype)


def _bytes_values(value: Any, convert: Any) -> Any:
    if type(value) is dict:
        return {k: convert(v) if k == "bytes_value" else _bytes_values(v, convert) for k, v in value.items()}
    return [_bytes_values(item, convert) for item in value] if type(value) is list else value


def _to_base64(value: Any) -> str:
    return base64.b64encode(octets(as_binary(value))).decode()


def _from_base64(value: Any) -> Text:
    try:
        return text_of(base64.b64decode(octets(as_binary(value)), validate=True))
    except ValueError:
        refuse("Base64", value)


@function(
    "spb_zip_kvs(value: any) -> any",
    examples=(
        ('spb_zip_kvs(map(\'{"keys":["a"],"values":[1]}\'))', "json_decode('{\"a\":1}')"),
        (
            'spb_zip_kvs(map(\'{"columns":["a","b"],"rows":[{"elements":[1,2]}]}\'))',
            'json_decode(\'{"columns":["a","b"],"rows":[{"a":1,"b":2}]}\')',
        ),
    ),
)
def spb_zip_kvs(value: Any) -> Any:
    """A decoded Sparkplug B message in a simpler form. At any depth, each property set (`keys` and `values`) becomes
    a map of its keys, and each row of a data set becomes a map of the columns. Other values stay unchanged.
    """
    if type(value) is list:
        return [spb_zip_kvs(item) for item in value]
    if type(value) is not dict:
        return value
    keys, values = value.get("keys"), value.get("values")
    if type(keys) is list and type(values) is list:
        return {str(key): spb_zip_kvs(item) for key, item in zip(keys, values, strict=False)}
    zipped = {key: spb_zip_kvs(item) for key, item in value.items()}
    columns, rows = value.get("columns"), value.get("rows")
    if type(columns) is list and type(rows) is list:
        zipped["rows"] = [_zipped_row(columns, row) for row in rows]
    return zipped


def _zipped_row(columns: list[Any], row: Any) -> Any:
    elements = row.get("elements") if type(row) is dict else None
    return dict(zip(map(str, columns), elements, strict=False)) if type(elements) is list else row
