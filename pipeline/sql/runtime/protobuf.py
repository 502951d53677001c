"""Protobuf messages as values of the language, from the text of a .proto file.

`file_descriptor` makes the descriptor for Google's library from the text, so no compiler is needed. The ingress also
reads EMQX's ExHook with it. `fill` and `as_map` convert between messages and maps. Enums become their names, and bytes
become strings. `undefined` sets nothing. A field of proto3 that was not sent has its default. Sub-messages, members of a
oneof, `optional` fields and fields of proto2 that were not sent are left out. The well-known types of Google can be
imported. Imports of other files are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from antlr4.error.ErrorListener import ErrorListener
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FieldDescriptor
from proto_schema_parser import ast
from proto_schema_parser.parser import Parser

from pipeline.errors import SchemaSyntaxError
from pipeline.sql.runtime.values import NOT_FINITE, UNDEFINED, BadValueError, octets, shown

# Of one message and those in it. A payload of 1 MB has fewer, unless nearly all of them are defaults.
FIELDS_MAX: Final = 1_000_000
_FIELD: Final = descriptor_pb2.FieldDescriptorProto
_FLOATS: Final = (_FIELD.TYPE_DOUBLE, _FIELD.TYPE_FLOAT)
_SCALARS: Final = {
    name: getattr(_FIELD, f"TYPE_{name.upper()}")
    for name in (
        "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32",
        "sfixed32", "sfixed64", "sint32", "sint64",
    )
}  # fmt: skip
# https://protobuf.dev/reference/protobuf/google.protobuf
_WELL_KNOWN: Final = frozenset(
    f"google/protobuf/{name}.proto"
    for name in (
        "any",
        "api",
        "duration",
        "empty",
        "field_mask",
        "source_context",
        "struct",
        "timestamp",
        "type",
        "wrappers",
    )
)


def add_to(pool: Any, source: str) -> Any:
    """Put a file and the well-known types that it imports into a descriptor pool; the file's descriptor. Raises ValueError."""
    described = file_descriptor(source)
    for name in described.dependency:
        _add_well_known(pool, name)
    pool.Add(described)
    return described


def _add_well_known(pool: Any, name: str) -> None:
    """A file of the library, and the files that it imports. To add it again changes nothing."""
    file = import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2").DESCRIPTOR
    for needed in file.dependencies:
        _add_well_known(pool, needed.name)
    pool.AddSerializedFile(file.serialized_pb)


def file_descriptor(source: str) -> Any:
    """The descriptor of one file. Raises SchemaSyntaxError, or ValueError for a text that it cannot accept."""
    parsed = Parser(setup_lexer=_strict, setup_parser=_strict).parse(source)
    if parsed.edition is not None:
        raise ValueError(f'expected syntax = "proto3" or "proto2", found edition {parsed.edition!r}')
    described = descriptor_pb2.FileDescriptorProto(name="schema.proto", syntax=parsed.syntax or "proto2")
    for element in parsed.file_elements:
        if isinstance(element, ast.Import):
            if element.name not in _WELL_KNOWN:
                raise ValueError(
                    f"a schema can import google/protobuf/*.proto and no other file, found {element.name!r}"
                )
            described.dependency.append(element.name)
        if isinstance(element, ast.Package):
            described.package = element.name
        elif isinstance(element, ast.Message):
            _message(described.message_type.add(), element, described.syntax)
        elif isinstance(element, ast.Enum):
            _enum(described.enum_type.add(), element)
        elif isinstance(element, ast.Service):
            _service(described.service.add(), element)
    return described


class _Refusal(ErrorListener):  # type: ignore[misc]
    """Refuses the first error of syntax. The parser by itself prints it and goes on without what it did not understand."""

    def syntaxError(  # noqa: N802 - ANTLR's name
        self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any
    ) -> None:
        """What ANTLR calls."""
        found = repr(symbol.text) if symbol is not None else "a character that Protobuf does not have"
        words = "the end of the text" if found == "'<EOF>'" else found
        raise SchemaSyntaxError(f"{words} cannot stand here", line=line, column=column + 1)


def _strict(reader: Any) -> None:
    reader.removeErrorListeners()
    reader.addErrorListener(_Refusal())


def _message(target: Any, message: Any, syntax: str) -> None:
    target.name = message.name
    for element in message.elements:
        if isinstance(element, ast.Message):
            _message(target.nested_type.add(), element, syntax)
        elif isinstance(element, ast.Enum):
            _enum(target.enum_type.add(), element)
        elif isinstance(element, ast.Field):
            _field(target.field.add(), element)
        elif isinstance(element, ast.MapField):
            _map(target, element)
        elif isinstance(element, ast.Group):
            _group(target, element, syntax)
        elif isinstance(element, ast.OneOf):
            index = len(target.oneof_decl)
            target.oneof_decl.add().name = element.name
            for field in element.elements:
                if isinstance(field, ast.Field):
                    _field(target.field.add(), field).oneof_index = index
                elif isinstance(field, ast.Group):
                    _group(target, field, syntax).oneof_index = index
    if syntax == "proto3":
        _mark_optional(target, message)


def _mark_optional(target: Any, message: Any) -> None:
    """Make each `optional` field of proto3 a separate oneof, after the real ones."""
    wanted = ast.FieldCardinality.OPTIONAL
    names = {e.name for e in message.elements if isinstance(e, ast.Field) and e.cardinality == wanted}
    for field in target.field:
        if field.name in names:
            field.proto3_optional = True
            field.oneof_index = len(target.oneof_decl)
            target.oneof_decl.add().name = f"_{field.name}"


def _enum(target: Any, enum: Any) -> None:
    target.name = enum.name
    for element in enum.elements:
        if isinstance(element, ast.EnumValue):
            value = target.value.add()
            value.name, value.number = element.name, element.number
        elif isinstance(element, ast.Option) and element.name == "allow_alias":
            target.options.allow_alias = True


def _service(target: Any, service: Any) -> None:
    """Add the calls of a service. Schemas of rules do not use them."""
    target.name = service.name
    for element in service.elements:
        if isinstance(element, ast.Method):
            method = target.method.add()
            method.name, method.input_type, method.output_type = (
                element.name,
                element.input_type.type,
                element.output_type.type,
            )


def _group(target: Any, group: Any, syntax: str) -> Any:
    """Add a group of proto2, which is a field with the small letters of the name of its own message."""
    _message(target.nested_type.add(), group, syntax)
    field = target.field.add()
    field.name, field.number, field.label = group.name.lower(), group.number, _label(group)
    field.type, field.type_name = _FIELD.TYPE_GROUP, group.name
    return field


def _label(field: Any) -> Any:
    return getattr(_FIELD, f"LABEL_{field.cardinality.value if field.cardinality else 'OPTIONAL'}")


def _field(target: Any, field: Any) -> Any:
    target.name, target.number, target.label = field.name, field.number, _label(field)
    _typed(target, field.type)
    for option in field.options:
        if option.name == "packed":
            target.options.packed = bool(option.value)
    return target


def _typed(target: Any, name: str) -> None:
    if name in _SCALARS:
        target.type = _SCALARS[name]
    else:
        target.type_name = name


def _map(target: Any, field: Any) -> None:
    """Add a map field, which is a repeated message of key and value."""
    entry = target.nested_type.add()
    entry.name = "".join(part.capitalize() for part in field.name.split("_")) + "Entry"
    entry.options.map_entry = True
    for number, (name, kind) in enumerate((("key", field.key_type), ("value", field.value_type)), 1):
        part = entry.field.add()
        part.name, part.number, part.label = name, number, _FIELD.LABEL_OPTIONAL
        _typed(part, kind)
    repeated = target.field.add()
    repeated.name, repeated.number, repeated.label = field.name, field.number, _FIELD.LABEL_REPEATED
    repeated.type_name = entry.name


def fill(message: Any, value: dict[str, Any]) -> None:
    """Set the fields of `message` from a map. Unknown keys are ignored. Raises what the library does."""
    for field in type(message).DESCRIPTOR.fields:
        given = value.get(field.name, UNDEFINED)
        if given is UNDEFINED:
            continue
        if _is_map(field):
            _fill_map(getattr(message, field.name), field.message_type, given)
        elif field.is_repeated:
            _fill_list(getattr(message, field.name), field, given)
        elif field.message_type is not None:
            getattr(message, field.name).SetInParent()
            fill(getattr(message, field.name), given)
        else:
            setattr(message, field.name, _scalar(field, given))


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _fill_list(target: Any, field: Any, items: Any) -> None:
    if type(items) is not list:
        raise ValueError(f"{field.name}: expected a list, found {shown(items)}")
    for item in items:
        if field.message_type is not None:
            fill(target.add(), item)
        else:
            target.append(_scalar(field, item))


def _fill_map(target: Any, entry: Any, pairs: dict[str, Any]) -> None:
    kind, inner = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for text, value in pairs.items():
        key = _key(kind, text)
        if inner.message_type is not None:
            fill(target[key], value)
        else:
            target[key] = _scalar(inner, value)


def _key(field: Any, text: str) -> Any:
    """The key of a map. The language's keys are text, and Protobuf's may be integers and booleans."""
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"true": True, "false": False}[text]
    return int(text)


def _scalar(field: Any, value: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return octets(value)
    if field.enum_type is not None and isinstance(value, str):
        return field.enum_type.values_by_name[value].number
    if field.type in _FLOATS and isinstance(value, str):
        return NOT_FINITE[value]
    if (type(value) is bool) != (field.type == FieldDescriptor.TYPE_BOOL):
        raise ValueError(f"{field.name}: found {shown(value)}")  # Google's library takes true for 1
    return value


class _Reading:
    """The messages and fields that were made of one message so far. Two bytes can announce a message with a hundred defaults."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields = 0

    def map_of(self, message: Any) -> dict[str, Any]:
        """The fields of a message by name. Raises BadValueError if there are too many in all messages together."""
        self._count()
        found: dict[str, Any] = {}
        for field, value in _fields(message):
            self._count()
            if _is_map(field):
                inner = field.message_type.fields_by_name["value"]
                found[field.name] = {json_key(key): self._plain(inner, value[key]) for key in value}
            elif field.is_repeated:
                found[field.name] = [self._plain(field, item) for item in value]
            else:
                found[field.name] = self._plain(field, value)
        return found

    def _count(self) -> None:
        self.fields += 1
        if self.fields > FIELDS_MAX:
            raise BadValueError(f"the message has more than {FIELDS_MAX} messages and fields, with their defaults")

    def _plain(self, field: Any, value: Any) -> Any:
        if field.message_type is not None:
            return self.map_of(value)
        if field.enum_type is not None:
            known = field.enum_type.values_by_number.get(value)
            return known.name if known else value
        return value


def as_map(message: Any) -> dict[str, Any]:
    """The fields by name: those that the message has, and those of proto3 that have a default. Raises BadValueError."""
    return _Reading().map_of(message)


def json_key(key: Any) -> str:
    """The text of a map's key: JSON's, so that booleans are true and false."""
    return str(key).lower() if type(key) is bool else str(key)


def _fields(message: Any) -> Iterable[tuple[Any, Any]]:
    """Fields with values. A field of proto3 without presence always has one; the fields of a map's entry are not asked for.

    Everything is asked of the type: a field may have the name of a method.
    """
    kind = type(message)
    fields: list[tuple[Any, Any]] = kind.ListFields(message)
    if not _has_defaults(kind.DESCRIPTOR):
        return fields
    sent = {field.number: value for field, value in fields}
    return (
        (field, sent.get(field.number, () if field.is_repeated else field.default_value))
        for field in kind.DESCRIPTOR.fields
        if not field.has_presence or field.number in sent
    )


@lru_cache(maxsize=1024)
def _has_defaults(message: Any) -> bool:
    """Whether a message type is of proto3."""
    described = descriptor_pb2.FileDescriptorProto()
    message.file.CopyToProto(described)
    return bool(described.syntax == "proto3")
