"""The path of each message of one source: from the MQTT message to the Kafka record to the acknowledgement.

1. receive: `on_batch` gets a run of parsed messages from the connection;
2. produce: each becomes a record, and events if an adapter knows its topic, in the order of arrival;
3. ack: after each poll for Kafka's answers, `sweep` acknowledges the finished front of the window.

A record that Kafka will never accept goes to the dead letter topic. Otherwise it would delay every acknowledgement
behind it. If Kafka fails for another reason, the connection ends: the broker then delivers everything unacknowledged
again, in order.

This file has no await and no lock, and does not know how a connection is made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import orjson

from ingress.clientid import Resolver
from ingress.dead_letter import dead_letter
from ingress.events import Adapter, ClientEvent
from ingress.metrics import SourceMetrics
from ingress.refusals import Refusals
from ingress.route import Route, Router, identifiers_of
from ingress.sparkplug.aliases import Aliases
from ingress.window import Delivery, Window
from pipeline.config import KafkaConfig, MqttSource
from pipeline.connectors.kafka.producer import Producer, failure
from pipeline.connectors.mqtt.connection import Connection
from pipeline.errors import RefusedError
from pipeline.mqtt.packets import CUT, DUP_FLAG, RETAIN_FLAG, CutPayload, Publish
from pipeline.mqtt.parser import PROPERTIES_BYTES_MAX
from pipeline.mqtt.subscriptions import Copies, subscriptions
from pipeline.record import TOPIC, Outgoing, event_record

UNWANTED_MAX: Final = 20  # topics remembered for `take_unwanted`
ASKED_MAX: Final = (
    200  # topics of a connection, because a broker that never names subscriptions must not be asked for ever
)
KEPT_BESIDES: Final = 1 << 20  # a packet is not as large as its record: Kafka's client judges what is near the limit
QOS0_QUEUE_MAX: Final = 10_000  # number of outstanding messages from which on messages of QoS 0 are dropped


class Bridge:
    """Carries one source's messages into Kafka. Call `attach` before each connection opens, and `detach` after it has ended."""

    def __init__(
        self, name: str, source: MqttSource, adapters: Sequence[Adapter], kafka: KafkaConfig, producer: Producer
    ) -> None:
        self._name = name
        self._kafka = kafka
        self._producer = producer
        self.subscribed = subscriptions([*source.topics, *(each for adapter in adapters for each in adapter.filters)])
        self.metrics = SourceMetrics(name)
        self.aliases = Aliases(f"mqtt:{name}", kafka, self.metrics) if source.sparkplug_aliases else None
        ways = Resolver(source.clientid_from)
        self._router = Router(source.topics, adapters, ways, self.subscribed, self.aliases)
        self._source = source
        self._connection: Connection | None = None
        self.window = Window(source.window, source.window_bytes)
        self.empty = asyncio.Event()
        self._refusals = Refusals(f"mqtt:{name}", kafka, producer, self.metrics)
        self._unwanted: set[bytes] = set()
        self._asked: set[bytes] = set()  # topics of messages that came by a subscription which is not ours
        producer.after_poll(self.sweep)

    def attach(self, connection: Connection) -> None:
        """Take messages of `connection` from now on. The window of the last connection must be empty."""
        assert not self.window, "records of the last connection are still under way"
        self.empty.set()
        self._connection = connection
        self._asked.clear()
        self.window = Window(self._source.window, self._source.window_bytes)

    def detach(self) -> None:
        """Note that the connection is gone, so nothing can be acknowledged. `empty` is set when Kafka has answered."""
        self._connection = None

    # --- 1. Receive, 2. Produce

    def on_batch(self, batch: Sequence[Publish]) -> None:
        """Take a batch.

        This is the hot path: the parts that all messages of a topic share were prepared for the first of them.
        """
        now_ms = int(time.time() * 1000)
        routes = self._router.routes
        window, topic_name = self.window, self._kafka.messages_topic
        run: list[Delivery] = []
        room = QOS0_QUEUE_MAX - len(self.window)
        dropped = redelivered = 0
        for message in batch:
            topic, payload, flags, mid, properties = message
            if not mid:
                room -= 1
                if room < 0:
                    dropped += 1
                    continue
            elif flags & DUP_FLAG:
                redelivered += 1
            route = routes.get(topic) or self._router.route(topic)
            ready = None if properties else route.prepared.get(flags)
            if ready is None:
                self._produce_run(run)
                run = []
                self._produce_unprepared(message, route, now_ms)
                continue
            key, headers, size_bytes = ready
            run.append(Delivery(window, mid, topic_name, key, payload, headers, now_ms, size_bytes + len(payload)))
        self._produce_run(run)
        self.empty.clear()
        self._count(len(batch), redelivered, dropped)
        if self.window.full and self._connection is not None:
            self._connection.pause()

    def _produce_run(self, run: list[Delivery]) -> None:
        if run:
            self.window.extend(run)
            self._producer.produce_all(run)

    def _produce_unprepared(self, message: Publish, route: Route, now_ms: int) -> None:
        """Produce a message without prepared parts: the first of its kind, one with properties, or one for an adapter.

        One message can become several records. They follow each other in the window, and the last one has the acknowledgement.
        """
        topic, _, flags, mid, _ = message
        is_surplus = route.copies is not None and self._is_surplus(route.copies, message)
        records = [] if is_surplus else [self._event(each, message, now_ms) for each in route.events(message, now_ms)]
        if is_surplus:
            self.metrics.dropped("overlap")
        elif self._unwanted_retained(flags):
            self.metrics.dropped("retained")
        elif route.forwarded and message[4] and message[4][-1][0] == CUT:
            records.append(self._cut_letter(route, message, now_ms))
        elif route.forwarded:
            if table := route.table(message, now_ms):
                records.append((self._kafka.aliases_topic, table))
            records.append((self._kafka.messages_topic, route.record(message, now_ms)))
        elif not route.adapters:
            self.metrics.dropped("unsubscribed")
            self._not_ours(topic)
        if not records:
            self.window.add(mid, "", Outgoing(b"", b"", [], now_ms)).done = True
            self._producer.wake()
            return
        last = len(records) - 1
        for index, (kafka_topic, record) in enumerate(records):
            delivery = self.window.add(mid if index == last else 0, kafka_topic, record)
            self._producer.produce(kafka_topic, record, delivery)

    def _is_surplus(self, copies: Copies, message: Publish) -> bool:
        """Whether the broker sends this message once more, for the first subscription that matches it."""
        if self._connection is None or not self._connection.identifies:
            return False
        topic, _, _, _, properties = message
        identifiers = identifiers_of(properties)
        if copies.is_strange(identifiers) and len(self._asked) < ASKED_MAX and topic not in self._asked:
            self._asked.add(topic)
            self._not_ours(topic)
        return copies.is_surplus(identifiers)

    def _not_ours(self, topic: bytes) -> None:
        """Remember that a subscription of an earlier configuration brings this topic."""
        if len(self._unwanted) < UNWANTED_MAX:
            self._unwanted.add(topic)

    def _event(self, event: ClientEvent, message: Publish, now_ms: int) -> tuple[str, Outgoing]:
        """The topic and record of a client event.

        If JSON cannot hold the event (it nests too deeply), the message is a dead letter.
        """
        try:
            record = event_record(event.name, event.fields, clientid=event.clientid, timestamp_ms=now_ms)
        except orjson.JSONEncodeError as error:
            topic, payload, *_ = message
            problem = RefusedError(f"cannot make a client event of {topic!r:.100}: {error}", reason="client_event")
            self._refusals.note(problem)
            whole = Outgoing(topic, payload, [(TOPIC, topic)], now_ms)
            room = self._producer.dead_letter_bytes_max
            return self._kafka.dead_letter_topic, dead_letter(whole, problem, f"mqtt:{self._name}", room)
        self.metrics.events.inc()
        return self._kafka.events_topic, record

    def _cut_letter(self, route: Route, message: Publish, now_ms: int) -> tuple[str, Outgoing]:
        """The topic and record of the dead letter of a message that was not kept whole."""
        topic, payload, flags, mid, properties = message
        whole: CutPayload = properties[-1][1]
        problem = RefusedError(
            f"expected a message of at most {self._producer.record_bytes_max} bytes, as Kafka takes them, with at most "
            f"{PROPERTIES_BYTES_MAX} bytes of properties; found a payload of {whole.size_bytes} bytes",
            reason="msg_size_too_large",
        )
        self._refusals.note(problem)
        record = route.record((topic, payload, flags, mid, properties[:-1]), now_ms)
        room = self._producer.dead_letter_bytes_max
        return self._kafka.dead_letter_topic, dead_letter(record, problem, f"mqtt:{self._name}", room, whole)

    @property
    def kept_bytes(self) -> int:
        """More bytes than Kafka takes in a record, so that no message needs to be kept beyond them."""
        return self._producer.record_bytes_max + KEPT_BESIDES

    def _unwanted_retained(self, flags: int) -> bool:
        """Whether this is a retained copy that the configuration does not want. A redelivery is always wanted."""
        connection = self._connection
        return (
            flags & (RETAIN_FLAG | DUP_FLAG) == RETAIN_FLAG
            and connection is not None
            and not connection.retained_wanted
        )

    def _count(self, received: int, redelivered: int, dropped: int) -> None:
        self.metrics.received.inc(received)
        if redelivered:
            self.metrics.redelivered.inc(redelivered)
        if dropped:
            self.metrics.dropped("queue_full", dropped)

    # --- 3. Acknowledge

    def sweep(self) -> None:
        """Acknowledge what Kafka has, and handle what it refused. Called after each poll for Kafka's answers."""
        window = self.window
        if window.failed:
            for delivery, error in window.take_failed():
                self._failed(delivery, error)
        count, mids = window.settle()
        if not count:
            return
        self._producer.delivered()
        self.metrics.produced.inc(count)
        if not window:
            self.empty.set()
        if self._connection is None:
            return
        self._connection.acknowledge(mids)
        self.metrics.acknowledged.inc(len(mids))
        if not window.full:
            self._connection.resume()

    def take_unwanted(self) -> list[str]:
        """Topic names since the last call that came because of a subscription of an earlier configuration."""
        topics, self._unwanted = self._unwanted, set()
        return [topic.decode("utf-8", "replace") for topic in topics]

    def observe(self, now_ms: int) -> None:
        """Set the gauges. Called regularly."""
        oldest = self.window.oldest
        self.metrics.window.set(len(self.window))
        self.metrics.ack_lag.set((now_ms - oldest.timestamp_ms) / 1000 if oldest else 0)

    def _failed(self, delivery: Delivery, error: Any) -> None:
        problem = failure(error, f"cannot write to {delivery.topic}")
        connection = self._connection
        if connection is None:
            # The broker still has the message and will deliver it again. Only a message of QoS 0 is lost here.
            delivery.done = True
            if not delivery.mid:
                self.metrics.dropped("not_delivered")
        elif isinstance(problem, RefusedError) and self._refusals.second_way(delivery, problem):
            pass
        else:
            connection.abort(problem)
            self.detach()
            self._failed(delivery, error)
