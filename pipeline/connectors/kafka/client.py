"""Makes all clients of Kafka, and reports the state of their connection.

librdkafka reports each attempt to connect with a log line and an event: hundreds of them an hour while Kafka is away. A `Link`
logs one line for each change of state: `kafka.disconnected` and `kafka.refused` with address and reason, `kafka.connected`. All
other lines of librdkafka (a setting that it ignores, a poll that came too late) become `kafka.warned`, once for each text.

Events come when a client is polled. A command that gives up asks its link for the reason (`why`), and prints it itself.

This file does not know topics or records.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import Producer as Librdkafka
from confluent_kafka.admin import AdminClient

from pipeline.config import KafkaConfig
from pipeline.errors import ConnectorError, OperatorError, RefusedError, RetryableError
from pipeline.log import get_logger
from pipeline.retry import KAFKA

log: Final = get_logger("tidegate.kafka")

# How long a command waits for an answer before it gives up. The processes wait without end.
ANSWER_SECONDS: Final = 10.0
EVENTS_MAX: Final = 1000  # of one client, read together
WARNINGS_MAX: Final = 100  # texts of librdkafka that a process logs in its life

# The record itself is the cause: Kafka will never accept it.
REFUSED: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.POLICY_VIOLATION,
        KafkaError._INVALID_ARG,
    }
)
# A person has to correct something first: a permission, a topic that was deleted, a certificate.
OPERATOR: Final = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.UNSUPPORTED_VERSION,
    }
)
# Kafka did not answer. These errors say no more; the reason is in the events of the connection.
NO_ANSWER: Final = frozenset(
    {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}
)
# Parts of librdkafka's reasons that nobody needs: the broker, the time of the attempt, the number of equal errors.
_NOISE: Final = re.compile(
    r"^\S+?: (?=Connect to|Failed to resolve)|(?<=Connect to )ipv[46]#| \(after \d+ms in state [^)]*\)?\)$"
)


def failure(error: KafkaError, doing: str) -> ConnectorError:
    """The ConnectorError for `error`. Its message begins with `doing`, the operation that failed."""
    message = f"{doing}: {_plain(error)} ({error.name()})"
    reason = error.name().lower().lstrip("_")
    if error.code() in REFUSED:
        return RefusedError(message, reason=reason)
    if error.code() in OPERATOR:
        return OperatorError(message, reason=reason)
    return RetryableError(message, reason=reason)


class Link:
    """The state of the connection of some clients to one Kafka. Call its methods on the thread that polls these
    clients.

    `silent`: log nothing. Commands use this, because their own error says why they give up.
    """

    def __init__(self, kafka: KafkaConfig, *, silent: bool = False) -> None:
        self._servers = kafka.bootstrap_servers
        self._silent = silent
        self._why = ""
        self._refused = ""
        self.down_since: float | None = None  # time.monotonic() when the last broker was lost

    def admin(self, kafka: KafkaConfig, client_id: str) -> AdminClient:
        """A client that reads and creates topics."""
        return AdminClient(self._settings(kafka, client_id), logger=_LOGGER)

    def consumer(self, kafka: KafkaConfig, client_id: str, settings: dict[str, Any]) -> Consumer:
        """A client that reads records."""
        return Consumer(self._settings(kafka, client_id) | settings, logger=_LOGGER)

    def producer(self, kafka: KafkaConfig, client_id: str, settings: dict[str, Any]) -> Librdkafka:
        """A client that writes records."""
        return Librdkafka(self._settings(kafka, client_id) | settings, logger=_LOGGER)

    def _settings(self, kafka: KafkaConfig, client_id: str) -> dict[str, Any]:
        return {
            "bootstrap.servers": kafka.bootstrap_servers,
            "client.id": client_id,
            "log.connection.close": False,
            "reconnect.backoff.max.ms": int(KAFKA.cap_seconds * 1000),
            "socket.keepalive.enable": True,
            "error_cb": self.heard,
        }

    def heard(self, error: KafkaError) -> None:
        """Take an event of librdkafka, and log a change of state."""
        code = error.code()
        if code in OPERATOR:
            self._why = _plain(error)
            if self._refused != self._why and not self._silent:
                log.error("kafka.refused", servers=self._servers, error=self._why)
            self._refused = self._why
        elif code == KafkaError._ALL_BROKERS_DOWN:
            self._lost(error)
        elif code in NO_ANSWER:
            self._why = _plain(error)

    def _lost(self, error: KafkaError) -> None:
        if self.down_since is not None:
            return
        self.down_since = time.monotonic()
        if not self._silent:
            log.warning("kafka.disconnected", servers=self._servers, error=self._why or _plain(error))

    def answered(self) -> None:
        """Note that Kafka has answered, and log this if it was away."""
        if self.down_since is None:
            return
        if not self._silent:
            seconds = round(time.monotonic() - self.down_since, 1)
            log.info("kafka.connected", servers=self._servers, seconds=seconds)
        self.down_since = None
        self._why = self._refused = ""

    def why(self, client: Any, error: KafkaError, doing: str) -> ConnectorError:
        """The reason why an operation of `client` failed. If Kafka did not answer: the address, its setting and the cause.

        Without `client`, its events are read elsewhere: by whoever polls it for records.
        """
        if client is not None:
            _read_events(client)
        if error.code() not in NO_ANSWER:
            return failure(error, f"{doing} at {self._servers}")
        message = f"{doing}: Kafka at {self._servers} (kafka.bootstrap_servers) does not answer"
        kind = OperatorError if self._refused else RetryableError
        return kind(f"{message}: {self._why or _plain(error)}", reason=error.name().lower().lstrip("_"))


def _read_events(client: Any) -> None:
    """Poll a client for its waiting events. A consumer without a partition gets no records by this."""
    ask: Callable[[float], Any] = client.poll
    for _ in range(EVENTS_MAX):
        try:
            if not ask(0):
                return
        except (KafkaException, RuntimeError):  # a consumer without a partition cannot be polled for records
            return


def _plain(error: KafkaError) -> str:
    return _NOISE.sub("", error.str())


class _Lines(logging.Handler):
    """Handles librdkafka's log lines. Drops those about the connection, which repeat at each attempt: Link logs the changes."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[tuple[str, str]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line from confluent-kafka: facility, client, text."""
        facility, client, text = (str(each) for each in record.args) if isinstance(record.args, tuple) else ("", "", "")
        text = text.partition("]: ")[2] or text
        told = facility, re.sub(r"\d+", "", text)
        if facility in {"FAIL", "ERROR"} or told in self._told or len(self._told) >= WARNINGS_MAX:
            return
        self._told.add(told)
        log.warning("kafka.warned", client=client, about=facility, text=text)


def _logger() -> logging.Logger:
    logger = logging.getLogger("tidegate.librdkafka")
    logger.propagate = False
    logger.addHandler(_Lines())
    return logger


_LOGGER: Final = _logger()
