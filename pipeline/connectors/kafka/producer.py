"""Into Kafka: a producer that says for each record what became of it.

Both processes use it: the ingress on its hot path (`Producer.produce`), the worker for its dead letters (`send`).
confluent-kafka does the work. It costs the ingress a third of what aiokafka's `send` costs, and it is idempotent: a retry
inside it neither doubles nor reorders records. Its callbacks run in the thread that polls it, which is the event loop's.

This file knows no MQTT and does not decide what happens to a record that Kafka refuses.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Librdkafka

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import Link, failure
from pipeline.connectors.kafka.topics import ensure_topics, record_bytes_max
from pipeline.log import get_logger
from pipeline.record import Outgoing

__all__ = ["OnDelivery", "Producer", "ensure_topics", "failure", "record_bytes_max"]

log: Final = get_logger("tidegate.kafka")

# None: Kafka has the record. The message is confluent-kafka's, without headers; None when the client itself refused.
OnDelivery = Callable[[KafkaError | None, Message | None], None]

POLL_SECONDS: Final = 0.003  # between two looks for answers while some are outstanding; nothing is polled when idle
BATCH_BYTES_MAX: Final = 1_000_000
LOOK_SECONDS: Final = 1.0  # between two looks at how Kafka is while nothing is produced
ANSWER_SECONDS: Final = 5.0  # for a broker to answer whether it is back


class Producer:
    """Records into Kafka: acks=all, idempotent, in order per partition, Java's partitioner.

    1. `await connect()` inside the running event loop; after that every method belongs to the loop's thread.
    2. `produce` never waits and never raises. Each record gets exactly one call of its `on_delivery`, in a later turn
       of the loop, or at once when the client itself refuses. `failure(error, doing)` tells what kind of error it is.
    3. `send` is for few records. It returns when all of them are durable.
    4. `await close(deadline_seconds)` waits for the outstanding records. Those that remain get an error.

    Kafka being away is not an error: librdkafka keeps trying for `delivery_timeout_seconds` (0: for ever). The caller must bound
    what is outstanding; nothing here does. Not promised: that a record whose delivery failed is not in Kafka.
    """

    def __init__(
        self, kafka: KafkaConfig, *, client_id: str = "tidegate", delivery_timeout_seconds: float = 0.0
    ) -> None:
        self._kafka = kafka
        self._client_id = client_id
        self._delivery_timeout_seconds = delivery_timeout_seconds
        self._shared: Librdkafka | None = None
        self._alone: Librdkafka | None = None
        self._fatal = False
        self._waiting: deque[tuple[str, Outgoing, OnDelivery]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._after_poll: list[Callable[[], None]] = []
        self.record_bytes_max = self.dead_letter_bytes_max = kafka.max_message_bytes
        self._link = Link(kafka)

    async def connect(self) -> None:
        """Learn the topics' limits and open. Kafka need not be up, but then the limits are those of the settings."""
        try:
            limits = await asyncio.to_thread(record_bytes_max, self._kafka)
            self.record_bytes_max = min(limits[self._kafka.messages_topic], limits[self._kafka.events_topic])
            self.dead_letter_bytes_max = min(self.record_bytes_max, limits[self._kafka.dead_letter_topic])
        except KafkaException as error:
            log.warning("kafka.limits_unknown", error=str(failure(error.args[0], "cannot describe the topics")))
        self._shared = self._open()
        self._looking = asyncio.create_task(self._look(), name="producer")

    @property
    def connected(self) -> bool:
        """Whether Kafka answered when it was asked last."""
        return self._shared is not None and self._link.down_since is None

    @property
    def status(self) -> str:
        """connecting, connected or disconnected."""
        if self.connected:
            return "connected"
        return "connecting" if self._shared is None else "disconnected"

    @property
    def status_reason(self) -> str:
        """Why it is not connected; empty while it is."""
        if self.connected:
            return ""
        if self._shared is None or self._link.down_since is None:
            return f"Kafka at {self._kafka.bootstrap_servers} has not answered yet"
        seconds = time.monotonic() - self._link.down_since
        return f"Kafka at {self._kafka.bootstrap_servers} has not answered for {seconds:.0f} s"

    def after_poll(self, action: Callable[[], None]) -> None:
        """Call `action` after each look for answers, so that bookkeeping is done once for many records."""
        self._after_poll.append(action)

    def produce(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> None:
        """Hand over one record. The hot path: about 3 µs, and half a microsecond for each header."""
        if self._waiting:
            self._waiting.append((topic, record, on_delivery))
        else:
            self._hand_over(topic, record, on_delivery)
        self.wake()

    def produce_alone(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> None:
        """Hand over a record in a batch of its own: Kafka refuses whole batches, and the others are not at fault."""
        if self._alone is None:
            self._alone = self._open({"batch.num.messages": 1})
        try:
            _produce(self._alone, topic, record, on_delivery)
        except (KafkaException, BufferError) as error:
            on_delivery(_kafka_error(error), None)
        self.wake()

    def wake(self) -> None:
        """Look for answers soon, and then run the actions of `after_poll`, even if nothing is outstanding."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(POLL_SECONDS, self._poll)

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Return when all `records` are acknowledged by all in-sync replicas.

        Raises RetryableError, OperatorError or RefusedError for the first record that failed. It does so when the fate of all is
        known: the records before and after it may be in Kafka.
        """
        if not records:
            return
        outcome = _Outcome(len(records), asyncio.get_running_loop().create_future())
        for record in records:
            self.produce(topic, record, outcome)
        error = await outcome.settled
        if error is not None:
            raise failure(error, f"cannot write to {topic}")

    def outstanding(self) -> int:
        """Records handed over whose fate is not known yet."""
        return len(self._waiting) + sum(len(each) for each in (self._shared, self._alone) if each is not None)

    def delivered(self) -> None:
        """Told by whoever saw a record arrive: Kafka is back, if it was away."""
        self._link.answered()

    async def close(self, deadline_seconds: float = 10.0) -> int:
        """Wait for the outstanding records, at most so long. Returns how many were given up."""
        if self._looking is not None:
            self._looking.cancel()
        give_up = time.monotonic() + deadline_seconds
        while self.outstanding() and time.monotonic() < give_up:
            self.wake()  # what is outstanding may be an event about the connection, of which nobody was told yet
            await asyncio.sleep(POLL_SECONDS)
        left = self.outstanding()
        if self._timer is not None:
            self._timer.cancel()
        self._abandon()
        return left

    # --- From here on: inside

    def _open(self, extra: dict[str, Any] | None = None) -> Librdkafka:
        settings = {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # librdkafka's default is not Java's: events and messages would part
            "message.timeout.ms": int(self._delivery_timeout_seconds * 1000),
            "message.max.bytes": self.record_bytes_max,
            "batch.size": min(BATCH_BYTES_MAX, self.record_bytes_max),
            "queue.buffering.max.messages": 0,  # whoever produces has a window
            "queue.buffering.max.kbytes": 2_097_151,
            "linger.ms": 5,
            "error_cb": self._on_error,
        }
        return self._link.producer(self._kafka, self._client_id, settings | (extra or {}))

    def _hand_over(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> bool:
        assert self._shared is not None, "connect() first"
        try:
            _produce(self._shared, topic, record, on_delivery)
        except BufferError:
            self._waiting.appendleft((topic, record, on_delivery))
            return False
        except KafkaException as error:
            on_delivery(_kafka_error(error), None)
        return True

    def _poll(self) -> None:
        """Collect answers, hand over the records that found the queue full, and come again while something is outstanding."""
        self._timer = None
        for each in (self._shared, self._alone):
            if each is not None:
                each.poll(0)
        if self._fatal:
            self._replace()
        while self._waiting and self._hand_over(*self._waiting.popleft()):
            pass
        for action in self._after_poll:
            action()
        if self.outstanding():
            self.wake()

    async def _look(self) -> None:
        """Hear of a lost connection while nothing is produced, and of its return."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.wake()
            if self._link.down_since is not None and self._shared is not None:
                with suppress(KafkaException):
                    await asyncio.to_thread(
                        self._shared.list_topics, self._kafka.messages_topic, timeout=ANSWER_SECONDS
                    )
                    self.delivered()

    def _on_error(self, error: KafkaError) -> None:
        """librdkafka's own events. A fatal one ends the producer; the link hears all others."""
        if error.fatal():
            self._fatal = True
            log.error("kafka.producer_replaced", error=str(failure(error, "the producer is replaced")))
        else:
            self._link.heard(error)

    def _replace(self) -> None:
        """A fatal error ends an idempotent producer for good: outstanding records fail, a new one takes over."""
        self._fatal = False
        self._abandon()
        self._shared = self._open()

    def _abandon(self) -> None:
        for each in (self._shared, self._alone):
            if each is not None:
                each.purge()
                each.poll(0)
        while self._waiting:
            self._waiting.popleft()[2](KafkaError(KafkaError._PURGE_QUEUE), None)
        self._shared = self._alone = None


class _Outcome:
    """Counts the answers of one `send`; keeps the first error."""

    def __init__(self, left: int, settled: asyncio.Future[KafkaError | None]) -> None:
        self._left = left
        self._error: KafkaError | None = None
        self.settled = settled

    def __call__(self, error: KafkaError | None, message: Message | None) -> None:
        self._left -= 1
        self._error = self._error or error
        if self._left == 0 and not self.settled.done():
            self.settled.set_result(self._error)


def _produce(client: Any, topic: str, record: Outgoing, on_delivery: OnDelivery) -> None:
    """`client` is a Librdkafka; its stub asks for headers that may be text or None, and lists are invariant."""
    key, value, headers, timestamp_ms = record
    client.produce(topic, value, key, on_delivery=on_delivery, timestamp=timestamp_ms, headers=headers)


def _kafka_error(error: Exception) -> KafkaError:
    found = error.args[0] if error.args else None
    if isinstance(found, KafkaError):
        return found
    return KafkaError(KafkaError._QUEUE_FULL if isinstance(error, BufferError) else KafkaError._FAIL, str(error))
