"""Registered schemas: JSON Schema, Avro and Protobuf, with the same three verbs.

A schema is built once and kept in a Context, where programs find it by its name. Each kind needs its own library, which is
imported when the first schema of that kind is built (the extra `schemas` has these libraries). Nothing is fetched: a reference
to another document is refused.

Sources: json-schema.org/draft/2020-12, avro.apache.org/docs/1.11.1/specification, protobuf.dev/programming-guides.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from pipeline.errors import ConfigError, SchemaSyntaxError
from pipeline.extras import needed
from pipeline.sql.runtime.jsontext import from_json, to_json
from pipeline.sql.runtime.values import BadValueError, octets, refuse, text_of


class SchemaText(NamedTuple):
    """A schema in the form of the configuration."""

    type: str  # json, avro or protobuf
    source: str


class RegisteredSchema(Protocol):
    """A registered schema. `kind` names a message type if the schema has several. All verbs raise BadValueError."""

    def encode(self, value: Any, kind: str | None) -> bytes: ...

    def decode(self, data: bytes, kind: str | None) -> Any: ...


def build(type_name: str, source: str) -> RegisteredSchema:
    """Build a schema of a type (`json`, `avro` or `protobuf`) from its source text. Raises ConfigError."""
    make = KINDS.get(type_name)
    if make is None:
        raise ConfigError(f"expected a schema of type {', '.join(KINDS)}, found {type_name!r}")
    try:
        with needed("schemas", f"a schema of type {type_name}"):
            return make(source)
    except ConfigError:
        raise
    except json.JSONDecodeError as error:
        place = SchemaSyntaxError(f"not JSON: {error.msg}", line=error.lineno, column=error.colno)
        raise ConfigError(f"the {type_name} schema is refused: {place}", where="source") from place
    except Exception as error:
        raise ConfigError(f"the {type_name} schema is refused: {error}", where="source") from error


class JsonSchema:
    """JSON that satisfies a schema. Patterns are matched in linear time. The schema may refer only to its own parts."""

    def __init__(self, source: str) -> None:
        import jsonschema_rs

        json.loads(source)  # its errors have a place
        linear = jsonschema_rs.RegexOptions()
        try:
            self._validator = jsonschema_rs.validator_for(source, pattern_options=linear, retriever=_elsewhere)
        except jsonschema_rs.ValidationError as error:
            raise ValueError(error.message) from None

    def encode(self, value: Any, kind: str | None) -> bytes:
        return to_json(self._checked(value))

    def decode(self, data: bytes, kind: str | None) -> Any:
        return self._checked(from_json(data))

    def _checked(self, value: Any) -> Any:
        try:
            first = next(self._validator.iter_errors(value), None)
        except Exception as error:
            raise BadValueError(f"the schema cannot be applied: {error}") from None
        if first is not None:
            path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first.instance_path)
            raise BadValueError(f"${path}: {first.message[:200]}")
        return value


def _elsewhere(uri: str) -> Any:
    """Refuse a reference to another schema. It is not fetched, neither from the network nor from files."""
    raise ValueError(f"it refers to {uri}, which is not in it; nothing is fetched")


class AvroSchema:
    """Avro's binary encoding without a container. Decimals are numbers; other logical types stay as they are."""

    def __init__(self, source: str) -> None:
        import fastavro
        import fastavro.schema

        from pipeline.sql.runtime.avro import prepare, reader_of

        self._avro: Any = fastavro
        document = json.loads(source)
        if not isinstance(document, dict | list | str):
            raise ValueError("expected an object, a list or the name of a type")
        plain = prepare(fastavro, document)
        try:
            self._schema: Any = fastavro.schema.parse_schema(plain)
        except fastavro.schema.UnknownType as error:
            raise ValueError(f"there is no type {error.name!r}") from None
        _weigh(plain, {})
        self._read = reader_of(fastavro, plain)

    def encode(self, value: Any, kind: str | None) -> bytes:
        out = io.BytesIO()
        for candidate in (value, _as_bytes(value)):
            out.seek(0)
            out.truncate()
            try:
                self._avro.schemaless_writer(out, self._schema, candidate, strict_allow_default=True)
                return out.getvalue()
            except Exception as error:
                reason = error
        raise BadValueError(f"the value does not fit the Avro schema: {reason}")

    def decode(self, data: bytes, kind: str | None) -> Any:
        source = io.BytesIO(data)
        try:
            value = self._read(source, self._schema, None)
        except RecursionError:
            raise BadValueError("the value is nested too deeply") from None
        except Exception as error:
            raise BadValueError(f"the data does not fit the Avro schema: {error}") from None
        if source.tell() != len(data):
            raise BadValueError("something follows the Avro value")
        return as_row_value(value)


def _weigh(schema: Any, known: dict[str, bool]) -> bool:
    """Whether each value of a schema takes at least one byte. Raises ValueError for an array whose items may take no
    byte.

    A few bytes could announce billions of such items, and each would be made. `known`: the named types so far.
    """
    if isinstance(schema, str):
        return known.get(schema.rpartition(".")[2], schema != "null")
    if isinstance(schema, list):  # a union takes a byte for the number of its type
        for each in schema:
            _weigh(each, known)
        return True
    name = schema.get("name", "").rpartition(".")[2]
    match schema["type"]:
        case "array":
            if not _weigh(schema["items"], known):
                raise ValueError("an array's items must take a byte each, at least; these take none")
            return True
        case "map":
            _weigh(schema["values"], known)
            return True
        case "record":
            known[name] = True  # for a recursive record, whose inner record is in a union, array or map
            weights = [_weigh(each["type"], known) for each in schema["fields"]]
            known[name] = any(weights)
            return known[name]
        case "fixed":
            known[name] = schema["size"] > 0
            return known[name]
        case "enum":
            return True
        case inner:
            return _weigh(inner, known)


def _as_bytes(value: Any) -> Any:
    """A value with all strings as bytes, for schemas whose strings are binary."""
    if isinstance(value, dict):
        return {key: _as_bytes(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_as_bytes(inner) for inner in value]
    return octets(value) if isinstance(value, str) else value


class ProtobufSchema:
    """The messages of one .proto text. `kind` names a message, with dots for nested ones, with or without the package."""

    def __init__(self, source: str) -> None:
        from google.protobuf import descriptor_pool, message_factory

        from pipeline.sql.runtime.protobuf import add_to

        pool = descriptor_pool.DescriptorPool()
        described = add_to(pool, source)
        self._package = f"{described.package}." if described.package else ""
        self._message: Callable[[str], Any] = lambda name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(self._package + name.removeprefix(self._package))
        )

    def encode(self, value: Any, kind: str | None) -> bytes:
        from google.protobuf.message import EncodeError

        from pipeline.sql.runtime.protobuf import fill

        message = self._new(kind)
        if type(value) is not dict:
            refuse("a map", value)
        try:
            fill(message, value)
            return bytes(message.SerializeToString(deterministic=True))
        except (TypeError, ValueError, KeyError, AttributeError, EncodeError) as error:
            raise BadValueError(f"the value does not fit the message {kind}: {error}") from None

    def decode(self, data: bytes, kind: str | None) -> Any:
        from google.protobuf.message import DecodeError

        from pipeline.sql.runtime.protobuf import as_map

        message = self._new(kind)
        try:
            message.ParseFromString(data)
        except DecodeError as error:
            raise BadValueError(f"the data is not a message {kind}: {error}") from None
        return as_row_value(as_map(message))

    def _new(self, kind: str | None) -> Any:
        try:
            return self._message(kind or "")()
        except KeyError:
            raise BadValueError(f"the schema has no message {kind!r}") from None


def as_row_value(value: Any) -> Any:
    """A value with bytes in the language's form, at every level. A float that is not finite becomes a word."""
    if isinstance(value, dict):
        return {str(key): as_row_value(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_row_value(inner) for inner in value]
    if isinstance(value, bytes):
        return text_of(value)
    if isinstance(value, float) and value - value != 0.0:
        return "nan" if value != value else "infinity" if value > 0 else "-infinity"  # the words of NOT_FINITE
    return value


def check(schema: RegisteredSchema, data: Any, kind: str | None) -> bool:
    """Whether a map can be encoded, or data decoded."""
    try:
        if type(data) is str or type(data) is bytes:
            schema.decode(octets(data), kind)
        else:
            schema.encode(data, kind)
    except BadValueError:
        return False
    return True


KINDS: Final[dict[str, Callable[[str], RegisteredSchema]]] = {
    "json": JsonSchema,
    "avro": AvroSchema,
    "protobuf": ProtobufSchema,
}
