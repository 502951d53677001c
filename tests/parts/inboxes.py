"""A listener's inbox with a played Kafka, and devices whose messages it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from ingress.listener.identity import Address, Identity
from ingress.listener.inbox import ClientWindow, Inbox
from ingress.listener.words import Ack, Connect
from pipeline.config import KafkaConfig
from pipeline.config.listener import ListenerSource
from pipeline.connectors.kafka.producer import Producer
from pipeline.errors import ConnectorError
from pipeline.mqtt.packets import Publish
from tests.parts.played_kafka import PlayedKafka

CONNECT = Connect(5, "d1", None, None, 60, True, None, ())


@dataclass
class PlayedDevice:
    v5: bool = True
    acknowledged: list[Ack] = field(default_factory=list)
    reading: bool = True
    problem: ConnectorError | None = None

    def acknowledge(self, acks: list[Ack]) -> None:
        self.acknowledged += acks

    def room(self, there_is: bool) -> None:
        self.reading = there_is

    def fail(self, problem: ConnectorError) -> None:
        self.problem = problem


def inbox(**settings: Any) -> tuple[Inbox, PlayedKafka]:
    kafka = PlayedKafka()
    source = ListenerSource.model_validate({"authentication": "none", "topics": ["t/#"], **settings})
    return Inbox("devices", source, KafkaConfig(bootstrap_servers="k:1"), cast(Producer, kafka)), kafka


def client(
    of: Inbox, clientid: str = "d1", *, v5: bool = True, username: str | None = None
) -> tuple[PlayedDevice, ClientWindow, Identity]:
    device = PlayedDevice(v5)
    address = Address("192.0.2.1", "192.0.2.1:5", "192.0.2.9:1883")
    return device, of.window(device), Identity(clientid, username, address, ["t/#"], CONNECT, 0)


def message(mid: int = 0, *, qos: int = 1, topic: bytes = b"t/1", payload: bytes = b"x") -> Publish:
    return topic, payload, 0x30 | qos << 1, mid, ()
