"""The record of a message: rules read what the ingress writes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline import record
from pipeline.errors import RecordError
from tests.parts.records import consumed, published


def columns(found: record.Record, wanted: frozenset[str] | None = None) -> dict[str, Any]:
    if record.is_message(found):
        return record.message_reader(wanted, "node")(found)
    return record.event_columns(found, "node")


def test_the_common_message_has_three_headers() -> None:
    """Fields with their default value make no header, because each header costs time."""
    assert [name for name, _ in published().headers] == ["topic", "clientid_from", "qos"]


def test_every_fact_of_a_message_comes_back() -> None:
    """The columns are those of EMQX's message.publish event."""
    extra = [
        (record.USERNAME, b"alice"),
        (record.PEERHOST, b"10.0.0.7"),
        (record.PROPERTIES, orjson.dumps({"User-Property": {"a": "b"}})),
    ]

    found = columns(published(qos=2, retain=True, dup=True, extra=extra))

    assert found == {
        "payload": b"{}",
        "clientid": "dev-1",
        "topic": "t/1",
        "qos": 2,
        "flags": {"retain": True, "dup": True},
        "username": "alice",
        "peerhost": "10.0.0.7",
        "pub_props": {"User-Property": {"a": "b"}},
        "client_attrs": {},
        "event": "message.publish",
        "timestamp": 1_700_000_000_123,
        "publish_received_at": 1_700_000_000_123,
        "id": record.message_id(published()),
        "node": "node",
    }


def test_only_wanted_columns_are_read() -> None:
    """Only the fields that a rule reads are decoded."""
    assert columns(published(), frozenset({"clientid", "qos", "nonsense"})) == {"clientid": "dev-1", "qos": 1}


def test_an_unknown_client_is_undefined_and_its_topic_keeps_the_order() -> None:
    """If the clientid is unknown, the key is the topic, and rules see no clientid."""
    found = published(clientid=None, clientid_from=record.UNKNOWN)

    assert found.key == b"t/1"
    assert "clientid" not in columns(found)


@pytest.mark.parametrize("payload", [b"", b"\xff\x00", b"x" * (1 << 20)])
def test_a_payload_is_untouched(payload: bytes) -> None:
    """The value is the payload, also if it is empty, binary or large."""
    assert published(payload=payload).value == payload
    assert columns(published(payload=payload))["payload"] == payload


def test_a_clientid_that_is_not_utf_8_is_kept() -> None:
    """A clientid that is not UTF-8 is kept as bytes."""
    assert columns(published(clientid=b"\xff"))["clientid"] == b"\xff"


def test_an_id_is_the_same_at_every_replay_and_differs_between_records() -> None:
    """The id is 32 hexadecimal digits from the record's place."""
    other = published()._replace(offset=43)

    assert record.message_id(published()) == record.message_id(published())
    assert record.message_id(published()) != record.message_id(other)
    assert len(record.message_id(published())) == 32


def test_an_event_comes_back_with_its_fields() -> None:
    """An event has its fields, and both spellings of its topic select it."""
    outgoing = record.event_record("client.connected", {"keepalive": 30}, clientid="dev-1", timestamp_ms=5)
    found = consumed(outgoing)

    assert record.routing_topics(found) == ("$events/client/connected", "$events/client_connected")
    assert columns(found) == {
        "clientid": "dev-1",
        "keepalive": 30,
        "event": "client.connected",
        "timestamp": 5,
        "node": "node",
    }


@pytest.mark.parametrize("value", [b"", b"nonsense", b"[1]", None])
def test_an_event_that_is_no_object_is_a_record_error(value: bytes | None) -> None:
    """A broken event goes to the dead letter topic, and the batch goes on."""
    with pytest.raises(RecordError):
        columns(published()._replace(value=value, headers=[("event", b"client.connected")]))


def test_a_record_of_another_producer_matches_no_rule() -> None:
    """A record without headers has no topic name and matches no rule."""
    assert record.routing_topics(published()._replace(headers=())) == ("",)
