"""The parts of packets: first bytes, flags, and the tuple of a PUBLISH.

Source: MQTT 5.0 and 3.1.1, sections 2.1 (fixed header) and 3.3 (PUBLISH). This file checks nothing.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from pipeline.mqtt.fields import written_varint

# Identifier and value: a number, the bytes of a text or binary, or a pair of texts. Only pairs may repeat.
Properties = tuple[tuple[int, Any], ...]

# Not a property of MQTT: beside those of a message that is too large to keep, with a CutPayload as its value.
CUT: Final = 0x100


class CutPayload(NamedTuple):
    """A payload of which only a beginning was kept: the bytes that it had, and their digest in hexadecimal."""

    size_bytes: int
    sha256: str


# topic name, payload, first byte of the packet (flags), packet identifier (0: QoS 0), properties.
# A plain tuple and not a NamedTuple, because one is made for each message.
Publish = tuple[bytes, bytes, int, int, Properties]

CONNECT: Final = 0x10
CONNACK: Final = 0x20
PUBLISH: Final = 0x30
PUBACK: Final = 0x40
PUBREC: Final = 0x50
PUBREL: Final = 0x62  # SUBSCRIBE, UNSUBSCRIBE and PUBREL have one flag, and always the same
PUBCOMP: Final = 0x70
SUBSCRIBE: Final = 0x82
SUBACK: Final = 0x90
UNSUBSCRIBE: Final = 0xA2
UNSUBACK: Final = 0xB0
PINGREQ: Final = 0xC0
PINGRESP: Final = 0xD0
DISCONNECT: Final = 0xE0
TYPE_MASK: Final = 0xF0

RETAIN_FLAG: Final = 0x01
QOS_MASK: Final = 0x06
QOS1_FLAG: Final = 0x02
QOS2_FLAG: Final = 0x04
DUP_FLAG: Final = 0x08


class Packet(NamedTuple):
    """A packet other than PUBLISH: its first byte, and everything after the length."""

    first_byte: int
    body: bytes


def packet(first_byte: int, body: bytes) -> bytes:
    """The bytes of a packet: first byte, remaining length, body."""
    return bytes([first_byte]) + written_varint(len(body)) + body


def acknowledgements(mids: list[int]) -> bytes:
    """One PUBACK for each of `mids`, joined: "success", which both versions write in the same four bytes."""
    return b"".join([b"\x40\x02" + mid.to_bytes(2, "big") for mid in mids])
