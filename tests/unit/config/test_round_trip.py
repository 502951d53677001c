"""A configuration can be written back: what is read is what was written, in YAML, in JSON and as plain data."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pipeline.config import Config, MqttSource, Rule, S3Action, S3Connector, parse
from pipeline.config.base.section import Section
from pipeline.config.dump import dump, to_json, to_yaml
from pipeline.config.load import load, load_object
from pipeline.config.model import Schema
from pipeline.errors import ConfigError
from tests.parts.configurations import ENVIRONMENT, configs, sections

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def loaded(data: dict[str, Any]) -> Config:
    """The configuration, with names that name something; chance seldom finds one."""
    rules = {name: rule | {"actions": []} for name, rule in data.get("rules", {}).items()}
    actions = {name: each | {"connector": "lake"} for name, each in data.get("actions", {}).get("s3", {}).items()}
    connectors = data.get("connectors", {}).get("s3", {}) | {"lake": {"host": "h"}}
    data = data | {"rules": rules, "actions": {"s3": actions}, "connectors": {"s3": connectors}}
    try:
        return load(data, environment=ENVIRONMENT)
    except ConfigError:
        assume(False)
        raise


@QUICK
@given(configs())
def test_a_configuration_is_read_back_as_it_was_written(data: dict[str, Any]) -> None:
    """A configuration that is dumped and loaded is equal, with the same spellings, references and secrets."""
    config = loaded(data)

    for again in (
        load(dump(config), environment=ENVIRONMENT),
        load(json.loads(to_json(config)), environment=ENVIRONMENT),
        parse(to_yaml(config), environment=ENVIRONMENT),
        parse(to_json(config), environment=ENVIRONMENT),
        load(dump(config, defaults=True), environment=ENVIRONMENT),
    ):
        assert again == config
        assert dump(again, defaults=True) == dump(config, defaults=True)
    assert dump(parse(to_yaml(config), environment=ENVIRONMENT)) == dump(config)


@QUICK
@given(
    st.sampled_from([S3Connector, S3Action, MqttSource, Rule]).flatmap(
        lambda kind: st.tuples(st.just(kind), sections(kind))
    )
)
def test_an_object_is_read_back_alone(given: tuple[type[Section], dict[str, Any]]) -> None:
    """A single connector, action, rule or source that is dumped and loaded is equal."""
    kind, data = given
    try:
        found = load_object(kind, data, environment=ENVIRONMENT)
    except ConfigError:
        assume(False)
        raise

    for text in (dump(found), json.loads(to_json(found)), dump(found, defaults=True)):
        again = load_object(kind, text, environment=ENVIRONMENT)
        assert again == found
        assert dump(again, defaults=True) == dump(found, defaults=True)


WRITTEN = """\
pipeline: p-${STAGE:-dev}
kafka:
  bootstrap_servers: ${KAFKA}
  partitions: ${PARTITIONS:-8}
  session_timeout: 1m
  commit_interval: 1500ms
sources:
  mqtt:
    plant:
      server: ${MQTT}:1883
      topics:
      - ${STAGE:-dev}/#
      qos: ${QOS:-1}
      password: ${MQTT_PASSWORD:-hush}
      standby: ${STANDBY:-no}
connectors:
  s3:
    lake:
      host: h
      port: ${S3_PORT}
      access_key_id: ${S3_KEY}
      secret_access_key: ${S3_SECRET}
      transport_options:
        headers:
          x-stage: ${STAGE:-dev}
actions:
  s3:
    hot:
      connector: ${LAKE:-lake}
      parameters:
        mode: ${MODE:-aggregated}
        aggregation:
          max_bytes: 5mb
        container:
          type: ${FORMAT:-csv}
        bucket: sink
        key: ${clientid}.json
      resource_opts:
        request_ttl: infinity
rules:
  r:
    sql: |
      SELECT * FROM "t/#"
      WHERE true
    actions:
    - s3:${ACTION:-hot}
    description: keeps ${this} as it is
"""
HERE = {"KAFKA": "k:9092", "MQTT": "broker", "S3_PORT": "7070", "S3_KEY": "key"}


def test_what_was_written_is_what_is_written_back() -> None:
    """A dump has no added defaults, no resolved references and no changed spellings."""
    config = parse(WRITTEN, environment=HERE)

    assert to_yaml(config) == WRITTEN
    assert parse(to_yaml(config), environment=HERE) == config


def test_references_are_what_they_stand_for() -> None:
    """References work in numbers, booleans, addresses, names, lists, and settings that choose a model."""
    config = parse(WRITTEN, environment=HERE)

    source, action = config.sources.mqtt["plant"], config.actions.s3["hot"]
    assert (config.pipeline, config.kafka.bootstrap_servers, config.kafka.partitions) == ("p-dev", "k:9092", 8)
    assert (source.server, source.topics, source.qos, source.standby) == ("broker:1883", ["dev/#"], 1, False)
    assert config.connectors.s3["lake"].port == 7070
    assert config.connectors.s3["lake"].transport_options.headers["x-stage"].reveal(HERE) == "dev"
    assert (action.connector, action.parameters.mode, action.parameters.key) == (
        "lake",
        "aggregated",
        "${clientid}.json",
    )
    assert config.rules["r"].actions == ["s3:hot"]


def test_defaults_are_texts_too() -> None:
    """A default of 30 s is dumped as text and not as 30.0, which would be read as 30 ms."""
    full = dump(parse(WRITTEN, environment=HERE), defaults=True)

    assert (full["kafka"]["session_timeout"], full["kafka"]["max_message_bytes"]) == ("1m", "16MB")
    options = full["actions"]["s3"]["hot"]["resource_opts"]
    assert (options["request_ttl"], options["max_buffer_bytes"], options["batch_time"]) == ("infinity", "256MB", "10ms")


def test_what_is_written_for_people_shows_no_secret() -> None:
    """A masked dump shows references without their defaults."""
    clear = WRITTEN.replace("${S3_SECRET}", "sesame")
    config = parse(clear, environment=HERE)

    for text in (
        to_yaml(config, masked=True),
        to_json(config, masked=True),
        repr(config),
        str(config.model_dump()),
        config.model_dump_json(),
    ):
        assert "sesame" not in text
        assert "hush" not in text
    assert "${MQTT_PASSWORD:-…}" in to_yaml(config, masked=True)
    assert "sesame" in to_yaml(config)


def test_a_copy_with_another_value_is_written_with_that_value() -> None:
    """A written text counts only while it matches the value of the setting."""
    config = parse(WRITTEN, environment=HERE)

    assert dump(config.kafka.model_copy(update={"session_timeout": 7.5, "partitions": 3})) == {
        "bootstrap_servers": "${KAFKA}",
        "session_timeout": "7500ms",
        "commit_interval": "1500ms",
        "partitions": 3,
    }


@pytest.mark.parametrize("text", ["sesame", "0123", "1_000", "12", "${A}-${B:-c}", "file:///x", "a: b", "*x", " x "])
def test_a_secret_is_written_back_to_the_letter(text: str) -> None:
    """A secret of any form is dumped unchanged."""
    connector = load_object(S3Connector, {"host": "h", "access_key_id": "k", "secret_access_key": text})

    config = parse(WRITTEN.replace("${S3_SECRET}", f"'{text}'"), environment=HERE)

    assert dump(connector)["secret_access_key"] == text
    assert dump(parse(to_yaml(config), environment=HERE))["connectors"]["s3"]["lake"]["secret_access_key"] == text


def test_headers_may_hold_a_secret_and_are_not_shown() -> None:
    """Neither repr nor a masked dump shows the values of headers."""
    headers = {"x-amz-server-side-encryption-customer-key": "sesame"}
    connector = load_object(S3Connector, {"host": "h", "transport_options": {"headers": headers}})

    assert "sesame" not in repr(connector) + to_yaml(connector, masked=True)
    assert dump(connector)["transport_options"]["headers"] == headers
    assert "customer-key: '******'" in to_yaml(connector, masked=True)


@pytest.mark.parametrize("text", ["\x85", "a\x85b", "\u2028", "x\u2029\ny", "\x7f", "\ufeff", " \x9f "])
def test_a_text_with_characters_that_yaml_reads_otherwise_comes_back(text: str) -> None:
    """A text with characters that YAML reads as line ends is dumped and loaded unchanged."""
    schema = Schema(type="protobuf", source=text)

    assert yaml.safe_load(to_yaml(schema))["source"] == text
