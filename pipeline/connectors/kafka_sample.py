"""The newest few records of the pipeline's topics, for a look: no group, nothing committed, bounded in count and time."""

from __future__ import annotations

import time
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka_topics import client_settings, failure
from pipeline.errors import ConfigError
from pipeline.record import Record

WAIT_SECONDS: Final = 10.0


def newest(kafka: KafkaConfig, count: int) -> list[Record]:
    """At most `count` records, the newest of all partitions, oldest first. Raises a ConnectorError or ConfigError."""
    consumer = Consumer(
        {**client_settings(kafka, "tidegate-sample"), "group.id": "tidegate-sample", "enable.auto.commit": False}
    )
    try:
        return _read(consumer, list(dict.fromkeys([kafka.messages_topic, kafka.events_topic])), count)
    except KafkaException as error:
        raise failure(error.args[0], "cannot read a sample") from error
    finally:
        consumer.close()


def _read(consumer: Consumer, topics: list[str], count: int) -> list[Record]:
    places, missing = [], 0
    for topic in topics:
        known = consumer.list_topics(topic, timeout=WAIT_SECONDS).topics[topic]
        if known.error is not None:
            raise ConfigError(f"no topic {topic!r} in this Kafka")
        for number in known.partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=WAIT_SECONDS)
            if high > low:
                places.append(TopicPartition(topic, number, max(low, high - count)))
                missing += high - max(low, high - count)
    consumer.assign(places)
    found: list[Record] = []
    until = time.monotonic() + WAIT_SECONDS
    while len(found) < missing and time.monotonic() < until:
        messages = consumer.consume(1000, timeout=0.5)
        found.extend(_record(message) for message in messages if message.error() is None)
    found.sort(key=lambda record: (record.timestamp, record.topic, record.partition, record.offset))
    return found[-count:]


def _record(message: Any) -> Record:
    headers = [(name, value or b"") for name, value in message.headers() or ()]
    place = message.topic(), message.partition(), message.offset(), message.timestamp()[1]
    return Record(*place, message.key(), message.value(), headers)
