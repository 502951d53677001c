"""The JSON Schema for editors accepts what the loader accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings

from pipeline.config.dump import dump
from pipeline.config.load import load
from pipeline.config.schema import schema
from pipeline.config.text.yaml_text import read
from pipeline.errors import ConfigError
from tests.parts.configurations import ENVIRONMENT, configs

SCHEMA = json.loads(json.dumps(schema(), allow_nan=False))
VALIDATOR = jsonschema_rs.Draft202012Validator(SCHEMA)
EXAMPLES = Path(__file__).parents[3] / "examples"


def good() -> dict[str, Any]:
    """A small configuration as plain data."""
    parameters = {"bucket": "sink", "key": "${clientid}", "mode": "direct"}
    return {
        "pipeline": "p",
        "kafka": {
            "bootstrap_servers": "k:9092",
            "partitions": 8,
            "session_timeout": "30s",
            "max_message_bytes": "16MB",
        },
        "connectors": {"s3": {"lake": {"host": "h", "transport_options": {"ssl": {"enable": False}}}}},
        "actions": {
            "s3": {"raw": {"connector": "lake", "parameters": parameters, "resource_opts": {"max_queue_bytes": "2mb"}}}
        },
        "rules": {"r": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw"]}},
    }


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_right(example: Path) -> None:
    """The example configurations fit the schema, with their references."""
    VALIDATOR.validate(read(example.read_text(encoding="utf-8"), example.name).value)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(configs())
def test_what_the_loader_takes_the_schema_takes(data: dict[str, Any]) -> None:
    """Every configuration that the loader accepts fits the schema, and so does its dump."""
    data = data | {"rules": {}, "actions": {}}
    try:
        config = load(data, environment=ENVIRONMENT)
    except ConfigError:
        assume(False)
        raise

    VALIDATOR.validate(data)
    VALIDATOR.validate(dump(config))
    VALIDATOR.validate(dump(config, defaults=True))


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("kafka", "partitions"), "many"),
        (("kafka", "partitions"), 0),
        (("kafka", "session_timeout"), "30 parsecs"),
        (("kafka", "max_message_bytes"), "1 stone"),
        (("kafka", "partition"), 8),
        (("rules", "r", "sql"), 5),
        (("connectors", "s3", "lake", "access_method"), "paths"),
        (("actions", "s3", "raw", "parameters", "acl"), "privat"),
        (("actions", "s3", "raw", "parameters", "mode"), "heap"),
    ],
)
def test_it_marks_what_is_wrong(path: tuple[str, ...], wrong: object) -> None:
    """The schema refuses what the loader refuses."""
    data = good()
    VALIDATOR.validate(data)
    inner: Any = data
    for part in path[:-1]:
        inner = inner[part]

    inner[path[-1]] = wrong

    assert not VALIDATOR.is_valid(data)


def test_a_reference_stands_for_any_value() -> None:
    """The schema accepts a reference for numbers, booleans, durations and choices."""
    data = good()
    data["kafka"] |= {"partitions": "${N}", "session_timeout": "${T:-30s}"}
    data["connectors"]["s3"]["lake"] |= {"port": "${PORT}", "enable": "${ON:-yes}", "access_method": "${METHOD}"}

    VALIDATOR.validate(data)


def test_it_has_help_defaults_and_formats() -> None:
    """The schema has the help, defaults and formats that an editor shows."""
    kafka = SCHEMA["$defs"]["KafkaConfig"]["properties"]
    options = SCHEMA["$defs"]["ResourceOpts"]["properties"]

    assert kafka["session_timeout"]["default"] == "30s"
    assert kafka["session_timeout"]["anyOf"][0]["type"] == "string"
    assert kafka["session_timeout"]["anyOf"][0]["format"] == "duration"
    assert kafka["partitions"]["description"] == "Number of partitions of topics that Tidegate creates."
    assert (options["request_ttl"]["default"], options["max_buffer_bytes"]["default"]) == ("infinity", "256MB")
    assert options["max_queue_bytes"]["deprecated"]
    assert SCHEMA["$defs"]["Rule"]["properties"]["sql"]["x-syntax"] == "sql"
