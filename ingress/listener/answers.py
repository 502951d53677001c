"""Our answers to a device, as bytes in its version of MQTT.

Sources: MQTT 5.0 and 3.1.1, sections 3.2 (CONNACK), 3.4 to 3.7, 3.9, 3.11, 3.13, 3.14. This file does not
know the state of the conversation.
"""

from __future__ import annotations

from typing import Final

from ingress.listener import words
from pipeline.mqtt import packets, reasons
from pipeline.mqtt.packets import acknowledgements, packet
from pipeline.mqtt.properties import (
    ALIAS_MAXIMUM,
    ASSIGNED_CLIENTID,
    IDENTIFIERS_AVAILABLE,
    PACKET_MAXIMUM,
    REASON_STRING,
    RECEIVE_MAXIMUM,
    SERVER_KEEPALIVE,
    SESSION_EXPIRY,
    SHARED_AVAILABLE,
    WILDCARDS_AVAILABLE,
    written_properties,
)

NO_SUBSCRIPTIONS: Final = {WILDCARDS_AVAILABLE: 0, IDENTIFIERS_AVAILABLE: 0, SHARED_AVAILABLE: 0}
REASON_BYTES_MAX: Final = 200


class Answers:
    """Writes answers to one device. After a CONNACK for `connected`, the last packet is a DISCONNECT and not a CONNACK."""

    __slots__ = ("_packet_bytes_max", "_receive_max", "connected", "device_packet_max", "v5")

    def __init__(self, packet_bytes_max: int, receive_max: int) -> None:
        self._packet_bytes_max = packet_bytes_max
        self._receive_max = receive_max
        self.device_packet_max = 0xFFFFFFFF
        self.connected = False
        self.v5 = False

    def acks(self, acks: list[words.Ack]) -> bytes:
        """PUBACK and PUBREC. "Success" has the same four bytes in both versions."""
        if all(ack < words.QOS2 for ack in acks):
            return acknowledgements(acks)
        return b"".join([self._ack(ack) for ack in acks])

    def _ack(self, ack: words.Ack) -> bytes:
        mid, code = (ack & 0xFFFF).to_bytes(2, "big"), ack >> words.REASON_SHIFT
        first = packets.PUBREC if ack & words.QOS2 else packets.PUBACK
        return packet(first, mid + bytes([code]) if code and self.v5 else mid)

    def other(self, word: words.Told) -> bytes:
        """Every answer except acknowledgements and last packets."""
        match word:
            case words.ConnAck():
                return self._connack(word)
            case words.Complete(mid, code):
                return packet(packets.PUBCOMP, mid.to_bytes(2, "big") + (bytes([code]) if code and self.v5 else b""))
            case words.SubAck(mid, filters):
                code = reasons.NOT_AUTHORIZED if self.v5 else reasons.UNSPECIFIED
                return packet(packets.SUBACK, mid.to_bytes(2, "big") + b"\0" * self.v5 + bytes([code]) * filters)
            case words.UnsubAck(mid, filters):
                codes = b"\0" + bytes([reasons.NO_SUBSCRIPTION]) * filters if self.v5 else b""
                return packet(packets.UNSUBACK, mid.to_bytes(2, "big") + codes)
        return packet(packets.PINGRESP, b"")

    def _connack(self, word: words.ConnAck) -> bytes:
        if word.code != reasons.SUCCESS:
            return self.refusal(words.Bye(word.code))
        self.connected = True
        if not self.v5:
            return b"\x20\x02" + bytes([word.session_present, 0])
        told: dict[int, bytes | int] = {
            RECEIVE_MAXIMUM: self._receive_max,
            PACKET_MAXIMUM: self._packet_bytes_max,
            ALIAS_MAXIMUM: words.TOPIC_ALIASES_MAX,
            **NO_SUBSCRIPTIONS,
        }
        if word.session_expiry_seconds is not None:
            told[SESSION_EXPIRY] = word.session_expiry_seconds
        if word.assigned is not None:
            told[ASSIGNED_CLIENTID] = word.assigned.encode()
        if word.keepalive_seconds is not None:
            told[SERVER_KEEPALIVE] = word.keepalive_seconds
        return self._if_readable(packet(packets.CONNACK, bytes([word.session_present, 0]) + written_properties(told)))

    def refusal(self, word: words.Bye) -> bytes:
        """A CONNACK that refuses. For an unknown version it has the form of 3.1.1."""
        if self.v5:
            return self._last(packets.CONNACK, b"\0", word)
        code = words.CONNACK_311.get(word.code, 3)
        return b"" if word.code in (reasons.MALFORMED, reasons.PROTOCOL_ERROR) else b"\x20\x02\x00" + bytes([code])

    def bye(self, word: words.Bye) -> bytes:
        """A DISCONNECT, or nothing in MQTT 3.1.1, where a server sends none."""
        return self._last(packets.DISCONNECT, b"", word) if self.v5 else b""

    def _last(self, first: int, before: bytes, word: words.Bye) -> bytes:
        reason = word.reason.encode()[:REASON_BYTES_MAX].decode("utf-8", "ignore").encode()
        told: dict[int, bytes | int] = {REASON_STRING: reason} if reason else {}
        whole = self._if_readable(packet(first, before + bytes([word.code]) + written_properties(told)))
        return whole or self._if_readable(packet(first, before + bytes([word.code]) + b"\0"))

    def _if_readable(self, whole: bytes) -> bytes:
        return whole if len(whole) <= self.device_packet_max else b""
