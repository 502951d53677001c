"""A played producer: it keeps its records, and the test decides Kafka's answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import KafkaError

from pipeline.record import Outgoing

TOO_LARGE = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE)
DENIED = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)


@dataclass
class PlayedKafka:
    """Keeps what it is given; the test says what becomes of it. `alone` tells who came in a batch of its own."""

    sent: list[tuple[str, Outgoing, Any]] = field(default_factory=list)
    alone: list[tuple[str, Outgoing, Any]] = field(default_factory=list)
    record_bytes_max: int = 10_000
    dead_letter_bytes_max: int = 10_000
    woken: int = 0

    def after_poll(self, action: Any) -> None:
        self.sweep = action

    def produce(self, topic: str, record: Outgoing, on_delivery: Any) -> None:
        self.sent.append((topic, record, on_delivery))

    def produce_all(self, run: Any) -> None:
        self.sent += [(each.topic, each.record, each) for each in run]

    def produce_alone(self, topic: str, record: Outgoing, on_delivery: Any) -> None:
        self.alone.append((topic, record, on_delivery))

    def wake(self) -> None:
        self.woken += 1

    def delivered(self) -> None:
        pass

    def answer(self, *errors: KafkaError | None) -> None:
        """What Kafka says to the records sent so far, in order; then the look for answers."""
        for (_, _, on_delivery), error in zip(self.sent, errors, strict=True):
            on_delivery(error, None)
        self.sent.clear()
        self.sweep()
