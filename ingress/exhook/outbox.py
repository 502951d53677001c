"""Records on their way into Kafka for which no caller waits: bounded in number and bytes, and every lost record is
counted.

EMQX waits for the answer to a call inside its client's own process, so the answer must not wait for Kafka. If the ingress is
killed, these records are lost, because EMQX does not call twice.

This file knows neither gRPC nor the content of a record.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from ingress.dead_letter import dead_letter
from ingress.metrics import SourceMetrics
from pipeline.config.kafka import KafkaConfig
from pipeline.connectors.kafka.producer import Producer, failure
from pipeline.errors import RefusedError
from pipeline.log import get_logger
from pipeline.record import Outgoing

log: Final = get_logger("tidegate.ingress")


class Outbox:
    """`offer` takes a record if there is room. `room` waits for room."""

    def __init__(self, name: str, producer: Producer, kafka: KafkaConfig, *, records_max: int, bytes_max: int) -> None:
        self._name = name
        self._producer = producer
        self._kafka = kafka
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._waiting_bytes = 0  # of those who wait for room
        self._records: dict[int, int] = {}  # number → arrival, in order: the first is the oldest
        self._number = 0
        self._room = asyncio.Event()
        self._room.set()
        self._full_said = False
        self.empty = asyncio.Event()
        self.empty.set()
        self.metrics = SourceMetrics(name)
        producer.after_poll(self._swept)

    def __len__(self) -> int:
        return len(self._records)

    @property
    def full(self) -> bool:
        """Whether the next record has no room. An empty outbox takes even a record that is larger than the limit."""
        return len(self._records) >= self._records_max or self._bytes >= self._bytes_max

    async def room(self, seconds: float, size_bytes: int) -> bool:
        """Wait for room, at most `seconds`. Returns whether there is room.

        Whoever waits keeps `size_bytes` in memory. All who wait keep no more than the records may; a further one does not wait.
        """
        if self.full and self._waiting_bytes and self._waiting_bytes + size_bytes > self._bytes_max:
            return False
        self._waiting_bytes += size_bytes
        try:
            async with asyncio.timeout(seconds):
                while self.full:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            return False
        finally:
            self._waiting_bytes -= size_bytes
        return True

    def offer(self, topic: str, record: Outgoing) -> bool:
        """Take the record and return at once. Without room, count it as dropped and return False."""
        if self.full:
            self.metrics.dropped("queue_full")
            if not self._full_said:
                self._full_said = True
                log.warning("exhook.dropping", source=self._name, records=len(self), bytes=self._bytes)
            return False
        self._number += 1
        delivery = _Delivery(self, self._number, record)
        self._records[self._number] = record.timestamp_ms
        self._bytes += delivery.size_bytes
        self.empty.clear()
        self._producer.produce(topic, record, delivery)
        return True

    def observe(self, now_ms: int) -> None:
        """Set the gauges. Called regularly."""
        self.metrics.window.set(len(self._records))
        oldest = next(iter(self._records.values()), now_ms)
        self.metrics.ack_lag.set(max(0, now_ms - oldest) / 1000)

    # --- Kafka's answers

    def settle(self, delivery: _Delivery, error: Any) -> None:
        """Take Kafka's answer for a record. A refused record becomes a dead letter, and a refused dead letter is dropped."""
        if error is None:
            self.metrics.produced.inc()
            self._producer.delivered()
        else:
            problem = failure(error, "cannot write what ExHook told")
            if isinstance(problem, RefusedError) and not delivery.is_dead_letter:
                delivery.is_dead_letter = True
                self.metrics.dead_letter(problem.reason)
                limit = self._producer.dead_letter_bytes_max
                letter = dead_letter(delivery.record, problem, f"exhook:{self._name}", limit)
                self._producer.produce_alone(self._kafka.dead_letter_topic, letter, delivery)
                return
            self.metrics.dropped("not_delivered")
        self._bytes -= delivery.size_bytes
        del self._records[delivery.number]

    def _swept(self) -> None:
        if not self.full:
            self._room.set()
        if not self._records:
            self._full_said = False
            self.empty.set()


class _Delivery:
    __slots__ = ("is_dead_letter", "number", "outbox", "record", "size_bytes")

    def __init__(self, outbox: Outbox, number: int, record: Outgoing) -> None:
        self.outbox = outbox
        self.number = number
        self.record = record
        self.is_dead_letter = False
        self.size_bytes = len(record.key) + len(record.value) + sum([len(value) for _, value in record.headers])

    def __call__(self, error: Any, message: Any) -> None:
        self.outbox.settle(self, error)
