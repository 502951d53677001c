"""Protobuf in rules: what each kind of field becomes, from the bytes of a device and back."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from pipeline.errors import ConfigError
from pipeline.sql.runtime.schemas import RegisteredSchema, build
from pipeline.sql.runtime.values import BadValueError

VARINT, FIXED64, LENGTH, BEGIN, END, FIXED32 = range(6)


def varint(number: int) -> bytes:
    """A number in groups of seven bits; a negative one in 64 bits."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def sent(number: int, value: int | float | bytes | str) -> bytes:
    """A field as a device sends it: a varint, a double, or bytes with their length."""
    if isinstance(value, float):
        return varint(number << 3 | FIXED64) + struct.pack("<d", value)
    if isinstance(value, int):
        return varint(number << 3 | VARINT) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | LENGTH) + varint(len(data)) + data


def group(number: int, inner: bytes) -> bytes:
    """A group: its fields between two marks."""
    return varint(number << 3 | BEGIN) + inner + varint(number << 3 | END)


def message(body: str, syntax: str = "proto3") -> RegisteredSchema:
    """A schema whose message `M` has this body. What stands before `;;` is outside of the message."""
    outside, _, inside = body.rpartition(";;")
    return build("protobuf", f'syntax = "{syntax}"; {outside} message M {{ {inside} }}')


ENUM = "enum E { Z = 0; A = 1; N = -1; } ;;"
INNER = "message In { int32 x = 1; message Deep { bool b = 1; } Deep d = 2; } "
STRUCT = 'import "google/protobuf/struct.proto"; ;;'
WRAPPED = 'import "google/protobuf/wrappers.proto"; ;;'


@pytest.mark.parametrize(
    ("body", "data", "expected"),
    [
        (
            "map<bool, string> m = 1;",
            sent(1, sent(1, 1) + sent(2, "t")) + sent(1, sent(2, "f")),
            {"true": "t", "false": "f"},
        ),
        ("map<int32, bool> m = 1;", sent(1, sent(1, -5) + sent(2, 1)), {"-5": True}),
        ("map<uint64, double> m = 1;", sent(1, sent(1, 1 << 63) + sent(2, 0.5)), {"9223372036854775808": 0.5}),
        ("map<string, bytes> m = 1;", sent(1, sent(1, "k") + sent(2, b"\xff")), {"k": b"\xff"}),
        ("map<string, double> m = 1;", sent(1, sent(1, "k") + sent(2, math.nan)), {"k": "nan"}),
        (
            f"{ENUM} map<string, E> m = 1;",
            sent(1, sent(1, "k")) + sent(1, sent(1, "u") + sent(2, 9)),
            {"k": "Z", "u": 9},
        ),
        (f"{INNER} map<string, In> m = 1;", sent(1, sent(1, "k")), {"k": {"x": 0}}),
        (f"{INNER} In m = 1;", sent(1, sent(2, b"")), {"x": 0, "d": {"b": False}}),
        (f"{INNER} repeated In m = 1;", sent(1, b"") + sent(1, sent(1, 3)), [{"x": 0}, {"x": 3}]),
        (f"{ENUM} repeated E m = 1;", sent(1, varint(0) + varint(-1) + varint(77)), ["Z", "N", 77]),
        (f"{ENUM} optional E m = 1;", sent(1, 0), "Z"),
        ("repeated double m = 1;", sent(1, struct.pack("<3d", -math.inf, 1.5, math.nan)), ["-infinity", 1.5, "nan"]),
        ("float m = 1;", varint(1 << 3 | FIXED32) + struct.pack("<f", math.inf), "infinity"),
        ("optional bool m = 1;", sent(1, 0), False),
        ("sint64 m = 1;", sent(1, (1 << 64) - 1), -(1 << 63)),
        ("string m = 1; reserved 2, 4 to 6;", sent(1, "é\0"), "é\0"),
        ("int32 m = 1;", sent(1, 5) + sent(99, 3) + sent(1, 6), 6),
        (f"{WRAPPED} google.protobuf.BoolValue m = 1;", sent(1, b""), {"value": False}),
        (
            f"{WRAPPED} map<string, google.protobuf.Int64Value> m = 1;",
            sent(1, sent(1, "k") + sent(2, sent(1, 9))),
            {"k": {"value": 9}},
        ),
        (f"{STRUCT} google.protobuf.Value m = 1;", sent(1, sent(1, 0)), {"null_value": "NULL_VALUE"}),
        (
            f"{STRUCT} google.protobuf.ListValue m = 1;",
            sent(1, sent(1, sent(6, b""))),
            {"values": [{"list_value": {"values": []}}]},
        ),
        (
            f"{STRUCT} google.protobuf.Struct m = 1;",
            sent(1, sent(1, sent(1, "a") + sent(2, sent(2, 1.5)))),
            {"fields": {"a": {"number_value": 1.5}}},
        ),
        ("oneof o { int32 m = 1; string s = 2; }", sent(1, 0), 0),
    ],
)
def test_a_field_of_proto3_becomes_a_value_and_comes_back(body: str, data: bytes, expected: Any) -> None:
    """Maps have text as keys, as JSON writes it; words stand for floats that are not finite; encoding gives the same message."""
    schema = message(body)

    found = schema.decode(data, "M")

    assert found["m"] == expected
    assert schema.decode(schema.encode(found, "M"), "M") == found


@pytest.mark.parametrize(
    ("body", "data", "expected"),
    [
        ("optional group Result = 1 { optional string url = 2; }", group(1, sent(2, "u")), {"result": {"url": "u"}}),
        ("repeated group Row = 3 { required int32 x = 1; }", group(3, sent(1, 7)) * 2, {"row": [{"x": 7}, {"x": 7}]}),
        ("oneof o { group G = 1 { optional int32 x = 2; } string s = 3; }", group(1, sent(2, 5)), {"g": {"x": 5}}),
        (
            "optional group O = 1 { optional group I = 2 { optional bool b = 3; } }",
            group(1, group(2, sent(3, 1))),
            {"o": {"i": {"b": True}}},
        ),
        (
            "optional int32 a = 1 [default = 5]; repeated int32 p = 4 [packed = true];",
            sent(4, varint(1) + varint(2)),
            {"p": [1, 2]},
        ),
    ],
)
def test_a_message_of_proto2_has_what_was_sent(body: str, data: bytes, expected: Any) -> None:
    """A group is a message in a field with its name in small letters. What was not sent is left out, and no default is made."""
    schema = message(body, "proto2")

    assert schema.decode(data, "M") == expected
    assert schema.decode(schema.encode(expected, "M"), "M") == expected


def test_fields_may_have_the_names_of_methods() -> None:
    """A field is found by its number, and never taken for something of the library."""
    schema = message("int32 from = 1; int32 HasField = 2; int32 ListFields = 3; int32 DESCRIPTOR = 4; int32 Clear = 5;")

    found = schema.decode(sent(2, 2) + sent(4, 4), "M")

    assert found == {"from": 0, "HasField": 2, "ListFields": 0, "DESCRIPTOR": 4, "Clear": 0}


@pytest.mark.parametrize("name", ["M", "plant.seven.M", "M.In", "plant.seven.M.In"])
def test_a_message_is_found_with_and_without_its_package(name: str) -> None:
    """Rules may write the name as the schema does, or as other tools show it."""
    schema = build(
        "protobuf", 'syntax = "proto3"; package plant.seven; message M { int32 x = 1; message In { int32 x = 1; } }'
    )

    assert schema.decode(sent(1, 5), name) == {"x": 5}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ("repeated string m = 1;", "abc"),
        ("repeated string m = 1;", {"a": 1}),
        ("map<string, int32> m = 1;", [1]),
        ("map<int32, int32> m = 1;", {"a": 1}),
        ("map<bool, int32> m = 1;", {"True": 1}),
        ("int32 m = 1;", True),
        ("double m = 1;", True),
        ("bool m = 1;", 1),
        ("double m = 1;", "NaN"),
        ("int32 m = 1;", "nan"),
        ("int32 m = 1;", 1 << 31),
        ("int32 m = 1;", 1.5),
        ("string m = 1;", 5),
        ("string m = 1;", b"\xff"),
        ("int32 m = 1;", None),
        (f"{ENUM} E m = 1;", "Q"),
        (f"{INNER} In m = 1;", 5),
    ],
)
def test_a_value_of_another_type_is_refused(body: str, value: Any) -> None:
    """Nothing is taken for something else: no text for a list of its letters, no boolean for a number."""
    with pytest.raises(BadValueError, match="does not fit the message M"):
        message(body).encode({"m": value}, "M")


def test_a_message_that_lacks_a_required_field_is_refused() -> None:
    """The error is one of values, and names the field."""
    with pytest.raises(BadValueError, match="required fields: r"):
        message("required int32 r = 3;", "proto2").encode({}, "M")


def test_an_edition_is_refused() -> None:
    """Its fields have other rules than those of proto2 and proto3."""
    with pytest.raises(ConfigError, match=r'expected syntax = "proto3" or "proto2", found edition .2023.'):
        build("protobuf", 'edition = "2023"; message M { int32 a = 1; }')
