"""Chooses the leader among several processes with the same task, through Kafka.

The processes form a consumer group on a topic with one partition. The process that owns the partition leads; the others stand
by. If the leader dies, Kafka notices within `kafka.session_timeout`; if it leaves in order, Kafka notices at once. With
cooperative assignment, a process that joins takes nothing from the leader. No process writes or reads records of this topic.

If a frozen leader wakes up, two processes may believe for a moment that they lead. The task must tolerate this. An MQTT broker
does, because it allows only one connection for each clientid.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from typing import Any, Final

from confluent_kafka import Message

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import NO_ANSWER, Link, failure
from pipeline.connectors.kafka.topics import ensure_lead_topic
from pipeline.errors import ConnectorError, OperatorError, RetryableError, TidegateError
from pipeline.log import get_logger
from pipeline.retry import KAFKA

log: Final = get_logger("tidegate.kafka")

POLL_SECONDS: Final = 0.2
LOOK_SECONDS: Final = 1.0  # between two looks at the files of certificates and passwords
TOPIC: Final = "tidegate.lead"  # one partition, no records; one consumer group for each source with stand-bys


class Lead:
    """`leads` is set while this process leads, and `follows` while it does not. Call `open` and `close` on the event loop.

    `problem` is the reason why this process cannot become the leader now, or empty. `changed` is set with each change of it.
    """

    def __init__(self, kafka: KafkaConfig, *, group: str) -> None:
        self._kafka = kafka
        self._group = group
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self.leads = asyncio.Event()
        self.follows = asyncio.Event()
        self.follows.set()
        self.failed = asyncio.Event()
        self.problem = ""
        self.changed = asyncio.Event()
        self._error: TidegateError | None = None

    def open(self) -> None:
        """Become a candidate."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self.stand, name=f"lead {self._group}", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Leave the group in order, so that another process leads at once."""
        self._closing.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def raise_failure(self) -> None:
        """Raise the error that prevents this process from being a candidate, if a person has to correct it: a
        permission, a certificate.
        """
        if self._error is not None:
            raise self._error

    # --- In the thread

    def stand(self) -> None:
        """Be a candidate until `close`."""
        try:
            ensure_lead_topic(self._kafka, TOPIC, keep_trying=lambda: not self._closing.is_set())
        except TidegateError as error:
            self._loop.call_soon_threadsafe(self._fail, error)
            return
        settings: dict[str, Any] = {
            "group.id": self._group,
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": int(self._kafka.session_timeout * 1000),
            "enable.auto.commit": False,
            "auto.offset.reset": "latest",
        }
        link = Link(self._kafka, silent=True)  # the producer of the process reports the connection
        waits = KAFKA.waits(random.random)
        while not self._closing.is_set():
            try:
                self._take_part(link, link.consumer("ingress-lead", settings))
            except RetryableError as error:  # no token now, or certificates that are being replaced
                self._closing.wait(waits.after(error))
            except TidegateError as error:
                self._loop.call_soon_threadsafe(self._fail, error)
                return

    def _take_part(self, link: Link, consumer: Any) -> None:
        """Be in the group until the process stops, or until other certificates are there."""
        consumer.subscribe([TOPIC], on_assign=self._assigned, on_revoke=self._taken, on_lost=self._taken)
        look_at = time.monotonic() + LOOK_SECONDS
        while not self._closing.is_set():
            self.heard(consumer.poll(POLL_SECONDS))
            if time.monotonic() >= look_at:
                look_at += LOOK_SECONDS
                if link.refresh(consumer):
                    break
        consumer.close()

    def heard(self, message: Message | None) -> None:
        """Take a message of the group. The topic has no records, so every message is an error: a missing permission …"""
        error = message.error() if message is not None else None
        if error is not None and error.code() not in NO_ANSWER:
            self._loop.call_soon_threadsafe(self._trouble, failure(error, f"consumer group {self._group}"))

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        self._loop.call_soon_threadsafe(self._trouble, None)  # a candidate without a partition is one, too
        if partitions:
            self._tell(True)

    def _taken(self, consumer: Any, partitions: list[Any]) -> None:
        if partitions:
            self._tell(False)

    def _tell(self, leads: bool) -> None:
        self._loop.call_soon_threadsafe(self._changed, leads)

    def _trouble(self, error: ConnectorError | None) -> None:
        problem = str(error) if error else ""
        if problem == self.problem:
            return
        self.problem = problem
        self.changed.set()
        if error:
            level = logging.ERROR if isinstance(error, OperatorError) else logging.WARNING
            log.log(level, "lead.unavailable", group=self._group, reason=error.reason, error=problem)

    def _fail(self, error: TidegateError) -> None:
        self._error = error
        self.failed.set()

    def _changed(self, leads: bool) -> None:
        if leads:
            log.info("lead.gained", group=self._group)
            self.follows.clear()
            self.leads.set()
        else:
            log.info("lead.lost", group=self._group)
            self.leads.clear()
            self.follows.set()
