"""A version that lies beside the ledger is the version that was put there."""

from __future__ import annotations

from typing import Any

import pytest

from agents.sinks.version import Version, from_text
from pipeline.config import AggregatedParameters
from pipeline.errors import ConfigError, LaneError

AVRO = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}'


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"compression": "zstd", "compression_level": 3, "aggregation": {"time_interval": "90s"}},
        {"container": {"type": "csv", "column_order": ["b"], "delimiter": ";"}},
        {"container": {"type": "parquet", "schema": {"type": "avro_ref", "name": "s"}, "max_row_group_bytes": "2mb"}},
        {"container": {"type": "parquet", "schema": {"type": "avro_inline", "def": AVRO}}},
    ],
)
def test_a_version_is_made_again_from_its_text(parameters: dict[str, Any]) -> None:
    """With the same name, key, limits and bytes: a successor finishes a cut with it."""
    settings = {"mode": "aggregated", "bucket": "b", "key": "k/${clientid}", **parameters}
    rules = {"r": 'SELECT a FROM "t/#"'}
    first = Version("act", "n", rules, AggregatedParameters.model_validate(settings), {"s": ("avro", AVRO)})
    second = from_text(first.text, bucket="b")

    lines = first.container.line({"a": 1})
    assert second.digest == first.digest
    assert second.interval_seconds == first.interval_seconds
    assert second.container.line({"a": 1}) == lines
    assert second.container.encode(lines) == first.container.encode(lines)
    assert second.container.headers == first.container.headers


def test_the_digest_names_what_decides_the_bytes() -> None:
    """Another delimiter is another version; another bucket is not."""

    def digest(**changes: Any) -> str:
        settings = {"mode": "aggregated", "bucket": "b", "key": "k", "container": {"type": "csv"}, **changes}
        return Version("a", "n", {"r": 'SELECT * FROM "t"'}, AggregatedParameters.model_validate(settings)).digest

    assert digest() == digest(bucket="other") != digest(container={"type": "csv", "delimiter": ";"})


def test_a_text_that_is_no_version_is_refused() -> None:
    """By an error that says where it lies."""
    with pytest.raises(LaneError, match="beside the ledger"):
        from_text(b'{"action": "a"}', bucket="b")


def test_a_cut_is_finished_under_the_schema_with_which_it_was_begun() -> None:
    """Although the schema has been taken from the configuration meanwhile; a new start without it is refused."""
    container = {"type": "parquet", "schema": {"type": "avro_ref", "name": "s"}}
    settings = {"mode": "aggregated", "bucket": "b", "key": "k", "container": container}
    parameters, rules = AggregatedParameters.model_validate(settings), {"r": 'SELECT a FROM "t/#"'}
    began = Version("act", "n", rules, parameters, {"s": ("avro", AVRO)})
    line = began.container.line({"a": 1})

    assert from_text(began.text, bucket="b").container.encode(line) == began.container.encode(line)
    with pytest.raises(ConfigError, match=r"parameters\.container: parquet_schema_not_found"):
        Version("act", "n", rules, parameters, {})
    with pytest.raises(ConfigError, match=r"parameters\.container: parquet_schema_wrong_type"):
        Version("act", "n", rules, parameters, {"s": ("json", "{}")})
