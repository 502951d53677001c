"""Clients of Kafka: a change of state is one line, and a command that gives up knows the address and the reason."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from pathlib import Path
from typing import Any, NoReturn

import pytest
import structlog
from confluent_kafka import KafkaError, KafkaException

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka import topics
from pipeline.connectors.kafka.client import NO_ANSWER, Link, _Lines
from pipeline.connectors.kafka.diagnosis import _host_and_port
from pipeline.demo.process import free_port
from pipeline.errors import OperatorError, RetryableError
from tests.parts.authority import Authority

KAFKA = KafkaConfig(bootstrap_servers="kafka.plant:9092")
REFUSED = KafkaError(
    KafkaError._TRANSPORT,
    "kafka.plant:9092/bootstrap: Connect to ipv4#10.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
)
AGAIN = KafkaError(KafkaError._TRANSPORT, f"{REFUSED.str()[:-1]}, 30 identical error(s) suppressed)")
DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
WRONG_PASSWORD = KafkaError(KafkaError._AUTHENTICATION, "SASL authentication error: Authentication failed")
NO_METADATA = KafkaError(KafkaError._TRANSPORT, "Failed to get metadata: Local: Broker transport failure")


class Client:
    """A client that holds events of its connection, and tells them when it is polled."""

    def __init__(self, link: Link, *events: KafkaError) -> None:
        self._link = link
        self._events = list(events)
        self.asked = 0  # for the brokers

    def poll(self, seconds: float) -> int:
        """How many events were told."""
        if not self._events:
            return 0
        self._link.heard(self._events.pop(0))
        return 1

    def list_topics(self, timeout: float) -> NoReturn:
        """Kafka does not tell its brokers either."""
        self.asked += 1
        raise KafkaException(NO_METADATA)


def lines(link: Link, *events: KafkaError | None) -> list[Any]:
    """What is logged while a link hears these events. None: an answer."""
    with structlog.testing.capture_logs() as logged:
        for event in events:
            link.answered() if event is None else link.heard(event)
    return logged


def test_a_change_of_state_is_one_line() -> None:
    """A lost connection is one line with address and reason, however often librdkafka tries."""
    logged = lines(Link(KAFKA), REFUSED, DOWN, AGAIN, AGAIN, DOWN, None, None, REFUSED, DOWN)

    assert [line["event"] for line in logged] == ["kafka.disconnected", "kafka.connected", "kafka.disconnected"]
    assert {line["servers"] for line in logged} == {"kafka.plant:9092"}
    assert logged[0]["error"] == "Connect to 10.0.0.1:9092 failed: Connection refused"
    assert logged[2]["error"] == logged[0]["error"]


def test_one_broker_of_several_that_goes_is_no_change() -> None:
    """If one of several brokers goes, nothing is logged."""
    assert lines(Link(KAFKA), REFUSED, AGAIN) == []


def test_a_refusal_is_told_once() -> None:
    """A refusal is logged as an error, once for the same text."""
    logged = lines(Link(KAFKA), WRONG_PASSWORD, DOWN, WRONG_PASSWORD, DOWN)

    assert [(line["log_level"], line["event"]) for line in logged] == [
        ("error", "kafka.refused"),
        ("warning", "kafka.disconnected"),
    ]


def test_a_silent_link_logs_nothing() -> None:
    """Its command says in its own error why it gives up."""
    assert lines(Link(KAFKA, silent=True), WRONG_PASSWORD, REFUSED, DOWN, None) == []


@pytest.mark.parametrize("event", [REFUSED, AGAIN], ids=["first", "again"])
def test_who_gives_up_knows_why(event: KafkaError) -> None:
    """The error of a command has the address, the setting and the reason, and not how often librdkafka tried."""
    link = Link(KAFKA, silent=True)

    error = link.why(Client(link, event, DOWN), NO_METADATA, "cannot read")

    assert isinstance(error, RetryableError)
    assert str(error) == (
        "cannot read: Kafka at kafka.plant:9092 (kafka.bootstrap_servers) does not answer: "
        "Connect to 10.0.0.1:9092 failed: Connection refused"
    )


def test_a_kafka_that_takes_no_connection_is_not_asked_for_its_brokers() -> None:
    """A command that gives up does not wait a second time for a Kafka that is not there."""
    link = Link(KafkaConfig(bootstrap_servers=f"127.0.0.1:{free_port()}"), silent=True)
    client = Client(link, REFUSED, DOWN)

    link.why(client, NO_METADATA, "cannot read")

    assert client.asked == 0


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ("kafka:9093", ("kafka", 9093)),
        ("kafka", ("kafka", 9092)),
        ("[::1]:9093", ("::1", 9093)),
        ("[::1]", ("::1", 9092)),
    ],
)
def test_a_server_without_a_port_is_asked_too(server: str, found: tuple[str, int]) -> None:
    """The diagnosis connects to where librdkafka does."""
    assert _host_and_port(server) == found


def test_a_wrong_password_waits_for_a_person() -> None:
    """A wrong password is an OperatorError, because waiting does not help."""
    link = Link(KAFKA, silent=True)

    error = link.why(Client(link, WRONG_PASSWORD, DOWN), NO_METADATA, "cannot read")

    assert isinstance(error, OperatorError)
    assert str(error).endswith("does not answer: it refuses the login: Authentication failed (kafka.authentication)")


def test_an_answer_that_is_an_error_keeps_its_kind() -> None:
    """An error answer of Kafka keeps its kind and gets the address."""
    link = Link(KAFKA, silent=True)

    error = link.why(Client(link), KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), "cannot read")

    assert isinstance(error, OperatorError)
    assert str(error).startswith("cannot read at kafka.plant:9092: ")


@pytest.mark.parametrize(("about", "told"), [("FAIL", 0), ("ERROR", 0), ("CONFWARN", 1)])
def test_lines_of_librdkafka_come_through_our_log(about: str, told: int) -> None:
    """librdkafka's lines are logged once each, without those about the connection."""
    texts = [f"[thrd:x]: {about} number {number} is odd" for number in range(3)]

    with structlog.testing.capture_logs() as logged:
        for text in texts:
            logging.getLogger("tidegate.librdkafka").error("%s [%s] %s", about, "rdkafka#producer-1", text)

    assert [line["event"] for line in logged] == ["kafka.warned"] * told
    assert [(line["about"], line["text"]) for line in logged] == [(about, f"{about} number 0 is odd")] * told


@pytest.mark.parametrize(("at", "told"), [([0, 1, 2], 0), ([0, 4, 8, 12], 1), ([0, 4, 8, 3600, 3604], 0)])
def test_an_attempt_that_librdkafka_repeats_is_told_if_it_lasts(at: list[float], told: int) -> None:
    """A new producer meets a coordinator that still loads. The next attempt succeeds, so nobody needs to know."""
    lines = _Lines()

    with structlog.testing.capture_logs() as logged:
        for seconds in at:
            line = logging.makeLogRecord(
                {"args": ("GETPID", "rdkafka#producer-1", "Broker: Coordinator load in progress: retrying")}
            )
            line.created = seconds
            lines.emit(line)

    assert [line["event"] for line in logged] == ["kafka.warned"] * told


def test_a_topic_whose_creation_gets_no_answer_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that waits for Kafka does not end with an error of its own."""
    monkeypatch.setattr(topics, "ANSWER_SECONDS", 0)

    error = topics._creation_error(Future())

    assert error is not None
    assert error.code() in NO_ANSWER


def test_a_second_client_does_not_hide_a_change_from_the_first(tmp_path: Path) -> None:
    """Whoever follows a topic makes a second client now and then, at the moment when a certificate or a password is new."""
    Authority("authority").write(tmp_path, "tidegate", "own")
    (tmp_path / "password").write_text("first")
    kafka = KafkaConfig.model_validate(
        {
            "bootstrap_servers": "127.0.0.1:1",
            "ssl": {"enable": True, "certfile": f"{tmp_path}/own.pem", "keyfile": f"{tmp_path}/own.key"},
            "authentication": {"mechanism": "plain", "username": "u", "password": f"file://{tmp_path}/password"},
        }
    )
    link = Link(kafka, silent=True)
    first = Login()
    link.consumer("first", {"group.id": "g"}).close()
    assert not link.refresh(first)

    Authority("authority").write(tmp_path, "tidegate again", "own")
    (tmp_path / "password").write_text("second")
    link.consumer("second", {"group.id": "g"}).close()

    assert link.refresh(first)
    assert first.passwords == ["second"]
    assert not link.refresh(first)


class Login:
    """A client that notes the passwords that it is given."""

    def __init__(self) -> None:
        self.passwords: list[str] = []

    def set_sasl_credentials(self, username: str, password: str) -> None:
        self.passwords.append(password)
