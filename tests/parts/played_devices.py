"""Devices at a listener whose sockets and Kafka are played."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import orjson

from ingress.listener.connection import DeviceConnection
from ingress.listener.server import Listener
from pipeline.config import KafkaConfig
from pipeline.config.listener import ListenerSource
from pipeline.connectors.kafka.producer import Producer
from tests.parts.played_kafka import PlayedKafka
from tests.parts.waiting import turns


@dataclass
class PlayedSocket:
    """The device's side of a connection."""

    host: str = "192.0.2.1"
    heard: bytearray = field(default_factory=bytearray)
    writes: int = 0
    reading: bool = True
    closed: bool = False
    carrier: Any = None  # the protocol that gets what the device sends
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def get_extra_info(self, name: str) -> Any:
        return {"peername": (self.host, 5), "sockname": ("192.0.2.9", 1883)}.get(name)

    def write(self, data: bytes) -> None:
        assert not self.closed, "nothing is written after the end"
        self.heard += data
        self.writes += 1

    def pause_reading(self) -> None:
        assert self.reading, "asyncio refuses to pause twice"
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.ended.set()

    def abort(self) -> None:
        self.closed = True


class Gate:
    """A listener, its Kafka, and devices that come one after the other."""

    def __init__(self, **settings: Any) -> None:
        self.kafka = PlayedKafka()
        source = ListenerSource.model_validate({"authentication": "none", "topics": ["#"], **settings})
        kafka = KafkaConfig(bootstrap_servers="k:1")
        self.listener = Listener("devices", source, kafka=kafka, producer=cast(Producer, self.kafka))

    async def device(self, *pieces: bytes, host: str = "192.0.2.1") -> tuple[DeviceConnection, PlayedSocket]:
        connection, sock = DeviceConnection(self.listener), PlayedSocket(host)
        carrier: Any = connection.carried()
        sock.carrier = carrier
        carrier.connection_made(sock)
        for piece in pieces:
            if not sock.closed:
                carrier.data_received(piece)
            await turns()
        return connection, sock

    @property
    def told(self) -> list[str]:
        """What Kafka was given, in short."""
        found = []
        for topic, record, _ in self.kafka.sent:
            if topic == "mqtt.events":
                fields = orjson.loads(record.value)
                found.append(fields.get("reason", "connected"))
            else:
                found.append(record.value.decode("utf-8", "replace"))
        return found
