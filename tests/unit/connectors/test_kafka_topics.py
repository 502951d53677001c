"""Topics at providers of Kafka, which refuse some of a topic's settings: made as far as the provider lets us, or one line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import structlog
import yaml
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka import topics
from pipeline.connectors.kafka.client import Link, failure
from pipeline.errors import OperatorError, RetryableError

MANUAL = Path(__file__).parents[3] / "docs" / "kafka.md"


def config_of(topic: NewTopic) -> dict[str, str]:
    """The settings that a topic is to have."""
    return topic.config or {}


class Provider(NamedTuple):
    """What a provider lets a topic be. `bounds`: the lowest and highest values of settings. `only`: all that may be set."""

    refused: int
    bounds: Mapping[str, tuple[int, int]] = {}
    only: frozenset[str] | None = None
    replicas: frozenset[int] = frozenset(range(-1, 10))

    def problem(self, topic: NewTopic) -> str:
        """Why this topic is refused; empty if it is not."""
        if topic.replication_factor not in self.replicas:
            return f"replication factor {topic.replication_factor}"
        for name, value in config_of(topic).items():
            if self.only is not None and name not in self.only:
                return f"{name} cannot be set"
            low, high = self.bounds.get(name, (0, 1 << 62))
            if value.isdigit() and not low <= int(value) <= high:
                return f"Config property '{name}' with value '{value}' is out of {low} to {high}"
        return ""


CONFLUENT = Provider(
    KafkaError.POLICY_VIOLATION,
    {"max.message.bytes": (0, 8_388_608), "segment.bytes": (52_428_800, 1 << 30), "segment.ms": (14_400_000, 1 << 40)},
    replicas=frozenset({-1, 3}),
)
SERVERLESS = Provider(
    KafkaError.INVALID_CONFIG,
    {"max.message.bytes": (0, 8_388_608)},
    only=frozenset({"cleanup.policy", "max.message.bytes", "retention.bytes", "retention.ms"}),
)
TWO_REPLICAS = Provider(KafkaError.POLICY_VIOLATION, replicas=frozenset({-1, 2, 3}))
APACHE = Provider(KafkaError.INVALID_CONFIG)
OLD = Provider(KafkaError.INVALID_REPLICATION_FACTOR, replicas=frozenset({1, 2, 3}))


class Admin:
    """A client of a Kafka that knows topics, and makes those that its provider allows."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.made: dict[str, NewTopic] = {}

    def list_topics(self, timeout: float) -> Any:
        """The topics that are there."""
        found = {
            name: SimpleNamespace(error=None, partitions=range(each.num_partitions)) for name, each in self.made.items()
        }
        return SimpleNamespace(topics=found)

    def describe_topics(self, asked: Any, request_timeout: float) -> dict[str, Future[Any]]:
        """Nothing is hidden."""
        return {}

    def create_topics(self, wanted: list[NewTopic], request_timeout: float) -> dict[str, Future[None]]:
        """Make each topic, or say why not."""
        answers = {}
        for topic in wanted:
            answers[topic.topic] = answer = Future[None]()
            if topic.topic in self.made:
                answer.set_exception(KafkaException(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS)))
            elif problem := self._provider.problem(topic):
                answer.set_exception(KafkaException(KafkaError(self._provider.refused, problem)))
            else:
                self.made[topic.topic] = topic
                answer.set_result(None)
        return answers


def make_all(monkeypatch: pytest.MonkeyPatch, provider: Provider, **settings: Any) -> dict[str, NewTopic]:
    """All topics of a pipeline with `control`, `standby` and aliases, as this provider makes them."""
    kafka = KafkaConfig(bootstrap_servers="kafka.plant:9092", **settings)
    admin = Admin(provider)
    monkeypatch.setattr(Link, "admin", lambda self, process: admin)

    def always() -> bool:
        return True

    topics.ensure_topics(kafka, keep_trying=always)
    topics.ensure_lead_topic(kafka, "tidegate.lead", keep_trying=always)
    topics.ensure_config_topic(kafka, "plant.config", keep_trying=always)
    topics.ensure_status_topic(kafka, "tidegate.status", keep_trying=always)
    topics.ensure_aliases_topic(kafka, keep_trying=always)
    return admin.made


@pytest.mark.parametrize(
    ("provider", "settings"),
    [
        (APACHE, {}),
        (OLD, {}),
        (CONFLUENT, {"max_message_bytes": "8191KB"}),
        (CONFLUENT, {"max_message_bytes": "8191KB", "replication_factor": 3}),
        (SERVERLESS, {"max_message_bytes": "8191KB"}),
        (TWO_REPLICAS, {"replication_factor": 2}),
        (TWO_REPLICAS, {}),
    ],
)
def test_every_topic_can_be_made_at_a_provider(
    provider: Provider, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider's limits for segments and compaction cost these settings, never the topic, its policy or its bound."""
    made = make_all(monkeypatch, provider, **settings)

    assert set(made) == {
        "mqtt.messages",
        "mqtt.events",
        "tidegate.dead-letter",
        "tidegate.lead",
        "plant.config",
        "tidegate.status",
        "tidegate.aliases",
    }
    assert config_of(made["plant.config"])["cleanup.policy"] == "compact"
    assert config_of(made["tidegate.status"])["cleanup.policy"] == "compact,delete"
    assert config_of(made["tidegate.aliases"])["retention.bytes"] == str(topics.ALIASES_BYTES_MAX)
    assert {each.replication_factor for each in made.values()} <= provider.replicas


def test_settings_that_are_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log says which settings a provider refused, and its reason."""
    with structlog.testing.capture_logs() as logged:
        make_all(monkeypatch, SERVERLESS, max_message_bytes="8191KB")

    told = [line for line in logged if line["event"] == "kafka.topic_settings_left_out"]
    assert [line["settings"] for line in told] == [["min.compaction.lag.ms"], ["segment.ms"], ["segment.bytes"]]
    assert told[0]["topics"] == ["plant.config"]
    assert told[0]["error"] == "min.compaction.lag.ms cannot be set"


@pytest.mark.parametrize(
    ("provider", "settings", "told"),
    [
        (CONFLUENT, {}, "'max.message.bytes' with value '16777728' is out of 0 to 8388608 (POLICY_VIOLATION)"),
        (CONFLUENT, {"max_message_bytes": "8MB"}, "'max.message.bytes' with value '8389120'"),
        (
            SERVERLESS,
            {},
            "(INVALID_CONFIG). See kafka.max_message_bytes, kafka.partitions and kafka.replication_factor",
        ),
        (TWO_REPLICAS, {"replication_factor": 1}, "replication factor 1 (POLICY_VIOLATION)"),
    ],
)
def test_a_topic_that_a_provider_does_not_want_is_one_line(
    provider: Provider, settings: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the topics, what was asked for, the provider's reason and our settings. No process waits for what stays so."""
    with pytest.raises(OperatorError, match=r"^cannot create mqtt\.messages, mqtt\.events") as found:
        make_all(monkeypatch, provider, **settings)

    assert told in str(found.value)


def test_a_write_that_a_provider_delays_for_too_long_is_sent_again() -> None:
    """Azure Event Hubs answers POLICY_VIOLATION if there is more than it is paid for. The record is not the cause."""
    assert isinstance(failure(KafkaError(KafkaError.POLICY_VIOLATION), "cannot write"), RetryableError)


@pytest.mark.parametrize(("title", "provider"), [("Confluent Cloud", CONFLUENT), ("Aiven", TWO_REPLICAS)])
def test_the_manual_s_settings_fit_the_provider(
    title: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what the manual's page of a provider shows, every topic can be made there."""
    page = re.split(r"^## ", MANUAL.read_text(encoding="utf-8"), flags=re.M)
    (section,) = [each for each in page if each.startswith(title)]
    (text, *_) = re.findall(r"^```yaml\n(.*?)^```", section, flags=re.M | re.S)
    shown = yaml.safe_load(text)["kafka"]

    made = make_all(
        monkeypatch,
        provider,
        **{name: shown[name] for name in shown if name in {"max_message_bytes", "replication_factor"}},
    )

    assert "mqtt.messages" in made
