"""Creates missing topics of Kafka, and checks existing ones.

It works with Apache Kafka and with servers that lack some of its requests (descriptions of configurations, a default replication
factor).

This file neither produces nor consumes records.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from msgspec import Struct

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, Link, advertised_wrongly
from pipeline.connectors.kafka.permissions import require_seen
from pipeline.connectors.kafka.reasons import reason_of
from pipeline.errors import OperatorError, RetryableError
from pipeline.log import get_logger
from pipeline.retry import KAFKA

log: Final = get_logger("tidegate.kafka")

# The most bytes that a batch adds to its one record: a topic limits the batch, and a producer limits the record.
BATCH_OVERHEAD_BYTES: Final = 512
# How Kafka, or the policy of a provider, says that a topic may not be as we want it.
CONFIGURATION_REFUSED: Final = frozenset(
    {KafkaError.INVALID_CONFIG, KafkaError.POLICY_VIOLATION, KafkaError.INVALID_PARTITIONS}
)
# How Kafka says that the user may not make a topic.
NOT_ALLOWED: Final = frozenset({KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED})
# What a topic can go without: old records then stay for longer, or the history is shorter.
DISPENSABLE: Final = frozenset({"segment.ms", "segment.bytes", "min.compaction.lag.ms"})
RECORD_BYTES_MIN: Final = 1024


def ensure_topics(kafka: KafkaConfig, *, keep_trying: Callable[[], bool] = lambda: True) -> None:
    """Create missing topics, and check existing ones. Blocks, and waits while Kafka does not answer.

    The topics of messages and of events both get `kafka.partitions`, so that all records of a client are in partitions with the
    same number. Raises OperatorError if existing topics differ, or if Kafka forbids it. Returns early if `keep_trying` is false.
    """
    _patiently(kafka, lambda admin: _create_missing(admin, kafka), keep_trying)


def ensure_lead_topic(kafka: KafkaConfig, topic: str, *, keep_trying: Callable[[], bool]) -> None:
    """Create the topic with one partition through which processes choose a leader. Waits and raises as ensure_topics does."""

    def create(admin: AdminClient) -> None:
        if topic not in _partitions(admin):
            _create(admin, kafka, [topic], 1)
            _wait_until_known(admin, [topic])

    _patiently(kafka, create, keep_trying)


# How long the topic of the configuration keeps what a later change replaced: so far reaches its history.
HISTORY_DAYS: Final = 30
# What becomes of a configuration whose topic has another cleanup.policy than it needs.
NOT_COMPACTED: Final = "set cleanup.policy=compact: with {}, Kafka deletes objects that nobody has changed for long"


def ensure_config_topic(kafka: KafkaConfig, topic: str, *, keep_trying: Callable[[], bool]) -> RetryableError | None:
    """Create the topic of the configuration, compacted and with one partition. Waits and raises as ensure_topics does.

    Returns why Kafka did not answer, if `keep_trying` ended the wait.
    """

    def create(admin: AdminClient) -> None:
        found = _partitions(admin)
        if topic not in found:
            settings = {"cleanup.policy": "compact", "min.compaction.lag.ms": str(HISTORY_DAYS * 86_400_000)}
            _create(admin, kafka, [topic], 1, settings)
            _wait_until_known(admin, [topic])
            log.info("kafka.topics_created", topics=[topic], partitions=1)
        elif found[topic] != 1:
            raise OperatorError(
                f"expected {topic} (control.topic) with one partition, found {found[topic]}: choose another topic",
                reason="partitions_differ",
            )
        else:
            policy = _settings(admin, [topic]).get(topic, {}).get("cleanup.policy", "compact")
            if "delete" in policy:
                log.warning(
                    "config.topic_deletes", topic=topic, cleanup_policy=policy, error=NOT_COMPACTED.format(policy)
                )

    return _patiently(kafka, create, keep_trying)


def ensure_status_topic(kafka: KafkaConfig, topic: str, *, keep_trying: Callable[[], bool]) -> None:
    """Create the topic of the processes' reports: the newest of each, for an hour. Waits and raises as ensure_topics does."""

    def create(admin: AdminClient) -> None:
        if topic not in _partitions(admin):
            settings = {"cleanup.policy": "compact,delete", "retention.ms": "3600000", "segment.ms": "600000"}
            _create(admin, kafka, [topic], 1, settings)
            _wait_until_known(admin, [topic])
            log.info("kafka.topics_created", topics=[topic], partitions=1)

    _patiently(kafka, create, keep_trying)


# What devices can make the topic of alias tables hold. The oldest tables go first.
ALIASES_BYTES_MAX: Final = 256 << 20


def ensure_aliases_topic(kafka: KafkaConfig, *, keep_trying: Callable[[], bool]) -> None:
    """Create the topic of alias tables: the newest of each device. Waits and raises as ensure_topics does."""
    topic = kafka.aliases_topic

    def create(admin: AdminClient) -> None:
        found = _partitions(admin)
        if topic not in found:
            settings = {
                "cleanup.policy": "compact,delete",
                "retention.ms": "-1",
                "retention.bytes": str(ALIASES_BYTES_MAX),
                "segment.bytes": str(ALIASES_BYTES_MAX // 16),
            }
            _create(admin, kafka, [topic], 1, settings)
            _wait_until_known(admin, [topic])
            log.info("kafka.topics_created", topics=[topic], partitions=1)
        elif found[topic] != 1:
            raise OperatorError(
                f"expected {topic} (kafka.aliases_topic) with one partition, found {found[topic]}: choose another topic",
                reason="partitions_differ",
            )

    _patiently(kafka, create, keep_trying)


def kept_for_ms(kafka: KafkaConfig, topic: str) -> int:
    """How long a compacted topic keeps for sure what later records replaced; 0 if Kafka does not say. Blocks."""
    admin = Link(kafka, silent=True).admin("admin")
    told = _settings(admin, [topic]).get(topic, {}).get("min.compaction.lag.ms", "")
    return int(told) if told.isdigit() else 0


def _patiently(
    kafka: KafkaConfig, prepare: Callable[[AdminClient], None], keep_trying: Callable[[], bool]
) -> RetryableError | None:
    link = Link(kafka, silent=True)  # this function logs that it waits
    admin: AdminClient | None = None
    waited: RetryableError | None = None
    waits = KAFKA.waits(random.random)
    while keep_trying():
        try:
            try:
                admin = admin or link.admin("topics")
                prepare(admin)
            except KafkaException as error:
                raise link.why(admin, error.args[0], "cannot prepare the topics") from None
        except RetryableError as problem:
            if not waited:
                log.warning("kafka.waiting", servers=kafka.bootstrap_servers, error=str(problem))
            waited = problem
            time.sleep(waits.after(problem))
            if admin is not None and link.refresh(admin):
                admin = None  # made again with the certificates that are there now
        else:
            if waited:
                log.info("kafka.connected", servers=kafka.bootstrap_servers)
            return None
    return waited


def _create_missing(admin: AdminClient, kafka: KafkaConfig) -> None:
    found = _partitions(admin)
    wanted = _topics(kafka)
    pair = [found[name] for name in (kafka.messages_topic, kafka.events_topic) if name in found]
    # If one of the two topics exists, the other one gets the same number of partitions.
    partitions = pair[0] if pair else kafka.partitions
    missing = [name for name in wanted if name not in found]
    if missing:
        _create(admin, kafka, missing, partitions)
        _wait_until_known(admin, missing)
        log.info("kafka.topics_created", topics=missing, partitions=partitions)
        found = _partitions(admin)
    counts = found[kafka.messages_topic], found[kafka.events_topic]
    if counts[0] != counts[1]:
        raise OperatorError(
            f"expected {kafka.messages_topic} and {kafka.events_topic} with the same number of partitions, "
            f"found {counts[0]} and {counts[1]}; a client's messages and events must meet in one partition",
            reason="partitions_differ",
        )


def _topics(kafka: KafkaConfig) -> list[str]:
    return list(dict.fromkeys((kafka.messages_topic, kafka.events_topic, kafka.dead_letter_topic)))


def _partitions(admin: AdminClient) -> dict[str, int]:
    """Partition counts of the existing topics.

    Lists all topics, because some servers create a topic when a client asks for its name.
    """
    topics = admin.list_topics(timeout=ANSWER_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in topics.items() if topic.error is None}


def _create(
    admin: AdminClient,
    kafka: KafkaConfig,
    names: Sequence[str],
    partitions: int,
    settings: Mapping[str, str] | None = None,
) -> None:
    """Create topics that are not in Kafka's list. Raises OperatorError if they are hidden from this user, or if Kafka does not
    want them so.

    Where Kafka refuses -1 (the broker's default) as the number of replicas, a topic gets one. Where a provider has limits for
    DISPENSABLE settings, it goes without them.
    """
    require_seen(admin, names)
    replicas = kafka.replication_factor
    config = {"max.message.bytes": str(kafka.max_message_bytes + BATCH_OVERHEAD_BYTES), **(settings or {})}
    while bad := _refusal(admin, [NewTopic(name, partitions, replicas, config=config) for name in names]):
        if replicas == -1 and bad.code() == KafkaError.INVALID_REPLICATION_FACTOR:
            replicas = 1
        elif bad.code() in CONFIGURATION_REFUSED and (left_out := sorted(DISPENSABLE & config.keys())):
            config = {name: value for name, value in config.items() if name not in DISPENSABLE}
            log.warning("kafka.topic_settings_left_out", topics=names, settings=left_out, error=reason_of(bad))
        elif bad.code() in CONFIGURATION_REFUSED:
            raise OperatorError(
                f"cannot create {', '.join(names)} with {partitions} partitions, {replicas} replicas and "
                f"{_text(config)}: {reason_of(bad)} ({bad.name()}). See kafka.max_message_bytes, kafka.partitions and "
                "kafka.replication_factor, or create the topics yourself",
                reason=bad.name().lower(),
            )
        elif bad.code() in NOT_ALLOWED:
            raise OperatorError(
                f"cannot create {', '.join(names)}, which Kafka does not have: {bad.str()}: the user of `kafka` needs CREATE on"
                f" the topic or on the cluster (kafka.authentication); or create it yourself ({bad.name()})",
                reason=bad.name().lower(),
            )
        else:
            raise KafkaException(bad)


def _refusal(admin: AdminClient, wanted: list[NewTopic]) -> KafkaError | None:
    """Why Kafka did not create the first topic that is not there now; None if all are."""
    errors = [_creation_error(each) for each in admin.create_topics(wanted, request_timeout=ANSWER_SECONDS).values()]
    return next((each for each in errors if each and each.code() != KafkaError.TOPIC_ALREADY_EXISTS), None)


def _text(config: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in config.items())


def _creation_error(future: Any) -> KafkaError | None:
    try:
        future.result(timeout=ANSWER_SECONDS)
    except TimeoutError:
        return KafkaError(KafkaError._TIMED_OUT)
    except KafkaException as error:
        found = error.args[0]
        return found if isinstance(found, KafkaError) else KafkaError(KafkaError._FAIL, str(found))
    return None


def _wait_until_known(admin: AdminClient, names: Sequence[str]) -> None:
    """Wait until every broker knows the new topics."""
    give_up = time.monotonic() + ANSWER_SECONDS
    while not set(names) <= _partitions(admin).keys():
        if time.monotonic() > give_up:
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        time.sleep(0.05)


class FoundTopic(Struct, frozen=True):
    """A topic as Kafka describes it. `settings` is empty if the server does not return them or the user may not read them."""

    partitions: int
    settings: Mapping[str, str]


def look_at_topics(kafka: KafkaConfig, more: Sequence[str] = ()) -> dict[str, FoundTopic]:
    """Those of our topics, and of `more`, that exist. Blocks for some seconds. Raises ConnectorError without an answer."""
    link = Link(kafka, silent=True)
    admin = link.admin("doctor")
    try:
        found = _partitions(admin)
        _require_reach(admin, kafka)
        ours = [name for name in (*_topics(kafka), *more) if name in found]
        settings = _settings(admin, ours)
    except KafkaException as error:
        raise link.why(admin, error.args[0], "cannot look at the topics") from None
    return {name: FoundTopic(found[name], settings.get(name, {})) for name in ours}


def require_topics(kafka: KafkaConfig) -> None:
    """Raise ConnectorError if Kafka does not answer, or hides one of our topics from this user. A missing topic passes."""
    link = Link(kafka, silent=True)
    admin = link.admin("check")
    try:
        found = _partitions(admin)
        _require_reach(admin, kafka)
        require_seen(admin, [name for name in _topics(kafka) if name not in found])
    except KafkaException as error:
        raise link.why(admin, error.args[0], "cannot look at the topics") from None


def _require_reach(admin: AdminClient, kafka: KafkaConfig) -> None:
    """Raise OperatorError if Kafka answers here, but sends its clients to where this machine cannot follow."""
    if problem := advertised_wrongly(admin):
        raise OperatorError(f"Kafka at {kafka.bootstrap_servers} answers, but {problem}", reason="advertised")


def _settings(admin: AdminClient, topics: Sequence[str]) -> dict[str, dict[str, str]]:
    """The settings of each topic.

    A topic is missing if the server does not return its settings or the user may not read them.
    """
    told: dict[str, dict[str, str]] = {}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in topics]
    if not asked:
        return told
    for resource, future in admin.describe_configs(asked, request_timeout=ANSWER_SECONDS).items():
        with suppress(KafkaException, TimeoutError):
            entries = future.result(timeout=ANSWER_SECONDS)
            told[resource.name] = {name: str(entry.value) for name, entry in entries.items()}
    return told


def record_bytes_max(kafka: KafkaConfig) -> dict[str, int]:
    """The largest record that each of our topics accepts: its own limit, or the setting if that is smaller. Blocks."""
    admin = Link(kafka, silent=True).admin("topics")
    limits = dict.fromkeys(_topics(kafka), kafka.max_message_bytes)
    for name, settings in _settings(admin, list(limits)).items():
        limit = record_bytes_of(settings)
        if limit is not None and limit < kafka.max_message_bytes:
            log.warning("kafka.topic_limited", topic=name, limit=limit, max_message_bytes=kafka.max_message_bytes)
            limits[name] = limit
    return limits


def record_bytes_of(settings: Mapping[str, str]) -> int | None:
    """The largest record for a topic with these settings, or None if they do not have a limit."""
    told = settings.get("max.message.bytes", "")
    return max(RECORD_BYTES_MIN, int(told) - BATCH_OVERHEAD_BYTES) if told.isdigit() else None
