"""Handles a record that Kafka will never accept: sends it once more, alone, and then as a dead letter.

This file does not decide what happens to the connection of the record.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ingress.dead_letter import dead_letter
from ingress.metrics import SourceMetrics
from ingress.window import Delivery, size_of
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.producer import Producer
from pipeline.errors import RefusedError
from pipeline.log import get_logger
from pipeline.record import Outgoing

log: Final = get_logger("tidegate.ingress")


class Refusals:
    """The refused records of one source. `source` is its kind and name, such as mqtt:plant."""

    def __init__(self, source: str, kafka: KafkaConfig, producer: Producer, metrics: SourceMetrics) -> None:
        self._source = source
        self._kafka = kafka
        self._producer = producer
        self._metrics = metrics
        self._noted: set[str] = set()

    def second_way(self, delivery: Delivery, problem: RefusedError) -> bool:
        """Send a refused record again, in another way each time. Returns False if no way is left.

        Kafka refuses a whole batch for one record in it, so each record is sent alone before it becomes a dead letter.
        """
        delivery.tries += 1
        limit = self._producer.record_bytes_max
        room = self._producer.dead_letter_bytes_max
        letters = self._kafka.dead_letter_topic
        ways: dict[int, Callable[[], tuple[str, Outgoing]]] = {
            1: lambda: (delivery.topic, delivery.record),
            2: lambda: (letters, dead_letter(delivery.record, problem, self._source, room)),
            3: lambda: (letters, dead_letter(delivery.record, problem, self._source, 0)),
        }
        if delivery.tries == 1 and size_of(delivery.record) > limit:
            delivery.tries = 2
        if delivery.tries not in ways:
            return False
        if delivery.tries == 2:
            self.note(problem)
        topic, record = ways[delivery.tries]()
        self._producer.produce_alone(topic, record, delivery)
        return True

    def note(self, problem: RefusedError) -> None:
        """Count a dead letter, and log the first one of each reason."""
        self._metrics.dead_letter(problem.reason)
        if problem.reason not in self._noted:
            self._noted.add(problem.reason)
            topic = self._kafka.dead_letter_topic
            source = self._source.partition(":")[2]
            log.warning("record.dead_lettered", source=source, topic=topic, reason=problem.reason, error=str(problem))
