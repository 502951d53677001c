"""Reads the topic of alias tables from its beginning to its end, and goes on reading, in a thread.

Other processes of the pipeline write there too. So a process that takes over a source knows what the one before it knew. This
file does not know what a table is.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipeline.config.kafka import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, OPERATOR, Link
from pipeline.connectors.kafka.topics import ensure_aliases_topic
from pipeline.errors import OperatorError, RetryableError, TidegateError
from pipeline.log import get_logger

log: Final = get_logger("tidegate.ingress")

POLL_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 1.0  # between two looks at the files of certificates and passwords
MESSAGES_MAX: Final = 500  # read together

Told = Callable[[list[Message]], None]


class TableReader:
    """One reader. `told` gets the records on the event loop. Call all methods there too."""

    def __init__(self, kafka: KafkaConfig, told: Told) -> None:
        self._kafka = kafka
        self._told = told
        self._link = Link(kafka, silent=True)  # the producer of the process reports the connection
        self._next = 0  # offset of the next record to read
        self._asked: SimpleQueue[asyncio.Future[None]] = SimpleQueue()
        self._problem = ""  # the last one that was logged
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="aliases", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def caught_up(self) -> None:
        """Return when all that the topic holds now was given to `told`. Waits while Kafka is away. Raises TidegateError
        if a person has to correct something.
        """
        asked: asyncio.Future[None] = self._loop.create_future()
        self._asked.put(asked)
        await asked

    async def close(self) -> None:
        """Stop reading."""
        self._closing.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    # --- In the thread

    def _run(self) -> None:
        is_there = False
        while not self._closing.is_set():
            try:
                if not is_there:
                    ensure_aliases_topic(self._kafka, keep_trying=lambda: not self._closing.is_set())
                is_there = True
                self._follow()
            except RetryableError:  # no token now, or certificates that are being replaced
                self._closing.wait(LOOK_SECONDS)
            except TidegateError as error:
                self._say(error)
                while not self._asked.empty():
                    self._answer(self._asked.get(), error)
                self._closing.wait(LOOK_SECONDS)

    def _say(self, error: TidegateError) -> None:
        if self._problem != str(error):
            log.error("sparkplug.not_read", topic=self._kafka.aliases_topic, error=str(error))
        self._problem = str(error)

    def _follow(self) -> None:
        """Read with one consumer, until the process stops or other certificates are there."""
        place = TopicPartition(self._kafka.aliases_topic, 0, self._next)
        consumer = self._link.reader("aliases", _SETTINGS | {"fetch.message.max.bytes": self._kafka.max_message_bytes})
        consumer.assign([place])
        look_at = time.monotonic() + LOOK_SECONDS
        asked: list[tuple[int, asyncio.Future[None]]] = []
        try:
            while not self._closing.is_set():
                self._take(consumer.consume(MESSAGES_MAX, timeout=POLL_SECONDS))
                while not self._asked.empty():
                    asked.append((self._end(consumer, place), self._asked.get()))
                asked = [each for each in asked if not self._is_reached(*each)]
                if time.monotonic() >= look_at:
                    look_at += LOOK_SECONDS
                    if self._link.refresh(consumer):
                        return
        finally:
            for _, future in asked:
                self._asked.put(future)
            consumer.close()

    def _take(self, messages: list[Message]) -> None:
        found = []
        for each in messages:
            error = each.error()
            if error is None:
                found.append(each)
                self._next = (each.offset() or 0) + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                self._next = max(self._next, each.offset() or 0)
            elif error.code() in OPERATOR:
                raise self._link.why(None, error, f"cannot read {self._kafka.aliases_topic}")
        if found:
            self._loop.call_soon_threadsafe(self._told, found)

    def _end(self, consumer: Consumer, place: TopicPartition) -> int:
        try:
            return int(consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)[1])
        except KafkaException as error:
            problem = self._link.why(
                consumer, _cause(consumer, place.topic, error.args[0]), f"cannot read {place.topic}"
            )
            raise (
                problem if isinstance(problem, OperatorError) else RetryableError(str(problem), reason="away")
            ) from None

    def _is_reached(self, end: int, asked: asyncio.Future[None]) -> bool:
        if self._next < end:
            return False
        self._answer(asked, None)
        return True

    def _answer(self, asked: asyncio.Future[None], error: TidegateError | None) -> None:
        def answer() -> None:
            if asked.done():  # nobody waits any more
                return
            if error is None:
                asked.set_result(None)
            else:
                asked.set_exception(error)

        self._loop.call_soon_threadsafe(answer)


def _cause(consumer: Consumer, topic: str, error: KafkaError) -> KafkaError:
    """The same error. A partition is unknown also while no broker answers, so Kafka is asked whether there is the topic."""
    if error.code() != KafkaError._UNKNOWN_PARTITION:
        return error
    try:
        return consumer.list_topics(topic, timeout=ANSWER_SECONDS).topics[topic].error or KafkaError(
            KafkaError._TIMED_OUT
        )
    except KafkaException as found:
        return found.args[0]  # type: ignore[no-any-return]


_SETTINGS: Final[dict[str, Any]] = {
    "auto.offset.reset": "earliest",
    "enable.partition.eof": True,
}
