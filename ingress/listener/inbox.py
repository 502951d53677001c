"""Messages of all clients without Kafka's answer yet: a window for each client, and one bound for all.

1. `take` makes records of a client's messages, in the order of arrival, and produces them;
2. after each poll, each client with answers from Kafka gets its acknowledgements, in order and in one write.

A message that Kafka will never accept goes to the dead letter topic. If Kafka refuses one for another reason, its client's
connection ends: the client still has the message, and sends it again.

This file has no await and no lock. It does not know sockets.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final, Protocol

from ingress.listener.identity import Identity, is_notice
from ingress.listener.words import QOS2, REASON_SHIFT, Ack
from ingress.metrics import SourceMetrics
from ingress.refusals import Refusals
from ingress.sparkplug.aliases import Aliases
from ingress.window import Delivery, Refusal, Window
from pipeline.config.kafka import KafkaConfig
from pipeline.config.listener import ListenerSource
from pipeline.connectors.kafka.producer import Producer, failure
from pipeline.errors import ConnectorError, RefusedError
from pipeline.mqtt.packets import DUP_FLAG, QOS2_FLAG, QOS_MASK, Publish
from pipeline.mqtt.reasons import NO_SUBSCRIBERS, NOT_AUTHORIZED
from pipeline.record import Outgoing

NOTHING: Final = Outgoing(b"", b"", [], 0)


class Receiver(Protocol):
    """The connection of a window's client."""

    v5: bool

    def acknowledge(self, acks: list[Ack]) -> None: ...

    def room(self, there_is: bool) -> None:
        """Say whether to read more from the connection."""

    def fail(self, problem: ConnectorError) -> None: ...


class _Delivery(Delivery):
    """A delivery that registers its window after Kafka's answer."""

    def __call__(self, error: Any, message: Any) -> None:
        window = self.window
        if error is None:
            self.done = True
        else:
            window.failed.append(Refusal(self, error))
        window.answered.add(window)  # type: ignore[attr-defined]


class ClientWindow(Window):
    """A window that registers itself after an answer of Kafka, so that a sweep need not search thousands of windows."""

    __slots__ = ("answered", "receiver", "refused", "refused_topic")
    _delivery = _Delivery

    def __init__(self, inbox: Inbox, receiver: Receiver | None, messages_max: int) -> None:
        super().__init__(messages_max, inbox.bytes_max)
        self.answered = inbox.answered
        self.receiver = receiver
        self.refused = 0  # number of messages with a forbidden topic; the counter resets it
        self.refused_topic = b""  # topic of one of them

    @property
    def open_exchanges(self) -> list[int]:
        """Packet identifiers of messages of QoS 2 without Kafka's answer."""
        return [each.mid & 0xFFFF for each in self._pending if each.mid & QOS2 and not each.mid >> REASON_SHIFT]

    @property
    def size_bytes(self) -> int:
        """Bytes of the messages in the window."""
        return self._bytes


class Inbox:
    """The inbox of one listener."""

    def __init__(self, name: str, source: ListenerSource, kafka: KafkaConfig, producer: Producer) -> None:
        self._kafka = kafka
        self._producer = producer
        self._window_max = source.window
        self._records_max = source.buffer_records
        self.bytes_max = source.buffer_bytes
        self._records = self._bytes = 0
        self.answered: set[ClientWindow] = set()
        self._busy: set[ClientWindow] = set()  # windows that are not empty
        self._full: dict[ClientWindow, None] = {}  # clients that are not read because the inbox is full, in order
        self.metrics = SourceMetrics(name)
        self.aliases = Aliases(f"listener:{name}", kafka, self.metrics) if source.sparkplug_aliases else None
        self._refusals = Refusals(f"listener:{name}", kafka, producer, self.metrics)
        self._own = ClientWindow(self, None, self._records_max)
        self.empty = asyncio.Event()
        self.empty.set()
        producer.after_poll(self.sweep)

    def __len__(self) -> int:
        return self._records

    @property
    def full(self) -> bool:
        """Whether the inbox is full, so that no client should be read."""
        return self._records >= self._records_max or self._bytes >= self.bytes_max

    def window(self, receiver: Receiver) -> ClientWindow:
        """A window for a new client."""
        return ClientWindow(self, receiver, self._window_max)

    def take(self, window: ClientWindow, identity: Identity, run: list[Publish]) -> bool:
        """Produce a run of one client's messages. This is the hot path.

        Returns False if a topic is not allowed and MQTT 3.1.1 has no answer for this.
        """
        now_ms = int(time.time() * 1000)
        prepared, topic_name = identity.prepared, self._kafka.messages_topic
        produce, usual = self._producer.produce, list[Delivery]()
        before, bytes_before, redelivered = len(window), window.size_bytes, 0
        refused: list[bytes] = []
        notices = 0
        obeyed = True
        for message in run:
            topic, payload, flags, ack, properties = message
            if flags & (DUP_FLAG | QOS2_FLAG):
                redelivered += flags & DUP_FLAG == DUP_FLAG
                ack |= QOS2 if flags & QOS_MASK == QOS2_FLAG else 0
            known = None if properties else prepared.get(topic)
            ready = known.get(flags) if known else None
            if ready:
                key, headers, size_bytes = ready
                size_bytes += len(payload)
                usual.append(_Delivery(window, ack, topic_name, key, payload, headers, now_ms, size_bytes))
                continue
            self._produce_run(window, usual)
            usual = []
            record = identity.record(message, now_ms)
            if record is None and is_notice(topic):
                notices += 1
                self._answer(window, ack, NO_SUBSCRIBERS)
            elif record is None:
                refused.append(topic)
                obeyed = self._refuse(window, ack)
                if not obeyed:
                    break
            else:
                if self.aliases is not None and (table := identity.table(message, now_ms)):
                    produce(self.aliases.topic, table, window.add(0, self.aliases.topic, table))
                produce(topic_name, record, window.add(ack, topic_name, record))
        self._produce_run(window, usual)
        self._count(window, len(window) - before, window.size_bytes - bytes_before)
        self.metrics.received.inc(len(run))
        if redelivered:
            self.metrics.redelivered.inc(redelivered)
        if refused:
            self.metrics.dropped("not_authorized", len(refused))
            window.refused_topic = refused[0]
        if notices:
            self.metrics.dropped("bridge_notice", notices)
        window.refused += len(refused) + notices
        if window.full or self.full:
            self._hold(window)
        return obeyed

    def _produce_run(self, window: ClientWindow, run: list[Delivery]) -> None:
        if run:
            window.extend(run)
            self._producer.produce_all(run)

    def put(self, topic: str, record: Outgoing) -> None:
        """Produce an event or a will, for which no client waits."""
        delivery = self._own.add(0, topic, record)
        self._producer.produce(topic, record, delivery)
        self._count(self._own, 1, delivery.size_bytes)

    def _refuse(self, window: ClientWindow, ack: Ack) -> bool:
        """Refuse a message because of its topic. In MQTT 5 the refusal keeps its place in the window."""
        receiver = window.receiver
        if ack and receiver is not None and not receiver.v5:
            return False
        self._answer(window, ack, NOT_AUTHORIZED)
        return True

    def _answer(self, window: ClientWindow, ack: Ack, code: int) -> None:
        """Answer a message that makes no record. In MQTT 3.1.1 the answer has no code."""
        if ack:
            window.add(ack | code << REASON_SHIFT, "", NOTHING).done = True
            self.answered.add(window)
            self._producer.wake()

    def _count(self, window: ClientWindow, records: int, size_bytes: int) -> None:
        if records:
            self._records += records
            self._bytes += size_bytes
            self._busy.add(window)
            self.empty.clear()

    def _hold(self, window: ClientWindow) -> None:
        if self.full:
            self._full[window] = None
        if window.receiver is not None:
            window.receiver.room(False)

    # --- Kafka's answers

    def sweep(self) -> None:
        """Acknowledge what Kafka has, and handle what it refused. Called after each poll for Kafka's answers."""
        if not self.answered:
            return
        answered = list(self.answered)
        self.answered.clear()
        for window in answered:
            self._settle(window)
        if not self._records:
            self.empty.set()
        while self._full and not self.full:
            window = next(iter(self._full))
            del self._full[window]
            self._release(window)

    def _settle(self, window: ClientWindow) -> None:
        for delivery, error in window.take_failed() if window.failed else ():
            self._failed(window, delivery, error)
        size_bytes = window.size_bytes
        count, acks = window.settle()
        if not count:
            return
        self._producer.delivered()
        self._records -= count
        self._bytes -= size_bytes - window.size_bytes
        refused = sum(ack >> REASON_SHIFT > 0 for ack in acks) if acks and max(acks) >> REASON_SHIFT else 0
        self.metrics.produced.inc(count - refused)
        if not window:
            self._busy.discard(window)
        if window.receiver is not None and acks:
            window.receiver.acknowledge(acks)
            self.metrics.acknowledged.inc(len(acks) - refused)
        if self.full and window.receiver is not None:
            self._full[window] = None
        elif window not in self._full:
            self._release(window)

    def _release(self, window: ClientWindow) -> None:
        if window.receiver is not None and not window.full:
            window.receiver.room(True)

    def _failed(self, window: ClientWindow, delivery: Delivery, error: Any) -> None:
        problem = failure(error, f"cannot write to {delivery.topic}")
        if isinstance(problem, RefusedError) and self._refusals.second_way(delivery, problem):
            return
        delivery.done = True
        if not delivery.mid:
            self.metrics.dropped("not_delivered")
        receiver, window.receiver = window.receiver, None  # no further acknowledgement is sent
        if receiver is not None:
            receiver.fail(problem)

    def observe(self, now_ms: int) -> None:
        """Set the gauges. Called regularly."""
        self.metrics.window.set(self._records)
        arrivals = [window.oldest.record.timestamp_ms or now_ms for window in self._busy if window.oldest is not None]
        self.metrics.ack_lag.set(max(0, now_ms - min(arrivals, default=now_ms)) / 1000)

    def forget(self, window: ClientWindow, session: Receiver | None = None) -> None:
        """Note that a connection is gone. Its messages still go to Kafka, without acknowledgements."""
        window.receiver = session if window.receiver is not None else None
        self._full.pop(window, None)
