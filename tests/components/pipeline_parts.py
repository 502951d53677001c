"""A pipeline of its own in the shared Kafka and S3: topics, buckets, workers as processes, and what a test looks at.

Records go into Kafka straight from here, in the shape that the ingress writes, so that each test decides what they look
like. Everything that a test compares comes from the outside: objects from the bucket, offsets from Kafka, lines from the log.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.request import urlopen

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from pipeline.config.load import OBJECT_SETTINGS, load
from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import objects_of
from pipeline.control.plan import change_of, to_apply
from pipeline.demo.process import Server
from pipeline.record import Outgoing, message_record
from tests.parts.logs import log_lines
from tests.parts.part import KafkaPart, S3Part
from tests.parts.waiting import patient, wait_until

Offsets = dict[int, int]
Answer = TypeVar("Answer")
# What a broker says that has just been started, or that has just got a partition.
_LATER = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,
}


def asked(question: Callable[[], Answer]) -> Answer:
    """Kafka's answer, for which some seconds are enough."""
    said: list[KafkaException] = []

    def told() -> tuple[Answer, ...]:
        try:
            return (question(),)
        except KafkaException as error:
            if error.args[0].code() not in _LATER:
                raise
            said.append(error)
            return ()

    (answer,) = wait_until(told, 20, lambda: str(said[-1]))
    return answer


class Delivered(NamedTuple):
    """Where a record is."""

    partition: int
    offset: int
    value: bytes


def message(clientid: str, payload: bytes, *, topic: str = "", at_ms: int = 0, **facts: Any) -> Outgoing:
    """The record of a message that `clientid` published, to t/<clientid> by default."""
    return message_record(
        topic=(topic or f"t/{clientid}").encode(),
        payload=payload,
        qos=facts.get("qos", 1),
        retain=False,
        dup=False,
        clientid=clientid.encode(),
        clientid_from=b"topic",
        timestamp_ms=at_ms or int(time.time() * 1000),
    )


def direct(bucket: str, key: str, **parameters: Any) -> dict[str, Any]:
    """A direct action."""
    return {"connector": "lake", "parameters": {"mode": "direct", "bucket": bucket, "key": key, **parameters}}


def aggregated(bucket: str, key: str, *, seconds: float = 2, rows_max: int = 500, **parameters: Any) -> dict[str, Any]:
    """An aggregated action with small chunks."""
    aggregation = {"time_interval": f"{seconds}s", "max_records": rows_max}
    shape = {"mode": "aggregated", "bucket": bucket, "key": key, "aggregation": aggregation, **parameters}
    return {"connector": "lake", "parameters": shape}


@dataclass
class Pipeline:
    """One pipeline: its configuration, its workers, its data. `rules` maps an id to (SQL, action names)."""

    name: str
    folder: Path
    kafka: KafkaPart
    s3: S3Part
    actions: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    kafka_settings: dict[str, Any] = field(default_factory=dict)
    transport_options: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, Any] = field(default_factory=dict)
    partitions: int = 4
    metrics_port: int = 0  # of the worker, when a test looks at its counters
    otel: dict[str, Any] | None = None
    control: bool = False  # objects are in Kafka, where `apply` puts them
    workers: list[Server] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.topic, self.dead_topic = f"{self.name}.messages", f"{self.name}.dead"
        # A Kafka that is gone is what tests are about, or their end; librdkafka would tell of it between their dots.
        self._servers = {"bootstrap.servers": self.kafka.bootstrap_servers, "log_level": 2}
        self.connect()
        self._admin = AdminClient(self._servers)
        self.store = self.s3.client(retries={"max_attempts": 8})

    # --- The outside systems

    def connect(self, compression: str = "none") -> None:
        """A new producer: one that has met a topic knows its partitions for minutes after it is gone."""
        settings = {"partitioner": "murmur2_random", "message.max.bytes": 16 << 20, "compression.type": compression}
        self._producer = Producer({**self._servers, **settings})

    def prepare(self, *buckets: str) -> None:
        """Create the topics with their partitions, and the buckets."""
        large = {"max.message.bytes": str(16 << 20)}
        new = [NewTopic(name, self.partitions, 1, config=large) for name in (self.topic, self.dead_topic)]
        for future in self._admin.create_topics(new).values():
            future.result(patient(20))
        for bucket in buckets:
            self.store.create_bucket(Bucket=bucket)

    def add_partitions(self, count: int) -> None:
        """Increase the topic's partitions to `count`."""
        made = self._admin.create_partitions([NewPartitions(self.topic, count)])
        made[self.topic].result(patient(20))
        self.partitions = count

    def produce(self, records: Iterable[Outgoing], *, partition: int | None = None) -> list[Delivered]:
        """Write records, and tell where each is after Kafka has acknowledged all."""
        places: list[Delivered] = []

        def delivered(error: Any, found: Message) -> None:
            assert error is None, error
            places.append(Delivered(found.partition() or 0, found.offset() or 0, found.value() or b""))

        for key, value, headers, timestamp in records:
            given = {} if partition is None else {"partition": partition}
            while True:
                try:
                    self._producer.produce(
                        self.topic, value, key, headers=headers, timestamp=timestamp, on_delivery=delivered, **given
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            self._producer.poll(0)
        assert self._producer.flush(patient(60)) == 0
        return places

    def ends(self) -> Offsets:
        """The end offset of each partition."""
        return {number: end for number, (_, end) in self.logs().items()}

    def logs(self) -> dict[int, tuple[int, int]]:
        """The first offset that each partition has, and its end."""
        asking = Consumer({**self._servers, "group.id": "ends"})
        places = [TopicPartition(self.topic, number) for number in range(self.partitions)]
        try:
            return {
                each.partition: asked(lambda each=each: asking.get_watermark_offsets(each, timeout=patient(10)))  # type: ignore[misc]
                for each in places
            }
        finally:
            asking.close()

    def committed(self, action: str) -> Offsets:
        """The committed offset of each partition that has one.

        A consumer asks. AdminClient.list_consumer_group_offsets ends the process when the group's coordinator has just been
        started: librdkafka 2.16 reports the error to the consumer group of that client, which has none.
        """
        places = [TopicPartition(self.topic, number) for number in range(self.partitions)]
        asking = Consumer({**self._servers, "group.id": f"{self.name}.{action}"})
        try:
            found = asked(lambda: asking.committed(places, timeout=patient(20)))
        finally:
            asking.close()
        return {each.partition: each.offset for each in found if each.offset >= 0}

    def members(self, action: str) -> int:
        """Workers in the action's consumer group."""
        group = f"{self.name}.{action}"
        return len(self._admin.describe_consumer_groups([group])[group].result(patient(20)).members)

    def lag(self, action: str) -> int:
        """Records that are not committed."""
        committed = self.committed(action)
        return sum(end - committed.get(number, 0) for number, end in self.ends().items())

    def wait_for_no_lag(self, action: str, seconds: float = 40) -> None:
        """Wait until everything that is in the topic now is committed."""
        wait_until(
            lambda: self.lag(action) == 0, seconds, lambda: f"lag of {action}: {self.lag(action)}\n{self.tails()}"
        )

    def dead_letters(self) -> list[Message]:
        """All records of the dead letter topic."""
        reader = Consumer({**self._servers, "group.id": "dead", "fetch.message.max.bytes": 16 << 20})
        found: list[Message] = []
        try:
            for number in range(self.partitions):
                place = TopicPartition(self.dead_topic, number, 0)
                end = asked(lambda place=place: reader.get_watermark_offsets(place, timeout=patient(10)))[1]  # type: ignore[misc]
                reader.assign([place])
                while len([each for each in found if each.partition() == number]) < end:
                    letter = reader.poll(patient(10))
                    assert letter is not None, "dead letters cannot be read"
                    assert letter.error() is None, letter.error()
                    found.append(letter)
        finally:
            reader.close()
        return found

    def keys(self, bucket: str) -> list[str]:
        """All keys of a bucket."""
        pages = self.store.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def objects(self, bucket: str, keys: Iterable[str] | None = None) -> dict[str, bytes]:
        """Contents by key."""
        wanted = self.keys(bucket) if keys is None else keys
        return {key: self.store.get_object(Bucket=bucket, Key=key)["Body"].read() for key in wanted}

    # --- The processes

    def config(self) -> Path:
        """Write the present configuration, and return its path."""
        path = self.folder / "pipeline.yaml"
        path.write_text(json.dumps(self.settings()), encoding="utf-8")
        return path

    def settings(self) -> dict[str, Any]:
        """The configuration file of the processes: everything, or what is not in Kafka."""
        own = {name: value for name, value in self.whole().items() if name not in OBJECT_SETTINGS}
        return own | {"control": {"topic": f"{self.name}.config"}} if self.control else self.whole()

    def apply(self, **facts: Any) -> int:
        """Make the configuration in Kafka what is wanted now; its revision."""

        async def write() -> int:
            async with ConfigLog(load(self.settings())) as log:
                wanted = objects_of(load(self.whole()))
                steps = to_apply(log.snapshot.objects, wanted, prune=True)
                return (await log.write(change_of(steps, by="test", source="apply", **facts))).revision

        return asyncio.run(write())

    def whole(self) -> dict[str, Any]:
        """The present configuration with all objects."""
        return {
            "pipeline": self.name,
            "kafka": {
                "bootstrap_servers": self.kafka.bootstrap_servers,
                "messages_topic": self.topic,
                "events_topic": self.topic,
                "dead_letter_topic": self.dead_topic,
                "partitions": self.partitions,
                "session_timeout": "3s",
                "commit_interval": "200ms",
                **self.kafka_settings,
            },
            "sources": self.sources,
            "connectors": {
                "s3": {
                    "lake": {
                        "host": self.s3.host,
                        "port": self.s3.port,
                        "access_key_id": self.s3.access_key_id,
                        "secret_access_key": "${TIDEGATE_TEST_SECRET}" if self.control else self.s3.secret_access_key,
                        "transport_options": {
                            "ssl": {"enable": False},
                            "connect_timeout": "2s",
                            "request_timeout": "5s",
                            **self.transport_options,
                        },
                    }
                }
            },
            "actions": {"s3": self.actions},
            "metrics": {"worker_port": self.metrics_port},
            "otel": self.otel,
            "rules": {
                name: {"sql": sql, "actions": [f"s3:{each}" for each in actions]}
                for name, (sql, actions) in self.rules.items()
            },
        }

    def worker(self, *options: str, wait: bool = True, revision: int = 0) -> Server:
        """Start one more worker. Waits until its actions have started, unless `wait` is false. Files have no revision."""
        number = len(self.workers)
        log = self.folder / f"worker-{number}.log"
        file = str(self.config())
        command = [sys.executable, "-m", "pipeline.cli", "worker", "-c", file, "--log", "json", *options]
        if revision:
            file = shutil.copy(file, self.folder / f"worker-{number}.yaml")
            command = [sys.executable, "-m", "tests.parts.worker_of_revision", str(revision), file]

        actions = len(
            self.actions
        )  # not `self`: in a circle its clients of Kafka would live until a collection of garbage

        def started() -> bool:
            return not wait or log.read_text(errors="replace").count("action.started") >= actions

        server = Server(
            f"worker {number}",
            command,
            log,
            started,
            folder=Path.cwd(),
            ready_seconds=patient(30),
            stop_seconds=patient(30),
        )
        self.workers.append(server)
        server.start()
        return server

    def counted(self, name: str, label: str = "") -> float:
        """The sum of a counter of the worker over its labels, or over those with this label."""
        page = urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=patient(5)).read().decode()
        found = [line for line in page.splitlines() if line.startswith(name + "{") and label in line]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def command(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run another command of tidegate with this configuration."""
        command = [sys.executable, "-m", "pipeline.cli", *arguments, "-c", str(self.config())]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=patient(120), check=False)

    def stop(self) -> None:
        """Stop all workers."""
        for server in self.workers:
            server.stop()

    def tails(self) -> str:
        """The end of each worker's log."""
        return "\n".join(f"{server.name}\n{server.tail()}" for server in self.workers)


def lines(server: Server) -> list[dict[str, Any]]:
    """A worker's log line by line. Fails if a line is not JSON, as a traceback is not."""
    return log_lines(server.log)


Make = Callable[..., Pipeline]  # the fixture `make`
