"""Reads the evidence of the proof: the objects of the bucket and, if something is unclear, the records in Kafka.

Both readers remember what they have read, so a second read costs only new data. They use their own clients, because a mistake in
the pipeline's connectors must not hide itself in the proof. They use the connectors only to make a client of Kafka whose lines
stay out of the live view.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import Message, TopicPartition

from pipeline import record
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import Link
from pipeline.demo.proof import Arrival, DeadLetter, MessageId

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

_PARALLEL_READS: Final = 8
_READS_PER_REFRESH: Final = 300
_QUIET_SECONDS: Final = 1.0  # the end of Kafka's log is reached when nothing comes for this time


class Bucket:
    """The present objects of one bucket."""

    def __init__(self, endpoint_url: str, access_key_id: str, secret_access_key: str, bucket: str) -> None:
        self.objects: dict[str, bytes] = {}
        self._tags: dict[str, str] = {}
        self._bucket = bucket
        import boto3  # imported late, when the devices publish already
        from botocore.config import Config as BotoConfig

        self._client: S3Client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            aws_access_key_id=access_key_id,
            aws_secret_access_key=secret_access_key,
            region_name="us-east-1",
            config=BotoConfig(s3={"addressing_style": "path"}, max_pool_connections=_PARALLEL_READS),
        )

    def refresh(self) -> int:
        """Read new and changed objects, up to a limit.

        Returns the number of objects that are left. Call again until it is 0.
        """
        listed = dict(self._list())
        changed = [key for key, tag in listed.items() if self._tags.get(key) != tag]
        now = changed[:_READS_PER_REFRESH]
        with ThreadPoolExecutor(_PARALLEL_READS) as pool:
            self.objects.update(zip(now, pool.map(self._read, now), strict=True))
        self._tags.update((key, listed[key]) for key in now)
        for gone in self.objects.keys() - listed.keys():
            del self.objects[gone], self._tags[gone]
        return len(changed) - len(now)

    def _list(self) -> Iterator[tuple[str, str]]:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket):
            for each in page.get("Contents", ()):
                yield each["Key"], each["ETag"]

    def _read(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()


class Log:
    """The records of the messages topic and of the dead letter topic."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self.arrivals: dict[tuple[int, int], Arrival] = {}
        self.dead_letters: dict[tuple[bytes, ...], DeadLetter] = {}
        self._kafka = kafka
        self._next: dict[tuple[str, int], int] = {}

    def refresh(self) -> None:
        """Read both topics to their end.

        A topic has ended when nothing comes for a second, because the end offsets of the embedded Kafka are wrong.
        """
        topics = (self._kafka.messages_topic, self._kafka.dead_letter_topic)
        link = Link(self._kafka, silent=True)
        consumer = link.reader("demo-proof", {})
        try:
            known = consumer.list_topics(timeout=10).topics
            places = [(topic, number) for topic in topics if topic in known for number in known[topic].partitions]
            consumer.assign([TopicPartition(*place, self._next.get(place, 0)) for place in places])
            while batch := consumer.consume(1000, _QUIET_SECONDS):
                for message in batch:
                    self._add(message)
        finally:
            consumer.close()

    def _add(self, message: Message) -> None:
        topic, partition, offset = str(message.topic()), int(message.partition() or 0), int(message.offset() or 0)
        if message.error() is not None:
            return
        self._next[topic, partition] = offset + 1
        headers: dict[str, bytes] = dict(message.headers() or ())  # type: ignore[arg-type]  # stubs allow a dict too
        clientid = (message.key() or b"").decode(errors="replace")
        value = _json_object(message.value() or b"")
        if topic == self._kafka.messages_topic:
            arrival = Arrival(
                MessageId(clientid, value.get("seq", -1)), message.timestamp()[1], offset, record.DUP in headers
            )
            self.arrivals[partition, offset] = arrival
        else:
            origin = tuple(headers.get(f"dead_letter.{name}", b"") for name in ("rule", "topic", "partition", "offset"))
            what = headers[record.EVENT].decode() if record.EVENT in headers else value.get("seq", -1)
            self.dead_letters[origin] = DeadLetter(origin[0].decode(), (clientid, what))


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
