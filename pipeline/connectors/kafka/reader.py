"""Reads a range of Kafka's records up to an end, without a consumer group and without commits.

This is for commands that read the present records. The worker must not miss a record; it reads with agents/stream/transport.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, OPERATOR, UNKNOWN, Link, failure
from pipeline.errors import NotFoundError, RecordsGoneError, RetryableError
from pipeline.record import Record

SILENCE_SECONDS_MAX: Final = 30.0
LOOK_SECONDS: Final = 5.0  # of silence, after which Kafka is asked whether it still lets us read
BATCH_RECORDS_MAX: Final = 5_000
ARRIVING_SECONDS: Final = 0.5


class Span(NamedTuple):
    """Records of one partition: from offset `first` up to `end`, which is not included."""

    topic: str
    partition: int
    first: int
    end: int


class Bound(NamedTuple):
    """The begin or end of a range in each partition: an offset, or the first record since a time (ms since 1970)."""

    offset: int | None = None
    time_ms: int | None = None


def newest(kafka: KafkaConfig, count: int) -> list[Record]:
    """At most `count` records of messages and events, the newest of all partitions, oldest first.

    Raises a ConnectorError or NotFoundError.
    """
    topics = list(dict.fromkeys([kafka.messages_topic, kafka.events_topic]))
    with _consumer(kafka) as (_, consumer):
        spans = _spans(consumer, topics, lambda place, low, high: (max(low, high - count), high))
        found = sorted(
            _read(consumer, spans), key=lambda each: (each.timestamp, each.topic, each.partition, each.offset)
        )
    return found[-count:]


def everything(kafka: KafkaConfig, topic: str) -> Iterator[Record]:
    """The present records of a topic, in the order of each partition.

    Raises a ConnectorError or NotFoundError.
    """
    with _consumer(kafka) as (_, consumer):
        yield from _read(consumer, _spans(consumer, [topic], lambda place, low, high: (low, high)))


def ranges(
    kafka: KafkaConfig, topics: Sequence[str], since: Bound, until: Bound | None, partitions: Sequence[int] = ()
) -> list[Span]:
    """The present offsets of each partition of `topics` from `since` up to `until`, which is not included (None: now).

    `partitions`: only these partitions, or all if empty. Raises a ConnectorError or NotFoundError.
    """
    with _consumer(kafka) as (_, consumer):

        def offset(bound: Bound, place: TopicPartition, low: int, high: int) -> int:
            wanted = bound.offset if bound.time_ms is None else _at(consumer, place, bound.time_ms, high)
            return min(high, max(low, wanted or 0))

        def both(place: TopicPartition, low: int, high: int) -> tuple[int, int]:
            return offset(since, place, low, high), high if until is None else offset(until, place, low, high)

        return _spans(consumer, topics, both, partitions)


def batches(kafka: KafkaConfig, span: Span) -> Generator[list[Record]]:
    """The records of one span, in order, in batches of about a thousand. Raises a ConnectorError or NotFoundError."""
    first = span.first
    while first < span.end:
        with _consumer(kafka) as (link, consumer):
            reading = _read(consumer, [span._replace(first=first)])
            while records := list(islice(reading, BATCH_RECORDS_MAX)):
                yield records
                first = records[-1].offset + 1
                if link.refresh(consumer):  # whoever handles a batch may take hours
                    break
            else:
                return


def goes_to(kafka: KafkaConfig, topic: str, partition: int, end: int) -> bool:
    """Whether the log of a partition goes up to offset `end`: reads what is before it, and does not ask where the log ends.

    Raises a ConnectorError if Kafka does not answer.
    """
    with _consumer(kafka) as (_, consumer):
        consumer.assign([TopicPartition(topic, partition, end - 1)])
        give_up = time.monotonic() + ANSWER_SECONDS / 2
        while time.monotonic() < give_up:
            for message in consumer.consume(1, timeout=ARRIVING_SECONDS):
                error, offset = message.error(), message.offset() or 0
                if error is None:
                    return bool(offset >= end - 1)
                if error.code() == KafkaError._PARTITION_EOF:
                    return bool(offset >= end)
                if error.code() == KafkaError._AUTO_OFFSET_RESET:  # the log has no such offset
                    return False
                raise KafkaException(error)
        # The embedded Kafka says nothing about an offset that is far beyond its end. One that is away does not answer this.
        consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ANSWER_SECONDS)
    return False


def arriving(kafka: KafkaConfig) -> Generator[list[Record]]:
    """Messages and events as they come from now on, twice a second at least: a batch may be empty. It ends when it is closed.

    Raises a ConnectorError or NotFoundError.
    """
    with _consumer(kafka) as (_, consumer):
        ends: list[Span] = []

        def end(place: TopicPartition, low: int, high: int) -> tuple[int, int]:
            ends.append(Span(place.topic, place.partition, high, high))
            return high, high

        _spans(consumer, list(dict.fromkeys([kafka.messages_topic, kafka.events_topic])), end)
        consumer.assign([TopicPartition(each.topic, each.partition, each.first) for each in ends])
        while True:
            found = consumer.consume(BATCH_RECORDS_MAX, timeout=ARRIVING_SECONDS)
            for message in found:
                error = message.error()
                if error is not None and error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
            yield [record_of(message) for message in found if message.error() is None]


@contextmanager
def _consumer(kafka: KafkaConfig) -> Iterator[tuple[Link, Consumer]]:
    settings = {
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "fetch.message.max.bytes": kafka.max_message_bytes,
    }
    link = Link(kafka, silent=True)  # the caller's error gives the reason
    consumer = link.reader("reader", settings)
    try:
        yield link, consumer
    except KafkaException as error:
        raise link.why(consumer, error.args[0], "cannot read") from error
    finally:
        consumer.close()


def _at(consumer: Consumer, place: TopicPartition, time_ms: int, high: int) -> int:
    """The first offset of a partition with a record of `time_ms` or later, or `high` without such a record."""
    asked = TopicPartition(place.topic, place.partition, time_ms)
    (found,) = consumer.offsets_for_times([asked], timeout=ANSWER_SECONDS)
    return high if found.offset < 0 else int(found.offset)


def _spans(
    consumer: Consumer,
    topics: Sequence[str],
    part: Callable[[TopicPartition, int, int], tuple[int, int]],
    partitions: Sequence[int] = (),
) -> list[Span]:
    """The spans of the partitions of `topics` that hold records now. `part(place, low, high)` gives the part of each.

    `partitions`: only these partitions, or all if empty.
    """
    there: set[int] = set()
    spans = []
    for topic in topics:
        known = consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic]
        if known.error is not None and known.error.code() in OPERATOR - UNKNOWN:
            raise failure(known.error, f"cannot read {topic}")
        if known.error is not None:
            raise NotFoundError(
                f"Kafka has no topic {topic!r}: the first ingress or worker creates it; "
                "check the topics of `kafka`, and kafka.bootstrap_servers"
            )
        there.update(known.partitions)
        for number in known.partitions:
            if partitions and number not in partitions:
                continue
            place = TopicPartition(topic, number)
            low, high = consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
            first, end = part(place, low, high)
            if end > first:
                spans.append(Span(topic, number, first, end))
    for number in partitions:
        if number not in there:
            raise NotFoundError.among("partition", number, map(str, sorted(there)))
    return spans


def _read(consumer: Consumer, spans: Sequence[Span]) -> Iterator[Record]:
    ends = {(topic, partition): end for topic, partition, _, end in spans}
    consumer.assign([TopicPartition(topic, partition, first) for topic, partition, first, _ in spans])
    give_up = time.monotonic() + SILENCE_SECONDS_MAX
    look_at = time.monotonic() + LOOK_SECONDS
    while ends:
        messages = consumer.consume(1000, timeout=0.5)
        for message in messages:
            place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
            error = message.error()
            if error is not None and error.code() == KafkaError._AUTO_OFFSET_RESET:
                raise RecordsGoneError(
                    f"Kafka has deleted records of {place[0]}/{place[1]} that were asked for: {error.str()}"
                )
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise KafkaException(error)
            if place not in ends:
                continue
            if error is None and offset < ends[place]:
                yield record_of(message)
            if error is not None or offset + 1 >= ends[place]:
                del ends[place]  # also at its end, because the last offset may be a transaction marker and not a record
        if messages:  # counted from the caller's last request, because the caller may have waited long for the store
            give_up = time.monotonic() + SILENCE_SECONDS_MAX
            look_at = time.monotonic() + LOOK_SECONDS
        elif time.monotonic() > give_up:
            waiting = ", ".join(
                f"{topic}/{partition} up to offset {end - 1}" for (topic, partition), end in ends.items()
            )
            raise RetryableError(
                f"Kafka sent nothing for {SILENCE_SECONDS_MAX:g} s; expected {waiting}", reason="timeout"
            )
        elif time.monotonic() > look_at:
            _require_allowed(consumer, {topic for topic, _ in ends})
            look_at = time.monotonic() + LOOK_SECONDS


def _require_allowed(consumer: Consumer, topics: Collection[str]) -> None:
    """Raise OperatorError if Kafka hides a topic from us, or has it no longer. A consumer that waits for records is not told."""
    for topic in topics:
        with suppress(KafkaException):  # Kafka is away, and may be back before we give up
            error = consumer.list_topics(topic, timeout=LOOK_SECONDS).topics[topic].error
            if error is not None and error.code() in OPERATOR:
                raise failure(error, f"cannot read {topic}")


def record_of(message: Any) -> Record:
    """A message of the Kafka library as a record."""
    headers = [(name, value or b"") for name, value in message.headers() or ()]
    place = message.topic(), message.partition(), message.offset(), message.timestamp()[1]
    return Record(*place, message.key(), message.value(), headers)
