"""What people and time do to the topic, the group and the bucket of a pipeline while it runs or is away, each a verb."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from pipeline.record import Outgoing
from pipeline.upload.ledger import ChainPlace, first_of, is_entry_key, place_of
from tests.components.pipeline_parts import Offsets, Pipeline
from tests.parts.waiting import let_pass, patient, wait_until

SEGMENT_MS: Final = 100
# What a group says in which the members that died are still counted, or that is between two of them.
NOT_EMPTY: Final = {
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


def _admin(pipeline: Pipeline) -> AdminClient:
    return AdminClient({"bootstrap.servers": pipeline.kafka.bootstrap_servers})


# --- The topic


def delete_records(pipeline: Pipeline, before: Offsets) -> None:
    """Kafka forgets the records of each partition before an offset, as retention does."""
    places = [TopicPartition(pipeline.topic, number, offset) for number, offset in before.items()]
    admin = _admin(pipeline)  # a client that nobody holds answers nobody
    for future in admin.delete_records(places).values():
        future.result(patient(20))


def make_topic_again(pipeline: Pipeline) -> None:
    """Delete the topic of messages, and make another one of the name."""
    admin, name = _admin(pipeline), pipeline.topic
    admin.delete_topics([name])[name].result(patient(20))

    def made() -> bool:
        try:
            admin.create_topics([NewTopic(name, pipeline.partitions, 1)])[name].result(patient(20))
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False  # the one before is not quite gone
        return True

    wait_until(made, 20, lambda: f"{name} is still there")
    pipeline.connect()
    pipeline.logs()  # each partition has a leader


def lose_the_log(pipeline: Pipeline) -> None:
    """The broker loses its files of the topic, and keeps the topic: a disk that was exchanged, an old snapshot of it."""
    kafka = pipeline.kafka
    kafka.kill()
    for number in range(pipeline.partitions):
        shutil.rmtree(kafka.server.log.parent / "data" / f"{pipeline.topic}-{number}")
    kafka.start()


def produce_in_transactions(pipeline: Pipeline, records: list[Outgoing], partition: int) -> None:
    """Two transactions for each record: one is committed, one aborted. Each leaves a marker behind it, which has an offset."""
    producer = Producer({"bootstrap.servers": pipeline.kafka.bootstrap_servers, "transactional.id": pipeline.name})
    producer.init_transactions(patient(20))
    for key, value, headers, timestamp in records:
        producer.begin_transaction()
        producer.produce(pipeline.topic, value, key, partition, headers=headers, timestamp=timestamp)
        producer.commit_transaction(patient(20))
        producer.begin_transaction()
        producer.produce(pipeline.topic, value, key, partition, headers=headers, timestamp=timestamp)
        producer.flush(patient(20))
        producer.abort_transaction(patient(20))


def compact(pipeline: Pipeline, last: Callable[[], object]) -> None:
    """Have Kafka keep the last record of each key, of all that are in the topic before the ones that `last` produces."""
    settings = {
        "cleanup.policy": "compact",
        "segment.ms": f"{SEGMENT_MS}",
        "min.cleanable.dirty.ratio": "0.01",
    }
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in settings.items()
    ]
    topic = ConfigResource(ResourceType.TOPIC, pipeline.topic, incremental_configs=entries)
    admin = _admin(pipeline)
    admin.incremental_alter_configs([topic])[topic].result(patient(20))
    let_pass(2 * SEGMENT_MS / 1000)  # records begin a new segment when the one before is that old
    last()


def offsets_with_records(pipeline: Pipeline, partition: int) -> list[int]:
    """The offsets at which a consumer is shown a record."""
    end = pipeline.logs()[partition][1]
    reader = Consumer(
        {"bootstrap.servers": pipeline.kafka.bootstrap_servers, "group.id": "shown", "enable.partition.eof": True}
    )
    reader.assign([TopicPartition(pipeline.topic, partition, 0)])
    found: list[int] = []
    try:
        while True:
            record = reader.poll(patient(10))
            assert record is not None, f"{end} offsets, and {len(found)} shown"
            error = record.error()
            if error is not None and error.code() == KafkaError._PARTITION_EOF:
                return found
            assert error is None, error
            found.append(record.offset() or 0)
    finally:
        reader.close()


# --- The group


def reset_group(pipeline: Pipeline, action: str, offsets: Offsets) -> None:
    """Set committed offsets, as kafka-consumer-groups --reset-offsets does when no worker runs."""
    places = [TopicPartition(pipeline.topic, number, offset) for number, offset in offsets.items()]
    group = Consumer({"bootstrap.servers": pipeline.kafka.bootstrap_servers, "group.id": f"{pipeline.name}.{action}"})

    def done() -> bool:
        try:
            group.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in NOT_EMPTY:
                raise
            return False
        return True

    try:
        wait_until(done, 20, lambda: f"{action} has members")
    finally:
        group.close()


# --- The bucket


@dataclass(frozen=True)
class Snapshot:
    """A bucket as it was."""

    bucket: str
    objects: Mapping[str, tuple[bytes, Mapping[str, str]]]

    @classmethod
    def of(cls, pipeline: Pipeline, bucket: str) -> Self:
        found = {}
        for key in pipeline.keys(bucket):
            each: dict[str, Any] = pipeline.store.get_object(Bucket=bucket, Key=key)
            found[key] = each["Body"].read(), each["Metadata"]
        return cls(bucket, found)

    def put_back(self, pipeline: Pipeline) -> None:
        """What came since is gone, and what was changed is as it was."""
        for key in pipeline.keys(self.bucket):
            if key not in self.objects:
                pipeline.store.delete_object(Bucket=self.bucket, Key=key)
        for key, (body, metadata) in self.objects.items():
            pipeline.store.put_object(Bucket=self.bucket, Key=key, Body=body, Metadata=metadata)


def expire_last_entries(pipeline: Pipeline, bucket: str) -> int:
    """The last entry of each partition's ledger goes. Returns how many did."""
    last = {(place.topic_id, place.partition): key for place, key in _entries(pipeline, bucket)}
    for key in last.values():
        pipeline.store.delete_object(Bucket=bucket, Key=key)
    return len(last)


def expire_entries(pipeline: Pipeline, bucket: str, partition: int, first: int) -> int:
    """The entries of a partition go that begin at offset `first` or later. Returns how many did."""
    found = [
        key for place, key in _entries(pipeline, bucket) if place.partition == partition and first_of(key) >= first
    ]
    for key in found:
        pipeline.store.delete_object(Bucket=bucket, Key=key)
    return len(found)


def _entries(pipeline: Pipeline, bucket: str) -> list[tuple[ChainPlace, str]]:
    """The keys of all entries, in their order."""
    places = [(place_of(key), key) for key in sorted(pipeline.keys(bucket))]
    return [(place, key) for place, key in places if place and is_entry_key(place, key)]
