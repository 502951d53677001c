"""Reads the topic of the configuration to its end, and goes on reading, in a thread.

It reads what is committed, and publishes only when it has reached the end of that: so nobody ever sees half of a change. The
revision is the last offset before that end, markers of transactions included. All followers thus agree on it, also those that
came after a compaction.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, Link
from pipeline.control.objects import Stored
from pipeline.control.records import Past, decode
from pipeline.errors import ConnectorError, OperatorError, RetryableError
from pipeline.log import get_logger

log: Final = get_logger("tidegate.control")

POLL_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 1.0  # between two looks at the files of certificates and passwords
TROUBLE_SECONDS: Final = 5.0  # so long a deleted topic stays unnoticed, and an error that is over
SILENT_MAX: Final = 2  # looks in a row that get no answer, until Kafka is taken to be away
CHANGES_REMEMBERED_MAX: Final = 1_000
GONE: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED})

# The objects by key, and the revision.
Publish = Callable[[dict[str, Stored], int], None]


class Follower:
    """One reader of the topic. `publish` is called in its thread whenever it has reached the end, and something is new."""

    def __init__(self, kafka: KafkaConfig, topic: str, publish: Publish) -> None:
        self._place = TopicPartition(topic, 0, 0)
        self._publish = publish
        self._link = Link(kafka, silent=True)  # the process's producer reports the connection
        self._kafka = kafka
        self._asking: Consumer | None = None
        self._consumer = open_reader(self._link, "config")
        self._next = 0  # offset of the next record to read
        self._objects: dict[str, Stored] = {}
        self._published: dict[str, Stored] = {}
        self._changes: dict[str, int] = {}  # the newest, oldest first, and the last offset of each
        self._revision = -2  # nothing is published yet; an empty topic has -1
        self._error: ConnectorError | None = None
        self._away: ConnectorError | None = None
        self._silent = 0  # looks in a row that got no answer
        self._moved = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="config", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._consumer.assign([self._place])
        self._thread.start()

    def close(self) -> None:
        """Stop reading. Blocks until the thread has ended."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._consumer.close()

    def catch_up(self, timeout_seconds: float) -> tuple[dict[str, Stored], int]:
        """The objects and the revision as of now or later. Blocks; not on the follower's thread. Raises ConnectorError."""
        give_up = time.monotonic() + timeout_seconds
        end = self._end(give_up, min(ANSWER_SECONDS, timeout_seconds))
        return self._wait(lambda: self._revision + 1 >= end, give_up - time.monotonic())

    def until_seen(self, change: str, timeout_seconds: float) -> tuple[dict[str, Stored], int]:
        """The same after a change is there: Kafka shows it some time after it has promised it."""
        return self._wait(lambda: self._has(change), timeout_seconds)

    def _wait(self, true: Callable[[], bool], timeout_seconds: float) -> tuple[dict[str, Stored], int]:
        with self._moved:
            if not self._moved.wait_for(true, timeout_seconds):
                raise (
                    self._error
                    or self._away
                    or RetryableError(
                        f"the topic {self._place.topic} was read up to offset {self._revision}, and Kafka does not send the rest",
                        reason="timeout",
                    )
                )
            return self._published, self._revision

    @property
    def error(self) -> str:
        """Why the topic cannot be read now; empty while it can."""
        return str(self._error or "")

    @property
    def trouble(self) -> str:
        """The same, or why Kafka does not answer now."""
        return str(self._error or self._away or "")

    def has_seen(self, change: str) -> bool:
        """Whether records of this change are among the newest that were read."""
        with self._moved:
            return self._has(change)

    def _has(self, change: str) -> bool:
        return self._changes.get(change, self._revision + 1) <= self._revision

    def _end(self, give_up: float, answer_seconds: float) -> int:
        """Where the topic ends now. A broker that has just created it does not know yet.

        A client of its own asks: the consumer that is polled in another thread meanwhile may never answer. It is a consumer
        too, because each fifth answer to an admin client comes after whole seconds (librdkafka 2.16).
        """
        asking = self._asking = self._asking or open_reader(self._link, "config-end")
        while True:
            try:
                return int(asking.get_watermark_offsets(self._place, timeout=answer_seconds, cached=False)[1])
            except KafkaException as error:
                found = error.args[0]
                again = found.retriable() or found.code() == KafkaError._UNKNOWN_PARTITION
                if not again or time.monotonic() > give_up:
                    raise self._why(asking, found) from None
                time.sleep(0.05)

    def _why(self, asking: Consumer, error: KafkaError) -> ConnectorError:
        """Why Kafka does not say where the topic ends. The client calls a partition unknown also if no broker answers."""
        try:
            asking.list_topics(self._place.topic, timeout=LOOK_SECONDS)
        except KafkaException as found:
            error = found.args[0]
        return self._link.why(asking, error, f"cannot read {self._place.topic}")

    # --- In the thread

    def _follow(self) -> None:
        refresh_at = look_at = time.monotonic() + LOOK_SECONDS
        while not self._closing.is_set():
            message = self._consumer.poll(POLL_SECONDS)
            if time.monotonic() >= refresh_at:
                self._refresh()
                refresh_at = time.monotonic() + LOOK_SECONDS
            if time.monotonic() >= look_at or (self._link.down_since is not None and self._error is None):
                self._look()
                look_at = time.monotonic() + (LOOK_SECONDS if self._silent else TROUBLE_SECONDS)
            if message is None:
                continue
            error = message.error()
            if error is None:
                self._take(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._reached((message.offset() or 0) - 1)
            else:
                self._error = self._link.why(None, error, f"cannot read {self._place.topic}")

    def _refresh(self) -> None:
        """Use the certificates and passwords that are in their files now, from the next connection on."""
        following = opened_again(self._link, "config", self._consumer, *filter(None, [self._asking]))
        if following is not None:
            self._asking = None
            self._go_on_with(following)

    def _look(self) -> None:
        """Notice that Kafka does not answer, that the topic is gone or forbidden, and that either is over.

        A client that waits for records notices neither. A new one reaches the end of the topic even if there is nothing new.
        """
        try:
            if self._error is None:
                error = (
                    self._consumer.list_topics(self._place.topic, timeout=LOOK_SECONDS).topics[self._place.topic].error
                )
                self._link.answered()
                self._silent, self._away = 0, None
                if error is not None and error.code() in GONE:
                    self._error = self._link.why(None, error, f"cannot read {self._place.topic}")
            else:
                self._go_on_with(open_reader(self._link, "config"))
        except KafkaException as error:
            self._silent += 1
            if self._silent >= SILENT_MAX:
                self._away = self._link.why(None, error.args[0], f"cannot read {self._place.topic}")
        except ConnectorError:
            pass  # certificates cannot be used now, which the link has reported

    def _go_on_with(self, consumer: Consumer) -> None:
        self._consumer.close()
        self._consumer = consumer
        self._consumer.assign([TopicPartition(self._place.topic, 0, self._next)])

    def _take(self, message: Any) -> None:
        self._next = (message.offset() or 0) + 1
        past = _read(message)
        if past is None:
            return
        with self._moved:
            if past.stored is None:
                self._objects.pop(past.key, None)
            else:
                self._objects[past.key] = past.stored
            self._changes.pop(past.change, None)
            self._changes[past.change] = past.revision
            if len(self._changes) > CHANGES_REMEMBERED_MAX:
                del self._changes[next(iter(self._changes))]

    def _reached(self, revision: int) -> None:
        with self._moved:
            if revision < self._revision:
                self._is_another(revision)
            if revision == self._revision:
                self._error = None
            if revision <= self._revision:
                return
            self._error, self._revision = None, revision
            found = self._published = dict(self._objects)
            self._moved.notify_all()
        self._publish(found, revision)

    def _is_another(self, revision: int) -> None:
        """The topic ends before what was read of it. What it holds now is not what this process knows: it reads no more."""
        text = (
            f"the topic {self._place.topic} was read up to offset {self._revision} and ends at {revision} now: it was deleted "
            "and made again, or Kafka lost records; start the process again to use what it holds"
        )
        self._error = OperatorError(text, reason="config_topic_shorter")
        log.error("config.topic_shorter", topic=self._place.topic, error=text)
        self._closing.set()


def opened_again(link: Link, name: str, consumer: Consumer, *others: Consumer) -> Consumer | None:
    """A reader with the certificates that are in their files now, or None if they are as before or cannot be used.

    The present password goes to the clients that there are.
    """
    if not link.refresh(consumer, *others):
        return None
    try:
        return open_reader(link, name)
    except ConnectorError as error:
        link.certificates_are_bad(error)
        return None


def open_reader(link: Link, process: str) -> Consumer:
    """A consumer of what is committed, without a group and without commits. It tells when it reaches the end."""
    settings = {
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        "enable.partition.eof": True,
        "fetch.wait.max.ms": 100,  # the end of a transaction wakes no fetch that waits
        "fetch.error.backoff.ms": 100,
    }
    return link.reader(process, settings)


def read_all(kafka: KafkaConfig, topic: str) -> list[Past]:
    """All records that the topic still has, oldest first. Blocks. Raises ConnectorError."""
    link = Link(kafka, silent=True)
    consumer = open_reader(link, "history")
    found: list[Past] = []
    give_up = time.monotonic() + ANSWER_SECONDS
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        while time.monotonic() < give_up:
            message = consumer.poll(POLL_SECONDS)
            if message is None:
                continue
            if (error := message.error()) is None:
                give_up = time.monotonic() + ANSWER_SECONDS
                found += filter(None, [_read(message)])
            elif error.code() == KafkaError._PARTITION_EOF:
                return found
            elif not error.retriable():
                raise link.why(consumer, error, f"cannot read {topic}")
    finally:
        consumer.close()
    raise link.why(None, KafkaError(KafkaError._TIMED_OUT), f"cannot read {topic}")


def _read(message: Any) -> Past | None:
    try:
        place = message.offset() or 0, max(0, message.timestamp()[1])
        return decode(message.key() or b"", message.value(), message.headers() or (), *place)
    except ValueError as error:
        log.error("config.unreadable", topic=message.topic(), offset=message.offset(), error=str(error))
        return None
