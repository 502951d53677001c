"""Reading a range of Kafka's records from outside: no group, nothing committed, and an end.

For commands that look at what is there; what must not miss a record as they come is agents/transport.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka_topics import client_settings, failure
from pipeline.errors import ConfigError, RetryableError
from pipeline.record import Record

WAIT_SECONDS: Final = 10.0
SILENCE_SECONDS_MAX: Final = 30.0
Span = tuple[str, int, int, int]  # topic, partition, first offset, the one after the last


def newest(kafka: KafkaConfig, count: int) -> list[Record]:
    """At most `count` records of messages and events, the newest of all partitions, oldest first.

    Raises a ConnectorError or ConfigError.
    """
    topics = list(dict.fromkeys([kafka.messages_topic, kafka.events_topic]))
    with _consumer(kafka) as consumer:
        spans = _spans(consumer, topics, lambda place, low, high: max(low, high - count))
        found = sorted(
            _read(consumer, spans), key=lambda each: (each.timestamp, each.topic, each.partition, each.offset)
        )
    return found[-count:]


def everything(kafka: KafkaConfig, topic: str, *, since_ms: int | None = None) -> Iterator[Record]:
    """What a topic holds now, from a time on or from its beginning, in order within each partition.

    Raises a ConnectorError or ConfigError.
    """
    with _consumer(kafka) as consumer:

        def begin(place: TopicPartition, low: int, high: int) -> int:
            if since_ms is None:
                return low
            (found,) = consumer.offsets_for_times(
                [TopicPartition(place.topic, place.partition, since_ms)], timeout=WAIT_SECONDS
            )
            return high if found.offset < 0 else found.offset

        yield from _read(consumer, _spans(consumer, [topic], begin))


@contextmanager
def _consumer(kafka: KafkaConfig) -> Iterator[Consumer]:
    settings = {
        **client_settings(kafka, "tidegate-reader"),
        "group.id": "tidegate-reader",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "fetch.message.max.bytes": kafka.max_message_bytes,
    }
    consumer = Consumer(settings)
    try:
        yield consumer
    except KafkaException as error:
        raise failure(error.args[0], "cannot read") from error
    finally:
        consumer.close()


def _spans(consumer: Consumer, topics: Sequence[str], begin: Callable[[TopicPartition, int, int], int]) -> list[Span]:
    """What is there of each partition of `topics` now; `begin` is asked where to begin between its low and high ends."""
    spans = []
    for topic in topics:
        known = consumer.list_topics(topic, timeout=WAIT_SECONDS).topics[topic]
        if known.error is not None:
            raise ConfigError(f"no topic {topic!r} in this Kafka")
        for number in known.partitions:
            place = TopicPartition(topic, number)
            low, high = consumer.get_watermark_offsets(place, timeout=WAIT_SECONDS)
            first = begin(place, low, high)
            if high > first:
                spans.append((topic, number, first, high))
    return spans


def _read(consumer: Consumer, spans: list[Span]) -> Iterator[Record]:
    ends = {(topic, partition): end for topic, partition, _, end in spans}
    consumer.assign([TopicPartition(topic, partition, first) for topic, partition, first, _ in spans])
    give_up = time.monotonic() + SILENCE_SECONDS_MAX
    while ends:
        for message in consumer.consume(1000, timeout=0.5):
            give_up = time.monotonic() + SILENCE_SECONDS_MAX
            place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
            error = message.error()
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if place not in ends:
                continue
            if error is None and offset < ends[place]:
                yield _record(message)
            if error is not None or offset + 1 >= ends[place]:
                del ends[place]  # by its end as well: the last offset may be a transaction's, and no record's
        if time.monotonic() > give_up:
            raise RetryableError(f"Kafka sent nothing for {SILENCE_SECONDS_MAX:g} s", reason="timeout")


def _record(message: Any) -> Record:
    headers = [(name, value or b"") for name, value in message.headers() or ()]
    place = message.topic(), message.partition(), message.offset(), message.timestamp()[1]
    return Record(*place, message.key(), message.value(), headers)
