"""A client's parser for the stream of an MQTT server.

It takes 1 µs a message; paho's own loop takes 40. It trusts the server: it does not check topic names and texts, because a wrong
one would come again and end each new connection too. PUBLISH packets become tuples. Every other packet is passed on unchanged,
in its place.

A device chooses the size of a message, and many brokers pass on 256 MB. Such a message would come again after each restart that
it causes. So only the beginning of one is kept that is too large for Kafka, with its size and digest (packets.py, `CUT`).

This file knows neither sockets nor paho.
"""

from __future__ import annotations

import hashlib
from typing import Final

from pipeline.mqtt.fields import ProtocolError, varint
from pipeline.mqtt.framing import NO_LIMIT, Found, Framing
from pipeline.mqtt.packets import CUT, PUBLISH, QOS1_FLAG, QOS_MASK, TYPE_MASK, CutPayload, Packet, Properties, Publish
from pipeline.mqtt.properties import OF_PUBLISH_BY_SERVER, decode
from pipeline.mqtt.reasons import MALFORMED, PROTOCOL_ERROR

KEPT_BYTES_MIN: Final = 128 << 10  # more than the longest topic name
PROPERTIES_BYTES_MAX: Final = 256 << 10  # in memory they become fifty times as much


class Parser(Framing[Packet]):
    """Makes packets from bytes. Use one for each connection. Of a PUBLISH with more than `kept_bytes`, it keeps so many."""

    def __init__(self, *, v5: bool, kept_bytes: int = NO_LIMIT) -> None:
        super().__init__(v5=v5)
        self._kept_bytes_max = max(kept_bytes, KEPT_BYTES_MIN)
        self._large: _Large | None = None

    def feed(self, chunk: bytes) -> list[list[Publish] | Packet]:
        """The packets that `chunk` completes, in order. Neighbouring PUBLISH packets are one list.

        Raises ProtocolError. The parser cannot be used after that.
        """
        found: Found = [[]]
        large = self._large
        if large is not None:
            chunk = large.take(chunk)
            if large.left:
                return []
            self._large = None
            self._publish_cut(found, large)
        self._cut(chunk, found)
        return found

    def _keep(self, b: bytes, start: int, end: int) -> None:
        super()._keep(b, start, end)
        if b[start] & TYPE_MASK == PUBLISH and self._needed > self._kept_bytes_max:
            size, at = varint(b, start + 1, end)
            self._large = _Large(b[start], size, self._kept_bytes_max, self.v5)
            self._large.take(b[at:])
            self._tail = bytearray()

    def _publish_cut(self, found: Found, large: _Large) -> None:
        head, (mid, at, size) = large.head, large.fields
        properties = bytes(head[at : at + size]) if at + size <= len(head) else b""
        topic, payload = bytes(head[2 : 2 + int.from_bytes(head[:2])]), bytes(head[at + size :])
        self._publish(found, topic, payload, large.first, mid, properties)
        *same, decoded = found[-1][-1]
        rest = [each for each in decoded if each[0] != CUT]
        found[-1][-1] = (*same, (*rest, (CUT, CutPayload(large.size - large.payload_at, large.digest.hexdigest()))))

    def _check_header(self, first: int, size: int) -> None:
        """paho judges every other packet."""

    def _packet(self, first: int, body: bytes) -> Packet:
        return Packet(first, body)

    def _publish(self, found: Found, topic: bytes, payload: bytes, first: int, mid: int, properties: bytes) -> None:
        if first & QOS_MASK not in (0, QOS1_FLAG):
            qos = (first & QOS_MASK) >> 1
            raise ProtocolError(PROTOCOL_ERROR, f"expected QoS 0 or 1, as subscribed, found QoS {qos}")
        if len(properties) > PROPERTIES_BYTES_MAX:
            decoded: Properties = ((CUT, CutPayload(len(payload), hashlib.sha256(payload).hexdigest())),)
        else:
            decoded = decode(properties, OF_PUBLISH_BY_SERVER) if properties else ()
        found[-1].append((topic, payload, first, mid, decoded))


class _Large:
    """A PUBLISH of which only the beginning is kept."""

    def __init__(self, first: int, size: int, kept_bytes: int, v5: bool) -> None:
        self.first = first
        self.size = size  # bytes after its length
        self.left = size
        self.head = bytearray()
        self.fields = (0, 0, 0)  # packet identifier, where the properties begin, and their bytes
        self.digest = hashlib.sha256()  # of the payload
        self.payload_at = 0
        self._kept_bytes = min(kept_bytes, size)
        self._v5 = v5

    def take(self, chunk: bytes) -> bytes:
        """Take the bytes of this packet. Returns those behind it. Raises ProtocolError."""
        own, begin = chunk[: self.left], self.size - self.left
        self.left -= len(own)
        if begin < self._kept_bytes:
            self.head += own[: self._kept_bytes - begin]
            if len(self.head) == self._kept_bytes:
                self._read()
                self.digest.update(self.head[self.payload_at :])
        self.digest.update(own[max(0, max(self._kept_bytes, self.payload_at) - begin) :])
        return chunk[len(own) :]

    def _read(self) -> None:
        """Find the fields before the payload. The topic name and the length of the properties are always in the head."""
        mid, at, size = 0, 2 + int.from_bytes(self.head[:2]), 0
        if self.first & QOS_MASK:
            mid, at = int.from_bytes(self.head[at : at + 2]), at + 2
        if self._v5:
            size, at = varint(bytes(self.head[: at + 4]), at, at + 4)
        if at + size > self.size or (self.first & QOS_MASK and not mid):
            raise ProtocolError(MALFORMED, "expected the fields of a PUBLISH, found some that are wrong")
        self.fields, self.payload_at = (mid, at, size), at + size
