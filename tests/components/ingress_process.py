"""The ingress as a process under test: how it is started, put under load and read behind."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from confluent_kafka import Consumer, Message, TopicPartition
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pipeline.demo.process import Server
from tests.components.mqtt_publisher import Publisher
from tests.parts.part import KafkaPart, MqttPart

RUN = """
import sys, uvloop
from ingress.service import run
from pipeline import log
from pipeline.config.load import load_file
log.configure(json=True)
uvloop.run(run(load_file(sys.argv[1]), ready=lambda: open(sys.argv[2], "w").close()))
"""


@dataclass
class Ingress:
    """One ingress process with topics of its own in the shared Kafka."""

    name: str
    folder: Path
    kafka: KafkaPart
    broker: MqttPart
    source: dict[str, Any] = field(default_factory=dict)
    kafka_settings: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    more_sources: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.messages, self.events, self.dead = (f"{self.name}.{each}" for each in ("messages", "events", "dead"))
        self._config_file = self.folder / "ingress.yaml"
        self.reconfigure()
        self._ready = self.folder / "ready"
        command = [sys.executable, "-c", RUN, str(self._config_file), str(self._ready)]
        self.server = Server(
            "ingress", command, self.folder / "ingress.log", self._ready.exists, folder=Path.cwd(), stop_seconds=25
        )

    def reconfigure(self, **source: Any) -> None:
        """Other settings of the source, from the next start on."""
        self.source = {**self.source, **source}
        self._config_file.write_text(json.dumps(self._config()), encoding="utf-8")

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        self.server.start()

    def lines(self) -> list[dict[str, Any]]:
        """The log, a dictionary for each line."""
        return [json.loads(line) for line in self.server.log.read_text().splitlines()]

    def _config(self) -> dict[str, Any]:
        return {
            "pipeline": self.name,
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "messages_topic": self.messages,
                "events_topic": self.events,
                "dead_letter_topic": self.dead,
                "partitions": 4,
                **self.kafka_settings,
            },
            **self.settings,
            "sources": {
                "mqtt": {
                    **self.more_sources,
                    "plant": {
                        "server": self.broker.server_address,
                        "topics": [f"{self.name}/#"],
                        "clientid_from": [{"topic": f"{self.name}/{{clientid}}/#"}],
                        **self.source,
                    },
                }
            },
        }


def read(kafka: KafkaPart, topic: str, expected: int, *, seconds: float = 30) -> list[Message]:
    """All records of a topic, in order per partition: waits for `expected` at least, then reads what else there is."""
    settings = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "reader", "fetch.message.max.bytes": 1 << 25}
    consumer = Consumer(settings)
    partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
    consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
    found: list[Message] = []
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        fresh = [each for each in consumer.consume(10_000, timeout=1.0) if each.error() is None]
        found += fresh
        if not fresh and len(found) >= expected:
            break
    consumer.close()
    return found


def first_sequences(records: list[Message]) -> dict[str, list[int]]:
    """Sequence numbers by clientid, each at its first delivery, in Kafka's order."""
    seen: dict[str, dict[int, None]] = {}
    for each in records:
        clientid, _, number = (each.value() or b"").decode().partition(":")
        seen.setdefault(clientid, {}).setdefault(int(number.strip()))
    return {clientid: list(numbers) for clientid, numbers in seen.items()}


async def publish_load(ingress: Ingress, *, devices: int, messages: int, rate: float) -> dict[str, int]:
    """`devices` publish `messages` each; how many of each got their PUBACK."""
    port = ingress.broker.port_311

    async def device(clientid: str) -> int:
        publisher = await Publisher.connect(ingress.broker.host, port, clientid)
        topic = f"{ingress.name}/{clientid}/up"
        await publisher.publish(topic, (f"{clientid}:{n}".ljust(100).encode() for n in range(messages)), rate=rate)
        return await publisher.finish()

    names = [f"d{n}" for n in range(devices)]
    return dict(zip(names, await asyncio.gather(*map(device, names)), strict=True))


@contextmanager
def under_load(ingress: Ingress, *, devices: int, messages: int, rate: float) -> Iterator[Future[dict[str, int]]]:
    """Publish in a thread while the body does harm. Servers have to be started from the main thread: see process.py."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(asyncio.run, publish_load(ingress, devices=devices, messages=messages, rate=rate))
        yield load
        load.result()


def assert_all_there(ingress: Ingress, acknowledged: dict[str, int], *, seconds: float = 60) -> list[Message]:
    """Every acknowledged message is in Kafka, first deliveries in the order of publishing."""
    records = read(ingress.kafka, ingress.messages, sum(acknowledged.values()), seconds=seconds)
    found = first_sequences(records)
    for clientid, count in acknowledged.items():
        missing = set(range(count)) - set(found.get(clientid, []))
        assert not missing, f"{clientid}: {len(missing)} of {count} acknowledged messages are not in Kafka"
        assert found[clientid] == list(range(count)), f"{clientid}: out of order"
    return records


def get(url: str) -> str:
    """The body of a page."""
    with urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Collect what comes within a moment and pass it on in one piece."""
    try:
        while chunk := await reader.read(1 << 16):
            await asyncio.sleep(0.02)
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate of 127.0.0.1 that signs itself, as `cert.pem`, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(signed.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def wait_for_line(ingress: Ingress, event: str, *, count: int = 1, seconds: float = 40) -> dict[str, Any]:
    """The `count`th log line of `event`."""
    async with asyncio.timeout(seconds):
        while True:
            found = [line for line in ingress.lines() if line["event"] == event]
            if len(found) >= count:
                return found[count - 1]
            await asyncio.sleep(0.1)


async def wait_until_acknowledged(ingress: Ingress) -> None:
    """A graceful stop tells when something was left over."""
    await asyncio.to_thread(ingress.server.stop)
    assert not [line for line in ingress.lines() if line["event"] == "mqtt.stopped_early"]


def events_of(ingress: Ingress, clientid: str) -> list[dict[str, Any]]:
    give_up = time.monotonic() + 15
    ours: list[dict[str, Any]] = []
    while len(ours) < 2 and time.monotonic() < give_up:
        records = read(ingress.kafka, ingress.events, 2, seconds=5)
        ours = [
            json.loads(each.value() or b"")
            | {"event": dict(each.headers())["event"].decode(), "partition": each.partition()}
            for each in records
            if each.key() == clientid.encode()
        ]
    return ours
