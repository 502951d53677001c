"""Bytes that devices send to a listener: good packets, and streams of good and bad ones."""

from __future__ import annotations

from hypothesis import strategies as st

from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.fields import written_varint
from pipeline.mqtt.packets import packet

CONNECT_311 = packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d1")
CONNECT_5 = packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x02d1")


def publish(topic: bytes, payload: bytes, *, mid: int = 0, qos: int = 0, properties: bytes | None = None) -> bytes:
    """A PUBLISH. `properties` None: MQTT 3.1.1."""
    body = text(topic) + (mid.to_bytes(2, "big") if qos else b"")
    if properties is not None:
        body += written_varint(len(properties)) + properties
    return packet(0x30 | qos << 1, body + payload)


VALID = [
    publish(b"t/1", b"x", properties=b""),
    publish(b"t/1", b"", properties=b""),
    publish(b"t/1", b"", mid=1, qos=1, properties=b""),
    publish(b"t/1", b"long" * 50, mid=2, qos=1, properties=b"\x01\x01"),
    publish(b"t/2", b"two", mid=3, qos=2, properties=b""),
    publish(b"t/2", b"two", mid=3, qos=2, properties=b""),
    publish(b"", b"alias", properties=b"\x23\x00\x01"),
    publish(b"t/3", b"alias", properties=b"\x23\x00\x01"),
    publish("t/ü".encode(), b"\xff", mid=9, qos=1, properties=b"\x26" + text(b"k") + text(b"v")),
    b"\xc0\x00",
    packet(0x82, b"\x00\x01\x00" + text(b"a/#") + b"\x01"),
    packet(0xA2, b"\x00\x01\x00" + text(b"a/#")),
    packet(0x62, b"\x00\x03"),
    b"\xe0\x00",
]
STREAMS = st.one_of(
    st.binary(max_size=200),
    st.binary(max_size=200).map(lambda rest: CONNECT_5 + rest),
    st.binary(max_size=200).map(lambda rest: CONNECT_311 + rest),
    st.lists(st.one_of(st.sampled_from(VALID), st.binary(max_size=8)), max_size=12).map(
        lambda packets: CONNECT_5 + b"".join(packets)
    ),
    st.lists(st.sampled_from(VALID), max_size=12).map(lambda packets: CONNECT_311 + b"".join(packets)),
)
