"""The producer in front of a played librdkafka: runs keep their order, and each record gets one result."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from ingress.window import Delivery, Window
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.producer import Producer

KAFKA = KafkaConfig(bootstrap_servers="127.0.0.1:1")
TOO_LARGE = 9
HEADERS = [("topic", b"t/1"), ("qos", b"1")]


class Librdkafka:
    """Takes `room` records, and then none before a poll. Refuses values of TOO_LARGE bytes."""

    def __init__(self, room: int) -> None:
        self.room, self.taken, self.answers = room, list[tuple[Any, ...]](), list[Any]()

    def __len__(self) -> int:
        return len(self.answers)

    def produce(
        self,
        topic: str,
        value: bytes,
        key: bytes,
        partition: int,
        callback: Any,
        on_delivery: Any,
        timestamp: int,
        headers: Any,
    ) -> None:
        if len(value) == TOO_LARGE:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if len(self.answers) >= self.room:
            raise BufferError("full")
        self.answers.append(callback or on_delivery)
        self.taken.append((topic, value, key, partition, timestamp, headers))

    def poll(self, seconds: float) -> int:
        answers, self.answers = self.answers, []
        for each in answers:
            each(None, None)
        return len(answers)


def produced(*runs: list[bytes], room: int = 100) -> tuple[Librdkafka, Window, list[Any], Producer]:
    """What librdkafka got of the runs with these values, the window behind them, its refusals, and the producer."""
    kafka, window = Librdkafka(room), Window(100, 1000)

    async def main() -> Producer:
        producer = Producer(KAFKA, process="test")
        producer._shared = kafka  # type: ignore[assignment]
        for values in runs:
            run = [Delivery(window, 1, "m", b"c1", each, HEADERS, 7, len(each)) for each in values]
            window.extend(run)
            producer.produce_all(run)
        while producer.outstanding():
            producer._poll()
        return producer

    producer = asyncio.run(main())
    return kafka, window, window.take_failed(), producer


def test_a_run_reaches_librdkafka_with_all_its_fields() -> None:
    """Topic, value, key, any partition, timestamp and headers, as the named arguments of `produce` would."""
    kafka, window, _, _ = produced([b"1", b"2"])

    assert kafka.taken == [("m", b"1", b"c1", -1, 7, HEADERS), ("m", b"2", b"c1", -1, 7, HEADERS)]
    assert window.settle() == (2, [1, 1])


def test_a_refused_record_has_its_result_and_the_run_goes_on() -> None:
    """The client refuses a record that is too large at once. Those behind it are produced, in order."""
    large = b"x" * TOO_LARGE
    kafka, _, refused, _ = produced([b"1", large, b"2", large, b"3"])

    assert [each[1] for each in kafka.taken] == [b"1", b"2", b"3"]
    assert [(delivery.value, error.code()) for delivery, error in refused] == [
        (large, KafkaError.MSG_SIZE_TOO_LARGE)
    ] * 2


def test_a_full_queue_delays_the_rest_in_order() -> None:
    """What does not fit waits for a poll, and nothing overtakes it: no record of its own run, and none of the next."""
    kafka, window, _, _ = produced([b"1", b"2", b"3"], [b"4", b"5"], room=2)

    assert [each[1] for each in kafka.taken] == [b"1", b"2", b"3", b"4", b"5"]
    assert window.settle().messages == 5


def test_librdkafka_takes_the_arguments_in_their_places() -> None:
    """A confluent-kafka that orders them in another way would fail here, and not in production."""
    window = Window(100, 1000)

    async def main() -> None:
        producer = Producer(KAFKA.model_copy(update={"max_message_bytes": 1_000_000}), process="test")
        producer._shared = producer._open()
        run = [Delivery(window, 1, "m", b"c1", b"1", HEADERS, 7, 1)]
        window.extend(run)
        producer.produce_all(run)
        await producer.close(0)

    asyncio.run(main())
    assert [error.code() for _, error in window.take_failed()] == [KafkaError._PURGE_QUEUE]


def test_a_refusal_leaves_nothing_in_memory() -> None:
    """confluent-kafka keeps the error that is handled while it refuses, with all frames: large messages filled the memory."""

    async def main() -> None:
        producer = Producer(KAFKA.model_copy(update={"max_message_bytes": 1_000_000}), process="test")
        producer._shared = producer._open()
        window = Window(100, 10_000_000)
        for _ in range(3):
            large = Delivery(window, 0, "m", b"k", b"x" * 2_000_000, HEADERS, 0, 2_000_000)
            producer.produce_all([large])
            producer.produce("m", large.record, lambda error, _: producer.produce_alone("m", large.record, told_to))  # noqa: B023
        producer._abandon()

    def told_to(error: Any, message: Any) -> None:
        told.append(error.code())

    told: list[int] = []
    asyncio.run(main())
    gc.collect()

    assert told == [KafkaError.MSG_SIZE_TOO_LARGE] * 3
    assert [each for each in gc.get_objects() if isinstance(each, KafkaException)] == []


def test_a_producer_that_ends_again_for_the_same_reason_says_so_once() -> None:
    """A user without the right to write ends each new producer after a second. One line tells it, until Kafka takes a record."""
    producer = Producer(KAFKA, process="test")
    error = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Cluster authorization failed", fatal=True)

    with capture_logs() as said:
        for _ in range(3):
            producer._on_error(error)
        producer.delivered()
        producer._on_error(error)

    assert [each["event"] for each in said] == ["kafka.producer_replaced"] * 2
