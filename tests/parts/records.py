"""Records in the form of a consumer, made as the ingress makes them."""

from __future__ import annotations

from typing import Any

from pipeline.record import Outgoing, Record, message_record


def consumed(outgoing: Outgoing, offset: int = 42) -> Record:
    """The record as a consumer returns it."""
    return Record("mqtt.messages", 3, offset, outgoing.timestamp_ms, outgoing.key, outgoing.value, outgoing.headers)


def message(offset: int, payload: bytes, topic: bytes = b"t/1") -> Record:
    """The record of a message of the device `dev`."""
    outgoing = message_record(
        topic=topic,
        payload=payload,
        qos=1,
        retain=False,
        dup=False,
        clientid=b"dev",
        clientid_from=b"topic",
        timestamp_ms=1000,
    )
    return consumed(outgoing, offset)


def published(**changes: Any) -> Record:
    """The record of a message of the device `dev-1`, with some fields changed."""
    fields: dict[str, Any] = {
        "topic": b"t/1",
        "payload": b"{}",
        "qos": 1,
        "retain": False,
        "dup": False,
        "clientid": b"dev-1",
        "clientid_from": b"topic",
        "timestamp_ms": 1_700_000_000_123,
    }
    return consumed(message_record(**{**fields, **changes}))
