"""Registered schemas: what goes in comes out, and what does not fit is refused."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, EvaluationError
from pipeline.record import METRICS, Record
from pipeline.sql import Context, Event, compile_statement
from pipeline.sql.functions.schemas import sparkplug_encode
from pipeline.sql.functions.sparkplug import PROTO as PROTO_OF_SPARKPLUG
from pipeline.sql.runtime.schemas import build
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, octets

MANUAL = Path(__file__).parents[3] / "docs" / "rule-language.md"

AVRO = json.dumps(
    {
        "type": "record",
        "name": "Reading",
        "fields": [{"name": "temp", "type": "double"}, {"name": "site", "type": ["null", "string"], "default": None}],
    }
)
PROTO = """
syntax = "proto3";
package plant;
enum Unit { C = 0; K = 1; }
message Reading {
  message Tag { string name = 1; }
  double temp = 1; Unit unit = 2; repeated Tag tags = 3; map<string, int64> counts = 4; bytes raw = 5;
  optional int32 level = 6;
  oneof where { string room = 7; int32 floor = 8; }
}
"""
READING = {"temp": 1.5, "unit": "K", "tags": [{"name": "x"}], "counts": {"k": 2**40}, "raw": "ü"}
JSON = '{"type": "object", "required": ["temp"], "properties": {"temp": {"type": "number"}, "id": {"pattern": "^d[0-9]+$"}}}'


@pytest.fixture(scope="module")
def context() -> Context:
    return Context(schemas={"a": build("avro", AVRO), "p": build("protobuf", PROTO), "j": build("json", JSON)})


def evaluated(context: Context, expression: str, payload: Any) -> Any:
    program = compile_statement(f'SELECT {expression} AS r FROM "t"', context)
    rows = program.evaluate(Event({"payload": json.dumps(payload).encode()}, 0, ("t", 0, 0)))
    assert rows is not None
    return rows[0]["r"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("'a'", {"temp": 1.5, "site": "north"}),
        ("'a'", {"temp": 1.5, "site": None}),
        ("'j'", {"temp": 2, "id": "d17"}),
        ("'p', 'Reading'", READING | {"floor": 3, "level": 0}),
        ("'p', 'Reading.Tag'", {"name": "x"}),
    ],
)
def test_a_value_survives_its_schema(context: Context, schema: str, value: dict[str, Any]) -> None:
    """A value that is encoded and decoded is unchanged and passes the check."""
    name, _, kind = schema.partition(", ")
    more = f", {kind}" if kind else ""
    call = f"schema_decode({name}, schema_encode({name}, json_decode(payload){more}){more})"

    assert evaluated(context, call, value) == value
    assert evaluated(context, f"schema_check({name}, json_decode(payload){more})", value) is True


def test_fields_of_proto3_have_their_defaults(context: Context) -> None:
    """What equals its default is not in the bytes. Whoever compares it or makes a column of it needs it all the same."""
    empty = "schema_decode('p', '', 'Reading')"

    assert evaluated(context, empty, {}) == {"temp": 0.0, "unit": "C", "tags": [], "counts": {}, "raw": ""}
    assert evaluated(context, f"map_get('temp', {empty}) >= 0", {}) is True


def test_defaults_go_down_and_stop_at_what_is_not_there() -> None:
    """Sub-messages, members of a oneof and `optional` fields are there only if they were sent. proto2 is as it was."""
    proto = """message S { int32 x = 1; } message M {
      S one = 1; repeated S many = 2; map<string, S> named = 3; oneof w { int32 o = 4; S s = 5; } optional bool b = 6; }"""
    three = build("protobuf", f'syntax = "proto3"; {proto}')
    sent = {"one": {}, "many": [{}], "named": {"k": {}}, "o": 0, "b": False}

    assert three.decode(b"", "M") == {"many": [], "named": {}}
    assert three.decode(three.encode(sent, "M"), "M") == {
        "one": {"x": 0}, "many": [{"x": 0}], "named": {"k": {"x": 0}}, "o": 0, "b": False,
    }  # fmt: skip
    two = build("protobuf", "message M { optional int32 a = 1; repeated int32 b = 2; }")
    assert two.decode(b"", "M") == {}


def test_well_known_types_can_be_imported() -> None:
    """Those of Google's library, with what they import themselves; no other file."""
    schema = build(
        "protobuf",
        """syntax = "proto3"; import "google/protobuf/timestamp.proto"; import public "google/protobuf/api.proto";
        message M { google.protobuf.Timestamp at = 1; google.protobuf.Api api = 2; }""",
    )
    data = schema.encode({"at": {"seconds": 5, "nanos": 7}}, "M")

    assert schema.decode(data, "M") == {"at": {"seconds": 5, "nanos": 7}}
    with pytest.raises(ConfigError, match=r"other\.proto"):
        build("protobuf", 'syntax = "proto3"; import "google/protobuf/other.proto";')


@pytest.mark.parametrize(("value", "word"), [(math.nan, "nan"), (math.inf, "infinity"), (-math.inf, "-infinity")])
def test_a_float_that_is_not_finite_costs_itself(context: Context, value: float, word: str) -> None:
    """It becomes a word, and the other values of the message stay what they are."""
    avro = build("avro", AVRO)
    proto = build(
        "protobuf", 'syntax = "proto3"; message M { double bad = 1; double good = 2; repeated float all = 3; }'
    )
    metrics = [{"name": "bad", "double_value": value}, {"name": "good", "double_value": 1.5}]

    assert avro.decode(avro.encode({"temp": value, "site": "x"}, None), None) == {"temp": word, "site": "x"}
    assert proto.decode(proto.encode({"bad": value, "good": 1.5, "all": [value, 0.5]}, "M"), "M") == {
        "bad": word, "good": 1.5, "all": [word, 0.5],
    }  # fmt: skip
    data = build("protobuf", PROTO_OF_SPARKPLUG).encode({"metrics": metrics}, "Payload")
    statement = """FOREACH mget('metrics', spb_decode(payload)) AS m DO m.double_value AS v FROM 't'"""
    program = compile_statement(statement, context)
    rows = program.evaluate(Event({"payload": data}, 0, ("t", 0, 0)))
    assert rows == [{"v": word}, {"v": 1.5}]


DECIMALS = json.dumps(
    {
        "type": "record",
        "name": "R",
        "fields": [
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
            {"name": "count", "type": {"type": "bytes", "logicalType": "decimal", "precision": 30}},
            {"name": "level", "type": ["null", {
                "type": "fixed", "name": "F", "size": 5, "logicalType": "decimal", "precision": 10, "scale": 3}]},
            {"name": "odd", "type": {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 5}},
        ],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        {"price": 12.34, "count": 123456789012345678901234567890, "level": -1.5, "odd": "ab"},
        {"price": -0.01, "count": -1, "level": None, "odd": ""},
        {"price": 9999999.99, "count": 0, "level": 9999999.999, "odd": "x"},
    ],
)
def test_decimals_of_avro_are_numbers(value: dict[str, Any]) -> None:
    """An integer without digits behind the point, else a float. A decimal that the standard calls invalid is its bytes."""
    schema = build("avro", DECIMALS)

    assert schema.decode(schema.encode(value, None), None) == value


@pytest.mark.parametrize("wrong", [{"price": 1.234}, {"price": 1e9}, {"price": "x"}, {"price": 1e308}, {"level": 1e30}])
def test_a_number_that_does_not_fit_its_decimal_is_refused(wrong: dict[str, Any]) -> None:
    """No digit is lost silently."""
    good = {"price": 1, "count": 1, "level": None, "odd": ""}

    with pytest.raises(BadValueError, match="does not fit the Avro schema"):
        build("avro", DECIMALS).encode(good | wrong, None)


def test_a_decimal_of_more_digits_than_it_may_have_is_refused() -> None:
    """A device chooses the bytes: a megabyte of them is refused before anything is computed."""
    schema = build("avro", '{"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}')

    for size in (2, 1_000_000):
        data = build("avro", '"bytes"').encode("\x7f" * size, None)
        with pytest.raises(BadValueError, match="at most 4 digits"):
            schema.decode(data, None)


@pytest.mark.parametrize(
    "call",
    [
        "schema_encode('a', json_decode(payload))",
        "schema_decode('a', 'x')",
        "schema_encode('j', json_decode(payload))",
        "schema_decode('j', 'no json')",
        'schema_decode(\'j\', \'{"temp":1,"id":"x"}\')',
        "schema_encode('p', json_decode(payload), 'Reading')",
        "schema_decode('p', hexstr2bin('FF'), 'Reading')",
        "schema_encode('p', json_decode(payload), 'Nothing')",
        "schema_check('unknown', payload)",
        "sparkplug_decode(hexstr2bin('FF'))",
    ],
)
def test_what_does_not_fit_raises(context: Context, call: str) -> None:
    """Wrong values, broken data, unknown messages and unknown schemas raise EvaluationError."""
    with pytest.raises(EvaluationError):
        evaluated(context, call, {"temp": "hot"})


def test_a_check_says_no(context: Context) -> None:
    """A check returns false instead of raising."""
    assert evaluated(context, "schema_check('j', payload)", {"temp": "hot"}) is False
    assert evaluated(context, "schema_check('a', 'x')", {}) is False


def test_sparkplug_messages_survive(context: Context) -> None:
    """A Sparkplug B payload with metrics is encoded and decoded unchanged, with bytes as Base64 in the spb functions."""
    value = {"timestamp": 5, "metrics": [{"name": "m", "datatype": 17, "bytes_value": "/w=="}], "seq": 1}

    assert evaluated(context, "spb_decode(spb_encode(json_decode(payload)))", value) == value


def test_the_manuals_rule_gives_sparkplug_metrics_the_names_of_their_birth() -> None:
    """The manual's rule names a metric by the header that the ingress has written; without it the name is undefined."""
    (use,) = re.findall(r"```sql\n(FOREACH spb_decode.*?)```", MANUAL.read_text(), re.DOTALL)
    payload = octets(sparkplug_encode({"metrics": [{"alias": 7, "float_value": 1.5}]}))

    def rows(*headers: tuple[str, bytes]) -> list[dict[str, object]] | None:
        record = Record("t", 0, 0, 0, b"d", payload, headers)
        return compile_statement(use).evaluate(Event({"payload": payload}, 0, record))

    assert rows((METRICS, b'{"7":["Temperature",9]}')) == [{"name": "Temperature", "value": 1.5}]
    assert rows((METRICS, b'{"8":["Temperature",9]}')) == [{"name": UNDEFINED, "value": 1.5}]
    assert rows() == [{"name": UNDEFINED, "value": 1.5}]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("json", "{"),
        ("json", '{"type": 5}'),
        ("avro", '{"type": "nothing"}'),
        ("protobuf", 'syntax = "proto3"; import "other.proto";'),
        ("protobuf", "message {"),
        ("xml", "<a/>"),
    ],
)
def test_a_broken_schema_is_refused_when_it_is_registered(kind: str, source: str) -> None:
    """A broken schema is an error of the configuration and not of records."""
    with pytest.raises(ConfigError):
        build(kind, source)


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/other.json", "file:///etc/passwd", "other.json"])
def test_a_reference_to_another_document_is_not_fetched(where: str) -> None:
    """A schema that refers to another document is refused with a reason."""
    with pytest.raises(ConfigError, match=r"nothing is fetched|No base URI"):
        build("json", json.dumps({"$ref": where}))


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    ("schema", "value", "holds"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, {"a": "a" * 5000 + "!"}, False),
        ({"patternProperties": {"^(a+)+$": {"type": "integer"}}}, {"a" * 5000 + "!": "x"}, True),
        ({"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}, {"a" * 5000 + "!": 1}, False),
        ({"properties": {"a": {"uniqueItems": True}}}, {"a": [{"n": n} for n in range(50_000)]}, True),
    ],
)
def test_no_value_can_make_a_schema_slow(schema: Any, value: Any, holds: bool) -> None:
    """Slow patterns and tens of thousands of unique items are checked in a short time."""
    context = Context(schemas={"j": build("json", json.dumps(schema))})

    assert evaluated(context, "schema_check('j', json_decode(payload))", value) is holds


@pytest.mark.parametrize(
    "items",
    [
        "null",
        {"type": "fixed", "name": "f", "size": 0},
        {"type": "record", "name": "r", "fields": [{"name": "n", "type": "null"}]},
        {
            "type": "record",
            "name": "r",
            "fields": [{"name": "n", "type": {"type": "record", "name": "s", "fields": []}}],
        },
    ],
)
def test_an_avro_array_of_what_takes_no_bytes_is_refused(items: Any) -> None:
    """An Avro array of items without bytes is refused."""
    with pytest.raises(ConfigError, match="must take a byte"):
        build("avro", json.dumps({"type": "array", "items": items}))
    build("avro", json.dumps({"type": "array", "items": ["null", "long"]}))


@pytest.mark.parametrize(
    "inner", ["{0}", {"type": "array", "items": "{0}"}, {"type": "map", "values": "{0}"}], ids=["union", "array", "map"]
)
@pytest.mark.parametrize("name", ["node", "tree.node"])
def test_a_value_that_a_device_nests_ends_no_process(inner: Any, name: str) -> None:
    """A type of Avro that is a part of itself: a short payload nests deeper than the stack of a process reaches."""
    own = json.loads(json.dumps(inner).replace("{0}", name))
    schema = build(
        "avro", json.dumps({"type": "record", "name": name, "fields": [{"name": "n", "type": ["null", own]}]})
    )

    assert schema.decode(b"\x00", None) == {"n": None}
    for turns in (2_000, 200_000):
        with pytest.raises(BadValueError, match="nested too deeply"):
            schema.decode(b"\x02\x02\x02" * turns, None)


def test_defaults_that_a_device_announces_are_bounded() -> None:
    """Two bytes announce a message of Protobuf with a hundred fields, so a short payload would take gigabytes."""
    fields = "".join(f"int32 f{number} = {number};" for number in range(1, 101))
    schema = build("protobuf", f'syntax = "proto3"; message S {{ {fields} }} message M {{ repeated S s = 1; }}')

    assert len(schema.decode(b"\x0a\x00" * 1000, "M")["s"]) == 1000
    with pytest.raises(BadValueError, match="more than 1000000 messages and fields"):
        schema.decode(b"\x0a\x00" * 100_000, "M")
