"""The ingress as a process under test: start, load, and what it wrote."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from pipeline.config.load import load, load_file
from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import objects_of
from pipeline.control.plan import change_of, to_apply
from pipeline.demo.process import Server
from tests.components.mqtt_publisher import Publisher
from tests.parts.logs import log_lines
from tests.parts.part import KafkaPart, MqttPart
from tests.parts.waiting import POLL_SECONDS, patient, pause, until, wait_until

PARTITIONS = 4
BARRIER = b"barrier"
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
    """One ingress process with its own topics in the shared Kafka."""

    name: str
    folder: Path
    kafka: KafkaPart
    broker: MqttPart
    source: dict[str, Any] = field(default_factory=dict)
    kafka_settings: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    more_sources: dict[str, Any] = field(default_factory=dict)
    control: bool = False  # sources are in Kafka, where `apply` puts them

    def __post_init__(self) -> None:
        self.messages, self.events, self.dead = (f"{self.name}.{each}" for each in ("messages", "events", "dead"))
        self._config_file = self.folder / "ingress.yaml"
        self.reconfigure()
        self._ready = self.folder / "ready"
        command = [sys.executable, "-c", RUN, str(self._config_file), str(self._ready)]
        self.server = Server(
            "ingress",
            command,
            self.folder / "ingress.log",
            self._ready.exists,
            folder=Path.cwd(),
            ready_seconds=patient(60),
            stop_seconds=patient(25),
        )

    def reconfigure(self, **source: Any) -> None:
        """Change settings of the source for the next start."""
        self.source = {**self.source, **source}
        own = {name: each for name, each in self._config().items() if name != "sources"}
        file = own | {"control": {"topic": f"{self.name}.config"}} if self.control else self._config()
        self._config_file.write_text(json.dumps(file), encoding="utf-8")

    def apply(self) -> int:
        """Make the sources in Kafka what is wanted now; the revision."""

        async def write() -> int:
            async with ConfigLog(load_file(self._config_file)) as log:
                steps = to_apply(log.snapshot.objects, objects_of(load(self._config())), prune=True)
                return (await log.write(change_of(steps, by="test", source="apply"))).revision

        return asyncio.run(write())

    def start(self) -> None:
        self._ready.unlink(missing_ok=True)
        self.server.start()

    def lines(self) -> list[dict[str, Any]]:
        """The log, with a dictionary for each line."""
        return log_lines(self.server.log)

    def memory_peak_bytes(self) -> int:
        """The most memory that the process ever had."""
        status = Path(f"/proc/{self.server.pid}/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

    def _config(self) -> dict[str, Any]:
        return {
            "pipeline": self.name,
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "messages_topic": self.messages,
                "events_topic": self.events,
                "dead_letter_topic": self.dead,
                "partitions": PARTITIONS,
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
    """Wait for at least `expected` records of a topic, and return all records up to its present end, in order per partition."""
    settings = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "reader", "fetch.message.max.bytes": 1 << 25}
    consumer = Consumer(settings)
    partitions = consumer.list_topics(topic, timeout=patient(20)).topics[topic].partitions
    consumer.assign([TopicPartition(topic, each, 0) for each in partitions])
    read_to = dict.fromkeys(partitions, 0)
    found: list[Message] = []
    give_up = time.monotonic() + patient(seconds)
    while (len(found) < expected or _ends(consumer, topic, read_to) != read_to) and time.monotonic() < give_up:
        for each in consumer.consume(10_000, timeout=POLL_SECONDS):
            if each.error() is None:
                found.append(each)
                read_to[each.partition() or 0] = (each.offset() or 0) + 1
    consumer.close()
    return found


def stored(ingress: Ingress) -> int:
    """The number of messages in Kafka now."""
    consumer = Consumer({"bootstrap.servers": ingress.kafka.bootstrap_servers, "group.id": "counter"})
    try:
        return sum(_ends(consumer, ingress.messages, range(PARTITIONS)).values())
    finally:
        consumer.close()


def _ends(consumer: Consumer, topic: str, partitions: Iterable[int]) -> dict[int, int]:
    """The end offset of each partition that has a leader: one that was just made, or whose broker was just started, may not."""
    ends: dict[int, int] = {}
    for each in partitions:
        with suppress(KafkaException):
            ends[each] = consumer.get_watermark_offsets(TopicPartition(topic, each), timeout=patient(10))[1]
    return ends


async def barrier(ingress: Ingress, before: int) -> list[Message]:
    """All records, when a message that was published last is one of them: what had to come before it, `before`, has come.

    How many records there are does not tell that it is: a message that the broker sent again is in Kafka twice.
    """
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "barrier")
    await publisher.publish(f"{ingress.name}/barrier/up", [BARRIER])
    await publisher.finish()
    records = await records_with(ingress, BARRIER, before + 1)
    return [each for each in records if each.value() != BARRIER]


async def records_with(ingress: Ingress, value: bytes, expected: int) -> list[Message]:
    """All records, `expected` at least, when one with this value is among them."""
    records = list[Message]()

    def there() -> bool:
        records[:] = read(ingress.kafka, ingress.messages, max(expected, len(records)))
        return value in [each.value() for each in records]

    await asyncio.to_thread(wait_until, there, 30, lambda: f"{value!r} is not in Kafka")
    return records


def first_sequences(records: list[Message]) -> dict[str, list[int]]:
    """Sequence numbers by clientid at their first delivery, in Kafka's order."""
    seen: dict[str, dict[int, None]] = {}
    for each in records:
        clientid, _, number = (each.value() or b"").decode().partition(":")
        seen.setdefault(clientid, {}).setdefault(int(number.strip()))
    return {clientid: list(numbers) for clientid, numbers in seen.items()}


async def publish_load(ingress: Ingress, *, devices: int, messages: int, rate: float) -> dict[str, int]:
    """Let `devices` publish `messages` each. Returns how many of each got their PUBACK."""
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
    """Publish in a thread while the body causes faults. Start servers only from the main thread: see process.py."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(asyncio.run, publish_load(ingress, devices=devices, messages=messages, rate=rate))
        yield load
        load.result()


def missing(records: list[Message], acknowledged: dict[str, int]) -> dict[str, list[int]]:
    """The first few acknowledged messages of each client that are in no record."""
    found = first_sequences(records)
    lacking = {name: sorted(set(range(count)) - set(found.get(name, ())))[:5] for name, count in acknowledged.items()}
    return {name: numbers for name, numbers in lacking.items() if numbers}


def assert_all_there(ingress: Ingress, acknowledged: dict[str, int], *, seconds: float = 60) -> list[Message]:
    """Every acknowledged message comes into Kafka, first deliveries in the order of publishing. All records.

    The broker may still hold messages when their publishers have their acknowledgements. How many records there are does not
    tell: a message that a kill made the broker send again is in Kafka twice.
    """
    expected, records = sum(acknowledged.values()), list[Message]()

    def all_there() -> bool:
        records[:] = read(ingress.kafka, ingress.messages, max(expected, len(records)), seconds=seconds)
        return not missing(records, acknowledged)

    wait_until(all_there, seconds, lambda: f"not in Kafka, though acknowledged: {missing(records, acknowledged)}")
    found = first_sequences(records)
    for clientid, count in acknowledged.items():
        assert found[clientid] == list(range(count)), f"{clientid}: out of order"
    return records


def get(url: str) -> str:
    """The body of a page."""
    with urlopen(url, timeout=patient(10)) as answer:
        return str(answer.read().decode())


async def page_with(url: str, *wanted: str) -> str:
    """Wait until a page has all of these texts, and return it: its numbers follow what they count, some of them each second."""

    def page() -> str:
        found = get(url)
        return found if all(each in found for each in wanted) else ""

    found: str = await asyncio.to_thread(wait_until, page, 30, lambda: get(url))
    return found


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Collect bytes for a moment and pass them on in one piece, so that the receiver reads many packets at once."""
    try:
        while chunk := await reader.read(1 << 16):
            await pause(0.02)
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


async def wait_for_line(ingress: Ingress, event: str, *, count: int = 1, seconds: float = 40) -> dict[str, Any]:
    """Wait for the `count`th log line of `event`."""

    def found() -> dict[str, Any] | None:
        return next(islice((line for line in ingress.lines() if line["event"] == event), count - 1, None), None)

    line: dict[str, Any] = await until(found, seconds, ingress.server.tail)
    return line


async def wait_until_acknowledged(ingress: Ingress) -> None:
    """Stop the ingress, which reports whether messages were left over."""
    await asyncio.to_thread(ingress.server.stop)
    assert not [line for line in ingress.lines() if line["event"] == "mqtt.stopped_early"]


def events_of(ingress: Ingress, clientid: str) -> list[dict[str, Any]]:
    """The events of a client after it has connected and disconnected."""
    ours: list[dict[str, Any]] = []

    def come_and_gone() -> bool:
        ours[:] = [
            json.loads(each.value() or b"")
            | {"event": dict(each.headers())["event"].decode(), "partition": each.partition()}
            for each in read(ingress.kafka, ingress.events, 2)
            if each.key() == clientid.encode()
        ]
        return len(ours) >= 2

    wait_until(come_and_gone, 15, lambda: str(ours))
    return ours
