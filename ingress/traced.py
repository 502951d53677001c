"""A producer that makes a span for each batch of records with traced messages, from the first of them to Kafka's last answer.

The ingress uses it instead of the plain one if the configuration has `otel`. It serves all sources, because they share one
producer. Without `otel` the plain producer does the work, and nothing asks for traces.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pipeline.config import Config
from pipeline.connectors.kafka.producer import OnDelivery, Producer, Underway
from pipeline.connectors.otlp import LINKS_MAX, Spans, Value, spans
from pipeline.mqtt.traceparent import TraceParent, sampled
from pipeline.record import Outgoing


def producer_of(config: Config) -> Producer:
    """The producer of the ingress."""
    maker = spans()
    if maker is None:
        return Producer(config.kafka, process="ingress")
    return TracedProducer(config, maker)


class TracedProducer(Producer):
    """Makes a span for each batch: the records between two polls."""

    def __init__(self, config: Config, maker: Spans) -> None:
        super().__init__(config.kafka, process="ingress")
        self._maker = maker
        self._batch: Batch | None = None
        self.after_poll(self._next_batch)

    def produce(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> None:
        """As the plain producer. The delivery of a traced record also counts for its batch."""
        trace = sampled(record.headers)
        if trace is not None:
            if self._batch is None or self._batch.ended or self._batch.topic != topic:
                self._batch = Batch(self._maker, topic)
            on_delivery = self._batch.joined(trace, on_delivery)
        super().produce(topic, record, on_delivery)

    def produce_all(self, run: Sequence[Underway]) -> None:
        """As the plain producer."""
        for each in run:
            self.produce(each.topic, each.record, each)

    def _next_batch(self) -> None:
        self._batch = None


class Batch:
    """The traced records of one batch. Its span ends with the last answer for them."""

    def __init__(self, maker: Spans, topic: str) -> None:
        self.topic = topic
        self._maker = maker
        self._began_ns = time.time_ns()
        self._traces: list[TraceParent] = []
        self._records = self._left = 0
        self._error = ""
        self.ended = False

    def joined(self, trace: TraceParent, on_delivery: OnDelivery) -> OnDelivery:
        """Take a record into the batch. Returns its `on_delivery`, which counts too."""
        self._records += 1
        self._left += 1
        if len(self._traces) < LINKS_MAX:
            self._traces.append(trace)

        def delivered(error: Any, message: Any) -> None:
            on_delivery(error, message)
            self._left -= 1
            self._error = self._error or (str(error) if error is not None else "")
            if not self._left:
                self._end()

        return delivered

    def _end(self) -> None:
        self.ended = True
        attributes: dict[str, Value] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.destination.name": self.topic,
            "messaging.batch.message_count": self._records,
        }
        self._maker.made(f"send {self.topic}", "producer", self._traces, self._began_ns, attributes, error=self._error)
