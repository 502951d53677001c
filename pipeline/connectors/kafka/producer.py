"""A producer for Kafka, which reports the result for each record.

Both processes use it: the ingress on its hot path (`Producer.produce`), the worker for its dead letters (`send`).
confluent-kafka does the work. It costs the ingress a third of aiokafka's `send`. It is idempotent: its retries neither
double nor reorder records. Its callbacks run in the thread that polls it, which is the thread of the event loop.

This file does not know MQTT, and does not decide what happens to a record that Kafka refuses.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol
from weakref import WeakMethod

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import Producer as Librdkafka

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import Link, failure
from pipeline.connectors.kafka.topics import ensure_topics, record_bytes_max
from pipeline.errors import ConnectorError
from pipeline.log import get_logger
from pipeline.record import Outgoing

__all__ = ["OnDelivery", "Producer", "ensure_topics", "failure", "record_bytes_max"]

log: Final = get_logger("tidegate.kafka")

# Error None: Kafka has the record. The message is confluent-kafka's, without headers; it is None if the client itself
# refused.
OnDelivery = Callable[[KafkaError | None, Message | None], None]


class Underway(Protocol):
    """A record that takes its own result, as `OnDelivery` does."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int

    @property
    def record(self) -> Outgoing: ...

    def __call__(self, error: KafkaError | None, message: Message | None) -> None: ...


ANY_PARTITION: Final = -1  # the partitioner chooses it by the key
POLL_SECONDS: Final = 0.003  # between two polls while answers are outstanding; an idle producer does not poll
BATCH_BYTES_MAX: Final = 1_000_000
LOOK_SECONDS: Final = 1.0  # between two checks of the connection while nothing is produced
DRAIN_SECONDS: Final = (
    10.0  # time for the answers to what a producer has sent, before one with other certificates replaces it
)
ANSWER_SECONDS: Final = 5.0  # time for a broker to answer that it is back


class Producer:
    """Writes records to Kafka: acks=all, idempotent, in order per partition, with Java's partitioner.

    1. Call `await connect()` inside the running event loop. Then call every method on the thread of the loop.
    2. `produce` never waits and never raises. Each record gets exactly one call of its `on_delivery`, in a later turn
       of the loop, or at once if the client itself refuses. `failure(error, doing)` gives the kind of error.
    3. `send` is for a few records. It returns when all of them are durable.
    4. `await close(deadline_seconds)` waits for the outstanding records. Records that remain get an error.

    It is not an error if Kafka is away: librdkafka keeps trying for `delivery_timeout_seconds` (0: without end). The caller must
    bound the outstanding records, because the producer does not. A record whose delivery failed may still be in Kafka.
    """

    def __init__(self, kafka: KafkaConfig, *, process: str, delivery_timeout_seconds: float = 0.0) -> None:
        self._kafka = kafka
        self._process = process
        self._delivery_timeout_seconds = delivery_timeout_seconds
        self._shared: Librdkafka | None = None
        self._alone: Librdkafka | None = None
        self._next: Librdkafka | None = None  # replaces `_shared` as soon as nothing is outstanding there
        self._drained_by = 0.0  # time.monotonic() when it is replaced in any case
        self._fatal = False
        self._fatal_error: KafkaError | None = (
            None  # the reason of the last one: records that it fails only say "fatal"
        )
        self._fatal_told = ""
        self._waiting: deque[tuple[str, Outgoing, OnDelivery]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._after_poll: list[WeakMethod[Callable[[], None]]] = []
        self.record_bytes_max = self.dead_letter_bytes_max = kafka.max_message_bytes
        self._link = Link(kafka)

    async def connect(self) -> None:
        """Read the limits of the topics, and open. If Kafka does not answer, the limits are those of the settings."""
        try:
            limits = await asyncio.to_thread(record_bytes_max, self._kafka)
            self.record_bytes_max = min(limits[self._kafka.messages_topic], limits[self._kafka.events_topic])
            self.dead_letter_bytes_max = min(self.record_bytes_max, limits[self._kafka.dead_letter_topic])
        except KafkaException as error:
            log.warning("kafka.limits_unknown", error=str(failure(error.args[0], "cannot describe the topics")))
        self._shared = await asyncio.to_thread(self._open)
        self._looking = asyncio.create_task(self._look(), name="producer")

    @property
    def connected(self) -> bool:
        """Whether Kafka answered the last request."""
        return self._shared is not None and self._link.down_since is None

    @property
    def status(self) -> str:
        """The status: connecting, connected or disconnected."""
        if self.connected:
            return "connected"
        return "connecting" if self._shared is None else "disconnected"

    @property
    def status_reason(self) -> str:
        """The reason why the producer is not connected; empty while it is."""
        if self.connected:
            return ""
        if self._shared is None or self._link.down_since is None:
            return f"Kafka at {self._kafka.bootstrap_servers} has not answered yet"
        seconds = time.monotonic() - self._link.down_since
        return f"Kafka at {self._kafka.bootstrap_servers} has not answered for {seconds:.0f} s"

    def after_poll(self, action: Callable[[], None]) -> None:
        """Call `action`, a bound method, after each poll, so that bookkeeping is done once for many records.

        It is called for as long as its object lives.
        """
        self._after_poll = [each for each in self._after_poll if each() is not None]
        self._after_poll.append(WeakMethod(action))

    def produce(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> None:
        """Give one record to librdkafka."""
        if self._waiting or self._next is not None:
            self._waiting.append((topic, record, on_delivery))
        else:
            self._hand_over(topic, record, on_delivery)
        self.wake()

    def produce_all(self, run: Sequence[Underway]) -> None:
        """`produce` for many records, which get their results themselves.

        This is the hot path: about 1 µs a record with three headers. Arguments with names would cost half a microsecond more.
        """
        assert self._shared is not None, "connect() first"
        # Any, because the stub wants headers that may be text or None, and lists are invariant.
        hand_over: Callable[..., None] = self._shared.produce
        rest = iter(run)
        refused = False
        if not self._waiting and self._next is None:
            try:
                for each in rest:
                    # The two callbacks are an argument and its older name.
                    hand_over(
                        each.topic, each.value, each.key, ANY_PARTITION, each, None, each.timestamp_ms, each.headers
                    )
            except (KafkaException, BufferError):
                refused = True
        if refused:
            self.produce(each.topic, each.record, each)  # is refused again, and this time gets its result, or waits
        for each in rest:
            self.produce(each.topic, each.record, each)
        self.wake()

    def produce_alone(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> None:
        """Give one record to librdkafka in a batch of its own, because Kafka refuses whole batches and other records
        are not the cause.
        """
        if self._alone is None:
            self._alone = self._open({"batch.num.messages": 1})
        if (refused := _produce(self._alone, topic, record, on_delivery)) is not None:
            on_delivery(_kafka_error(refused), None)
        self.wake()

    def wake(self) -> None:
        """Poll soon, and then run the actions of `after_poll`, even if no record is outstanding."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(POLL_SECONDS, self._poll)

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        """Return when all `records` are acknowledged by all in-sync replicas.

        Raises RetryableError, OperatorError or RefusedError for the first record that failed, after the results of all
        records are known. The records before and after it may be in Kafka.
        """
        if not records:
            return
        outcome = _Outcome(len(records), asyncio.get_running_loop().create_future())
        for record in records:
            self.produce(topic, record, outcome)
        error = await outcome.settled
        if error is not None:
            cause = self._fatal_error if error.code() == KafkaError._FATAL else None
            raise failure(cause or error, f"cannot write to {topic}")

    def outstanding(self) -> int:
        """The number of records without a result yet."""
        return len(self._waiting) + self._sent()

    def delivered(self) -> None:
        """Note that Kafka has acknowledged a record, and log this if it was away."""
        self._fatal_told = ""
        self._link.answered()

    async def close(self, deadline_seconds: float = 10.0) -> int:
        """Wait for the outstanding records, at most `deadline_seconds`. Returns how many were given up."""
        if self._looking is not None:
            self._looking.cancel()
        give_up = time.monotonic() + deadline_seconds
        while self.outstanding() and time.monotonic() < give_up:
            self.wake()  # an event about the connection may be waiting, which is not logged yet
            await asyncio.sleep(POLL_SECONDS)
        left = self.outstanding()
        if self._timer is not None:
            self._timer.cancel()
        self._abandon()
        return left

    # --- From here on: inside

    def _open_ones(self) -> list[Librdkafka]:
        return [each for each in (self._shared, self._alone) if each is not None]

    def _sent(self) -> int:
        """The number of records that librdkafka has, without a result yet."""
        return sum(len(each) for each in self._open_ones())

    def _open(self, extra: dict[str, Any] | None = None) -> Librdkafka:
        settings = {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",  # not librdkafka's default, which differs from Java's
            "message.timeout.ms": int(self._delivery_timeout_seconds * 1000),
            "message.max.bytes": self.record_bytes_max,
            "batch.size": min(BATCH_BYTES_MAX, self.record_bytes_max),
            "queue.buffering.max.messages": 0,  # the caller bounds the records with its window
            "queue.buffering.max.kbytes": 2_097_151,
            "linger.ms": 5,
            "error_cb": self._on_error,
        }
        return self._link.producer(self._process, settings | (extra or {}))

    def _hand_over(self, topic: str, record: Outgoing, on_delivery: OnDelivery) -> bool:
        assert self._shared is not None, "connect() first"
        refused = _produce(self._shared, topic, record, on_delivery)
        if isinstance(refused, BufferError):
            self._waiting.appendleft((topic, record, on_delivery))
            return False
        if refused is not None:
            on_delivery(_kafka_error(refused), None)
        return True

    def _poll(self) -> None:
        """Collect answers, produce the records that found the queue full, and poll again while records are outstanding."""
        self._timer = None
        for client in self._open_ones():
            try:
                client.poll(0)
            except (
                KafkaException
            ) as error:  # confluent-kafka throws fatal errors, and does not give all of them to error_cb
                self._on_error(error.args[0])
        if self._fatal:
            self._replace(self._next)
        if self._next is not None and (not self._sent() or time.monotonic() > self._drained_by):
            self._replace(self._next)
        while self._waiting and self._next is None and self._hand_over(*self._waiting.popleft()):
            pass
        for each in self._after_poll:
            if (action := each()) is not None:
                action()
        if self.outstanding():
            self.wake()

    async def _look(self) -> None:
        """Notice while nothing is produced that the connection is lost, or is back."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.wake()
            if self._next is None and self._link.refresh(*self._open_ones()):
                await self._renew()
            if self._link.down_since is not None and self._shared is not None:
                with suppress(KafkaException):
                    await asyncio.to_thread(
                        self._shared.list_topics, self._kafka.messages_topic, timeout=ANSWER_SECONDS
                    )
                    self.delivered()

    async def _renew(self) -> None:
        """Open a producer with the certificates that are there now. If Kafka does not let it in, the old one goes on."""
        try:
            following = await asyncio.to_thread(self._open)
            await asyncio.to_thread(following.list_topics, self._kafka.messages_topic, timeout=ANSWER_SECONDS)
        except (KafkaException, ConnectorError) as error:
            why = failure(error.args[0], "the new certificates") if isinstance(error, KafkaException) else error
            self._link.certificates_are_bad(why)
        else:
            self._drained_by = time.monotonic() + DRAIN_SECONDS
            self._next = following
            self.wake()

    def _on_error(self, error: KafkaError) -> None:
        """Take an event of librdkafka. A fatal error replaces the producer; the link takes all others."""
        if error.fatal():
            self._fatal, self._fatal_error = True, error
            told = str(failure(error, "the producer is replaced"))
            if told != self._fatal_told:  # the next one may end for the same reason, a second later
                log.error("kafka.producer_replaced", error=told)
            self._fatal_told = told
        else:
            self._link.heard(error)

    def _replace(self, following: Librdkafka | None = None) -> None:
        """Replace the producer: a fatal error ended it, or its certificates are old. What it has sent without a result fails."""
        self._fatal = False
        kept: deque[tuple[str, Outgoing, OnDelivery]] = deque()
        if following is not None and not self._sent():  # what was sent before them is in Kafka, so they may follow
            kept, self._waiting = self._waiting, kept
        self._abandon()
        self._shared, self._next = self._open() if following is None else following, None
        self._waiting = kept

    def _abandon(self) -> None:
        for each in self._open_ones():
            each.purge()
            each.poll(0)
        while self._waiting:
            self._waiting.popleft()[2](KafkaError(KafkaError._PURGE_QUEUE), None)
        self._shared = self._alone = None


class _Outcome:
    """Counts the answers of one `send`, and keeps the first error."""

    def __init__(self, left: int, settled: asyncio.Future[KafkaError | None]) -> None:
        self._left = left
        self._error: KafkaError | None = None
        self.settled = settled

    def __call__(self, error: KafkaError | None, message: Message | None) -> None:
        self._left -= 1
        self._error = self._error or error
        if self._left == 0 and not self.settled.done():
            self.settled.set_result(self._error)


def _produce(client: Any, topic: str, record: Outgoing, on_delivery: OnDelivery) -> KafkaException | BufferError | None:
    """Produce with a Librdkafka. Returns its refusal. `client` is Any because of its stub, as in `produce_all`.

    The caller must not be handling an exception: if confluent-kafka raises then, that one and all its frames stay in memory
    for ever. So a refusal is a value here, and its traceback is dropped.
    """
    key, value, headers, timestamp_ms = record
    try:
        client.produce(topic, value, key, ANY_PARTITION, on_delivery, None, timestamp_ms, headers)
    except (KafkaException, BufferError) as error:
        return error.with_traceback(None)
    return None


def _kafka_error(error: Exception) -> KafkaError:
    found = error.args[0] if error.args else None
    if isinstance(found, KafkaError):
        return found
    return KafkaError(KafkaError._QUEUE_FULL if isinstance(error, BufferError) else KafkaError._FAIL, str(error))
