"""What EMQX sends to an ExHook server, byte for byte: built from the protocol's wire numbers, without any of our classes.

A field is (number, value): text and bytes are length-delimited, a list of fields is a message, a number is a varint.
Default values are left out, as proto3 does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Field = tuple[int, Any]


def varint(number: int) -> bytes:
    """Base 128, least significant group first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def message(fields: Sequence[Field]) -> bytes:
    """The bytes of a message."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value) if value else b""
            continue
        body = value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else message(value)
        out += varint(number << 3 | 2) + varint(len(body)) + body
    return out


META: Sequence[Field] = [(1, "emqx@10.0.0.1"), (2, "5.9.1"), (3, "EMQX Enterprise"), (4, "emqxcl")]
PASSWORD = "hunter2-in-clear"


def properties(pairs: dict[str, str]) -> list[list[Field]]:
    """Property{name=1, value=2}, for a repeated field."""
    return [[(1, name), (2, value)] for name, value in pairs.items()]


def conninfo(clientid: str) -> list[Field]:
    return [
        (1, "emqx@10.0.0.1"), (2, clientid), (3, "anna"), (4, "192.0.2.7"), (5, 1883), (6, "MQTT"), (7, "5"), (8, 60),
        (9, 50123),
    ]  # fmt: skip


def clientinfo(clientid: str, *, peerport: int = 50123) -> list[Field]:
    return [
        (1, "emqx@10.0.0.1"), (2, clientid), (3, "anna"), (4, PASSWORD), (5, "192.0.2.7"), (6, 1883), (7, "mqtt"),
        (8, "mount/"), (9, 1), (11, "device.example"), (12, "CN=device.example"), (13, peerport),
    ]  # fmt: skip


def mqtt_message(clientid: str, topic: str, payload: bytes) -> list[Field]:
    headers = {"username": "anna", "protocol": "mqtt", "peerhost": "192.0.2.7", "allow_publish": "true"}
    return [
        (1, "emqx@10.0.0.1"), (2, "000630A4F4C3F0B1F445000003E80000"), (3, 1), (4, clientid), (5, topic), (6, payload),
        (7, 1_742_000_000_123), *((8, each) for each in properties(headers)),
    ]  # fmt: skip


def provider_loaded() -> bytes:
    return message([(1, [(1, "5.9.1"), (2, "EMQX"), (3, 123456), (4, "2026-01-02 03:04:05")]), (2, META)])


def publish(clientid: str, topic: str, payload: bytes, *, props: bool = True, **user_props: str) -> bytes:
    """MessagePublishRequest; without `props` as version 2 of the protocol has it."""
    fields: list[Field] = [(1, mqtt_message(clientid, topic, payload)), (2, META)]
    if props:
        fields += [(3, each) for each in properties({"Content-Type": "text/csv", "Payload-Format-Indicator": "1"})]
        fields += [(4, each) for each in properties({"site": "north", **user_props})]
    return message(fields)


def connect(clientid: str) -> bytes:
    fields = [(2, each) for each in properties({"Receive-Maximum": "20", "Session-Expiry-Interval": "7200"})]
    return message([(1, conninfo(clientid)), *fields, (3, META), *((4, each) for each in properties({"fw": "1.2"}))])


def connack(clientid: str) -> bytes:
    return message([(1, conninfo(clientid)), (2, "success"), (4, META)])


def client(clientid: str, **at: int) -> bytes:
    """ClientConnected, SessionCreated, SessionResumed, SessionDiscarded and SessionTakenover have the same shape."""
    return message([(1, clientinfo(clientid, **at)), (2, META)])


def ended(clientid: str, reason: str) -> bytes:
    """ClientDisconnected and SessionTerminated."""
    return message([(1, clientinfo(clientid)), (2, reason), (3, META)])


def subscribed(clientid: str, topic: str, qos: int) -> bytes:
    return message([(1, clientinfo(clientid)), (2, topic), (3, [(1, qos), (3, 1), (5, 1)]), (4, META)])


def unsubscribed(clientid: str, topic: str) -> bytes:
    return message([(1, clientinfo(clientid)), (2, topic), (3, META)])


def delivered(receiver: str, sender: str, topic: str, payload: bytes) -> bytes:
    """MessageDelivered and MessageAcked."""
    return message([(1, clientinfo(receiver)), (2, mqtt_message(sender, topic, payload)), (3, META)])


def dropped(sender: str, topic: str, payload: bytes, reason: str) -> bytes:
    return message([(1, mqtt_message(sender, topic, payload)), (2, reason), (3, META)])
