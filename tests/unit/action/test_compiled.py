"""What an action compiles to, what its digest covers, and how a version beside the ledger is compiled again."""

from __future__ import annotations

import gzip
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from pipeline.errors import ConfigError, LaneError
from pipeline.record import Record
from tests.parts.actions import aggregated, direct

SELECT = {"r": 'SELECT a FROM "t/#"'}
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
    """An action that is compiled from a version's text has the same name, keys, limits and bytes."""
    first = aggregated("act", SELECT, schemas={"s": ("avro", AVRO)}, key="k/${clientid}", **parameters)
    second = first.as_of(first.text)

    lines = first.container.line({"a": 1})
    assert second.digest == first.digest
    assert second.cut_seconds == first.cut_seconds
    assert second.container.line({"a": 1}) == lines
    assert second.container.encode(lines) == first.container.encode(lines)
    assert second.container.headers == first.container.headers


def test_the_digest_names_what_decides_the_bytes() -> None:
    """Another delimiter makes another version, and another bucket does not."""

    def digest(**changes: Any) -> str:
        return aggregated(**{"container": {"type": "csv"}, **changes}).digest

    assert digest() == digest(bucket="other") != digest(container={"type": "csv", "delimiter": ";"})


@pytest.mark.parametrize("text", [b"", b"[]", b'{"action": "a"}', b'{"parameters": {"aggregation": 1}}'])
def test_a_text_that_is_no_version_is_refused(text: bytes) -> None:
    """The error says where the text lies."""
    with pytest.raises(LaneError, match="beside the ledger"):
        aggregated().as_of(text)


def test_a_cut_is_finished_under_the_schema_with_which_it_was_begun() -> None:
    """A cut uses its schema even if the configuration no longer has it, and a new start without the schema is refused."""
    container = {"type": "parquet", "schema": {"type": "avro_ref", "name": "s"}}
    began = aggregated("act", SELECT, schemas={"s": ("avro", AVRO)}, container=container)
    now = aggregated("act", SELECT)
    line = began.container.line({"a": 1})

    assert now.as_of(began.text).container.encode(line) == began.container.encode(line)
    with pytest.raises(ConfigError, match=r"parameters\.container: parquet_schema_not_found"):
        aggregated("act", SELECT, container=container)
    with pytest.raises(ConfigError, match=r"parameters\.container: parquet_schema_wrong_type"):
        aggregated("act", SELECT, schemas={"s": ("json", "{}")}, container=container)


def test_a_cut_of_an_older_version_has_the_type_of_its_own_container() -> None:
    """A cut of CSV keeps its content type after the settings change to Parquet, and gets today's tags."""
    began = aggregated(container={"type": "csv"}, min_part_size="6mb")
    now = aggregated(container={"type": "parquet"}, tags={"team": "a"}, min_part_size="7mb")

    then = now.as_of(began.text)

    assert then.headers == {"content-type": "text/csv", "x-amz-tagging": "team=a"}
    assert then.parameters.min_part_size == 7 << 20


def test_a_cut_of_an_older_version_names_partitions_as_it_did() -> None:
    """If new rules also read events, the names of partitions change only with the next cut."""
    events = {"e": 'SELECT * FROM "$events/client_connected"'}
    began, now = aggregated(statements=events), aggregated(statements={**events, "m": 'SELECT * FROM "t/#"'})

    assert now.topics == ("mqtt.messages", "mqtt.events")
    assert now.partition_name("mqtt.events", 3) == "e3"
    assert now.partition_name("mqtt.messages", 3) == "3"
    assert began.topics == ("mqtt.events",)
    assert now.as_of(began.text).partition_name("mqtt.events", 3) == "3"


def test_a_compiled_action_is_a_value() -> None:
    """Nothing changes a compiled action, and a variant is another value with the same digest if the bytes are the same."""
    action = aggregated()

    with pytest.raises(FrozenInstanceError):
        action.cut_seconds = 1.0  # type: ignore[misc]
    assert replace(action, cut_seconds=1.0).digest == action.digest


def test_an_aggregated_row_has_an_object_with_its_record_s_window_and_place() -> None:
    """A trial shows the object that the lane would make from this row alone."""
    action = aggregated(
        key="day=${datetime.YYYY}-${datetime.MM}-${datetime.DD}/${device}.jsonl",
        aggregation={"time_interval": "1h"},
        compression="gzip",
    )
    origin = Record("mqtt.messages", 3, 42, 1_767_225_600_000, b"c", b"", ())

    made = action.object_of({"device": "d-7"}, origin)

    assert made.key == "day=2026-01-01/d-7-3-42-0.jsonl"
    assert made.bucket == "sink"
    assert gzip.decompress(made.content) == b'{"device":"d-7"}\n'
    assert made.headers["content-encoding"] == "gzip"


def test_a_direct_row_has_an_object_with_its_metadata() -> None:
    """A trial shows bucket, key, content and headers as the lane would send them."""
    action = direct(bucket="${town}", key="k/${n}", content="${n}!", metadata={"n": "${n}"}, tags={"a": "${n}"})

    made = action.object_of({"town": "koeln", "n": 1}, Record("t", 0, 0, 0, b"", b"", ()))

    assert made[:3] == ("koeln", "k/1", b"1!")
    assert made.headers == {"x-amz-meta-n": "1", "x-amz-tagging": "a=1"}
