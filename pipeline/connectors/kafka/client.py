"""Makes all clients of Kafka, and reports the state of their connection.

librdkafka reports each attempt to connect with a log line and an event: hundreds of them an hour while Kafka is away. A `Link`
logs one line for each change of state: `kafka.disconnected` and `kafka.refused` with address and reason, `kafka.connected`. All
other lines of librdkafka (a setting that it ignores, a poll that came too late) become `kafka.warned`, once for each text; those
about an attempt that it repeats only if it still does after some seconds.

Events come when a client is polled. A command that gives up asks its link for the reason (`why`), and prints it itself.

This file does not know topics or records.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import Producer as Librdkafka
from confluent_kafka.admin import AdminClient

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.diagnosis import Diagnosis, unreachable, why_not
from pipeline.connectors.kafka.reasons import reason_of
from pipeline.connectors.kafka.security import Security
from pipeline.errors import ConfigError, ConnectorError, OperatorError, RefusedError, RetryableError
from pipeline.log import get_logger
from pipeline.retry import KAFKA

log: Final = get_logger("tidegate.kafka")
Made = TypeVar("Made")

# How long a command waits for an answer before it gives up. The processes wait without end.
ANSWER_SECONDS: Final = 10.0
EVENTS_MAX: Final = 1000  # of one client, read together
WARNINGS_MAX: Final = 100  # texts of librdkafka that a process logs in its life
# The end of a line about an attempt that librdkafka repeats, and how long it may do so before the line matters.
RETRYING: Final = ": retrying"
RETRIED_SECONDS: Final = 10.0

# The record itself is the cause: Kafka will never accept it. POLICY_VIOLATION is none of these: so Azure Event Hubs answers a
# write that it delayed for too long, because there were more than it is paid for.
REFUSED: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.INVALID_MSG_SIZE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError._INVALID_ARG,
    }
)
UNKNOWN: Final = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC})  # there is no such topic
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
        *UNKNOWN,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.UNSUPPORTED_VERSION,
    }
)
# Kafka did not answer. These errors say no more; the reason is in the events of the connection.
NO_ANSWER: Final = frozenset(
    {KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE}
)


def failure(error: KafkaError, doing: str) -> ConnectorError:
    """The ConnectorError for `error`. Its message begins with `doing`, the operation that failed."""
    message = f"{doing}: {reason_of(error)} ({error.name()})"
    reason = error.name().lower().lstrip("_")
    if error.code() in REFUSED:
        return RefusedError(message, reason=reason)
    if error.code() in OPERATOR:
        return OperatorError(message, reason=reason)
    return RetryableError(message, reason=reason)


class LoneConsumer(Consumer):
    """A consumer in no group. librdkafka wants the name of one, and asks for it: that the user may not use it changes nothing."""

    def poll(self, *args: Any, **more: Any) -> Message | None:
        """As that of a consumer, without what is said about the group."""
        message = super().poll(*args, **more)
        return None if message is None or _is_of_the_group(message) else message

    def consume(self, *args: Any, **more: Any) -> list[Message]:
        """As that of a consumer, without what is said about the group."""
        return [each for each in super().consume(*args, **more) if not _is_of_the_group(each)]


def _is_of_the_group(message: Message) -> bool:
    error = message.error()
    return error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED


class Link:
    """The state of the connection of some clients to one Kafka. Call its methods on the thread that polls these
    clients.

    `silent`: log nothing. Commands use this, because their own error says why they give up.
    """

    def __init__(self, kafka: KafkaConfig, *, silent: bool = False) -> None:
        self._kafka = kafka
        self._servers = kafka.bootstrap_servers
        self._security = Security(kafka)
        self._silent = silent
        self._why = ""
        self._refused = ""
        self._looked = False  # at the files of certificates and passwords
        self.down_since: float | None = None  # time.monotonic() when the last broker was lost

    def admin(self, process: str) -> AdminClient:
        """A client that reads and creates topics. `process` is a part of its `client.id`.

        This and the next three raise OperatorError or RetryableError if a file, a secret or a token is not there.
        """
        return self._made(lambda settings: AdminClient(settings, logger=_LOGGER), process)

    def consumer(self, process: str, settings: dict[str, Any]) -> Consumer:
        """A client that reads records."""
        return self._made(lambda common: Consumer(common | settings, logger=_LOGGER), process)

    def reader(self, process: str, settings: dict[str, Any]) -> LoneConsumer:
        """A client that reads records without a consumer group, and commits nothing. The user needs no right to a group."""
        own = {"group.id": f"tidegate-{process}", "enable.auto.commit": False, "enable.auto.offset.store": False}
        return self._made(lambda common: LoneConsumer(common | own | settings, logger=_LOGGER), process)

    def producer(self, process: str, settings: dict[str, Any]) -> Librdkafka:
        """A client that writes records."""
        return self._made(lambda common: Librdkafka(common | settings, logger=_LOGGER), process)

    def _made(self, make: Callable[[dict[str, Any]], Made], process: str) -> Made:
        if not self._looked:  # only before the first: the others wait for what changed since then
            self._looked = True
            with suppress(ConfigError):  # the settings say so, and where
                self._security.certificates_changed()
                self._security.password_changed()
        try:
            return make(self._settings(process))
        except KafkaException as error:
            raise OperatorError(
                f"cannot connect to Kafka at {self._servers}: {self._reason(error.args[0])}", reason="bad_setting"
            ) from None

    def _settings(self, process: str) -> dict[str, Any]:
        return {
            "bootstrap.servers": self._servers,
            "client.id": self._kafka.client_id(process),
            "log.connection.close": False,
            "reconnect.backoff.max.ms": int(KAFKA.cap_seconds * 1000),
            "socket.keepalive.enable": True,
            "error_cb": self.heard,
            **self._security.librdkafka(),
        }

    def refresh(self, *clients: Any) -> bool:
        """Give clients the present password, for their next connections. True: certificates changed, and they must be made again.

        Blocks for no more than a look at some files.
        """
        try:
            login = self._kafka.authentication
            if login is not None and self._security.password_changed():
                password = self._security.password()
                for client in clients:
                    client.set_sasl_credentials(login.username, password)
            return self._security.certificates_changed()
        except ConfigError as error:
            self._security.are_bad(error)
            return False

    def certificates_are_bad(self, error: ConnectorError) -> None:
        """Note that a client could not be made with changed certificates. The next `refresh` is True again."""
        self._security.are_bad(error)

    def heard(self, error: KafkaError) -> None:
        """Take an event of librdkafka, and log a change of state."""
        code = error.code()
        if code in OPERATOR:
            self._why = self._reason(error)
            if self._refused != self._why and not self._silent:
                log.error("kafka.refused", servers=self._servers, error=self._why)
            self._refused = self._why
        elif code == KafkaError._ALL_BROKERS_DOWN:
            self._lost(error)
        elif code in NO_ANSWER:
            self._why = self._reason(error)

    def _reason(self, error: KafkaError) -> str:
        return reason_of(error, self._security.login_settings)

    def _lost(self, error: KafkaError) -> None:
        if self.down_since is not None:
            return
        self.down_since = time.monotonic()
        if not self._silent:
            log.warning("kafka.disconnected", servers=self._servers, error=self._why or self._reason(error))

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
        told, operator, is_reached = Diagnosis(self._why, True) if self._refused else why_not(self._kafka)
        if self._refused and "kafka.ssl" in self._refused:
            told = why_not(self._kafka).told or told  # which of the settings it is
        if not told and is_reached and client is not None:
            told = advertised_wrongly(client)
        kind = OperatorError if operator else RetryableError
        message = f"{doing}: Kafka at {self._servers} (kafka.bootstrap_servers) does not answer"
        return kind(f"{message}: {told or self._why or self._reason(error)}", reason=error.name().lower().lstrip("_"))


def advertised_wrongly(client: Any) -> str:
    """What is wrong with the addresses of the brokers, as Kafka tells them; empty if nothing is, or if it tells none. Blocks."""
    try:
        brokers = client.list_topics(timeout=ANSWER_SECONDS).brokers.values()
    except KafkaException:
        return ""
    return unreachable((each.host, each.port) for each in brokers)


def _read_events(client: Any) -> None:
    """Poll a client for its waiting events. A consumer without a partition gets no records by this."""
    ask: Callable[[float], Any] = client.poll
    for _ in range(EVENTS_MAX):
        try:
            if not ask(0):
                return
        except (KafkaException, RuntimeError):  # a consumer without a partition cannot be polled for records
            return


class Retried(NamedTuple):
    """When librdkafka said that it repeats an attempt: for the first time in a row, and for the last time. Seconds."""

    first: float
    last: float


class _Lines(logging.Handler):
    """Handles librdkafka's log lines. Drops those about the connection, which repeat at each attempt: Link logs the changes."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._told: set[tuple[str, str]] = set()
        self._retried: dict[tuple[str, str], Retried] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Take a line from confluent-kafka: facility, client, text."""
        facility, client, text = (str(each) for each in record.args) if isinstance(record.args, tuple) else ("", "", "")
        text = text.partition("]: ")[2] or text
        told = facility, re.sub(r"\d+", "", text)
        if facility in {"FAIL", "ERROR"} or told in self._told or len(self._told) >= WARNINGS_MAX:
            return
        if text.endswith(RETRYING) and not self._lasts(told, record.created):
            return
        self._told.add(told)
        log.warning("kafka.warned", client=client, about=facility, text=text)

    def _lasts(self, told: tuple[str, str], now: float) -> bool:
        """Whether an attempt has been repeated for some time. Each producer's first one meets a coordinator that still loads."""
        before = self._retried.get(told)
        if before is None or now - before.last > RETRIED_SECONDS:
            before = Retried(now, now)
            if len(self._retried) >= WARNINGS_MAX:
                self._retried.clear()
        self._retried[told] = Retried(before.first, now)
        return now - before.first >= RETRIED_SECONDS


def _logger() -> logging.Logger:
    logger = logging.getLogger("tidegate.librdkafka")
    logger.propagate = False
    logger.addHandler(_Lines())
    return logger


_LOGGER: Final = _logger()
