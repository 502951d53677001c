"""Registered schemas: what goes in comes out, and what does not fit is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ConfigError, EvaluationError
from pipeline.sql import Context, Event, compile_statement
from pipeline.sql.runtime.schemas import build
from pipeline.sql.runtime.values import UNDEFINED, octets

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
        ("'p', 'Reading'", {"temp": 1.5, "unit": "K", "tags": [{"name": "x"}], "counts": {"k": 2**40}, "raw": "ü"}),
        ("'p', 'Reading'", {"level": 0, "floor": 3}),
        ("'p', 'Reading.Tag'", {"name": "x"}),
    ],
)
def test_a_value_survives_its_schema(context: Context, schema: str, value: dict[str, Any]) -> None:
    """Encoded and decoded, a value is what it was; and it checks."""
    name, _, kind = schema.partition(", ")
    more = f", {kind}" if kind else ""
    call = f"schema_decode({name}, schema_encode({name}, json_decode(payload){more}){more})"

    assert evaluated(context, call, value) == value
    assert evaluated(context, f"schema_check({name}, json_decode(payload){more})", value) is True


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
    """Wrong values, broken data, unknown messages and unknown schemas end in an error of the record."""
    with pytest.raises(EvaluationError):
        evaluated(context, call, {"temp": "hot"})


def test_a_check_says_no(context: Context) -> None:
    """Checking answers instead of raising."""
    assert evaluated(context, "schema_check('j', payload)", {"temp": "hot"}) is False
    assert evaluated(context, "schema_check('a', 'x')", {}) is False


def test_sparkplug_messages_survive(context: Context) -> None:
    """A Sparkplug B payload with metrics, and bytes as Base64 in the spb functions."""
    value = {"timestamp": 5, "metrics": [{"name": "m", "datatype": 17, "bytes_value": "/w=="}], "seq": 1}

    assert evaluated(context, "spb_decode(spb_encode(json_decode(payload)))", value) == value


def test_the_manuals_rules_give_sparkplug_metrics_the_names_of_their_birth() -> None:
    """A name is undefined before the birth was seen, and known after it; other nodes' aliases are others."""
    learn, use = re.findall(r"```sql\n(FOREACH spb_decode.*?)```", MANUAL.read_text(), re.DOTALL)
    context = Context(schemas={})

    def rows(statement: str, topic: str, metric: dict[str, object]) -> list[dict[str, object]] | None:
        payload = json.dumps({"metrics": [metric]}).encode()
        encode = compile_statement('SELECT spb_encode(json_decode(payload)) AS data FROM "t"', context)
        message = encode.evaluate(Event({"payload": payload}, 0, ("t", 0, 0)))
        assert message
        event = Event({"topic": topic, "payload": octets(message[0]["data"])}, 0, ("t", 0, 0))
        return compile_statement(statement, context).evaluate(event)

    data = {"alias": 7, "float_value": 1.5}
    assert rows(use, "spBv1.0/g/NDATA/n", data) == [{"name": UNDEFINED, "value": 1.5}]
    rows(learn, "spBv1.0/g/NBIRTH/n", {"alias": 7, "name": "Temperature"})
    assert rows(use, "spBv1.0/g/DDATA/n/device", data) == [{"name": "Temperature", "value": 1.5}]
    assert rows(use, "spBv1.0/g/NDATA/other", data) == [{"name": UNDEFINED, "value": 1.5}]


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
    """The operator learns it, not the records."""
    with pytest.raises(ConfigError):
        build(kind, source)


@pytest.mark.parametrize("where", ["http://127.0.0.1:9/other.json", "file:///etc/passwd", "other.json"])
def test_a_reference_to_another_document_is_not_fetched(where: str) -> None:
    """A schema cannot make the worker call the network or read its files: it is refused, and says why."""
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
    """Patterns that others search for ages, wherever they stand, and tens of thousands of items that must differ."""
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
    """Nine bytes could announce more items than there is memory for."""
    with pytest.raises(ConfigError, match="must take a byte"):
        build("avro", json.dumps({"type": "array", "items": items}))
    build("avro", json.dumps({"type": "array", "items": ["null", "long"]}))
