"""Checks Kafka's topics: whether they exist and fit each other, which records they refuse, and how long they keep records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.permissions import permissions
from pipeline.connectors.kafka.topics import FoundTopic, look_at_topics, record_bytes_of
from pipeline.doctor import Check
from pipeline.errors import ConnectorError

DAY_MS: Final = 86_400_000
MQTT_PACKET_BYTES_MAX: Final = 268_435_455  # MQTT 5.0 section 2.1.4


def check(kafka: KafkaConfig, packet_bytes_max: Mapping[str, int | None]) -> Iterator[Check]:
    """Check the connection, then the topics. `packet_bytes_max` has the largest packet of each source, or None if unknown."""
    try:
        topics = look_at_topics(kafka)
    except ConnectorError as error:
        advice = "check kafka.bootstrap_servers and what else is named, and whether Kafka is up and may be reached"
        yield Check("kafka connection", "bad", str(error), "an answer", advice)
        return
    yield Check("kafka connection", "ok", f"{kafka.bootstrap_servers} answers")
    wanted = dict.fromkeys((kafka.messages_topic, kafka.events_topic, kafka.dead_letter_topic))
    allowed = permissions(kafka, wanted)
    for name in wanted:
        if name not in topics and allowed[name] is None:
            advice = f"nothing, if we may make it: the first process to start does, with {kafka.partitions} partitions"
            yield Check(f"kafka:{name} topic", "warn", "not there", "a topic", advice)
    yield from _partitions(kafka, topics)
    for name, topic in topics.items():
        yield _size(name, topic, kafka, packet_bytes_max)
        yield _retention(name, topic)


def _partitions(kafka: KafkaConfig, topics: Mapping[str, FoundTopic]) -> Iterator[Check]:
    counts = {each: topics[each].partitions for each in (kafka.messages_topic, kafka.events_topic) if each in topics}
    if not counts:
        return
    found = ", ".join(f"{name} has {count}" for name, count in counts.items())
    if len(set(counts.values())) > 1:
        advice = "add partitions to the smaller one, while it is empty: a client's messages and events must meet in one"
        yield Check("kafka partitions", "bad", found, "the same number", advice)
    else:
        yield Check("kafka partitions", "ok", found)


def _size(name: str, topic: FoundTopic, kafka: KafkaConfig, packets: Mapping[str, int | None]) -> Check:
    title = f"kafka:{name} size"
    told = record_bytes_of(topic.settings)
    if told is None:
        return Check(title, "skipped", "Kafka does not tell max.message.bytes")
    limit = min(told, kafka.max_message_bytes)
    if told < kafka.max_message_bytes:
        found = f"max.message.bytes lets records of {told:,} bytes in"
        advice = (
            "raise the topic's limit: a dead letter that is larger is cut to fit"
            if name == kafka.dead_letter_topic
            else "raise the topic's limit, or lower kafka.max_message_bytes: what is larger becomes a dead letter"
        )
        return Check(title, "warn", found, f"{kafka.max_message_bytes:,} (kafka.max_message_bytes)", advice)
    larger = {source: size for source, size in packets.items() if size is not None and size > limit}
    if larger and name == kafka.messages_topic:
        source, size = max(larger.items(), key=lambda each: each[1])
        advice = (
            "raise kafka.max_message_bytes and the topic's limit, or lower the source's: the rest becomes dead letters"
        )
        return Check(title, "warn", f"records of {limit:,} bytes at most", f"{size:,}, as {source} lets in", advice)
    unlimited = sorted(source for source, size in packets.items() if size is None)
    more = f"; {', '.join(unlimited)} may send up to {MQTT_PACKET_BYTES_MAX:,}, the rest becomes dead letters"
    return Check(
        title, "ok", f"records of up to {limit:,} bytes" + (more if unlimited and name == kafka.messages_topic else "")
    )


def _retention(name: str, topic: FoundTopic) -> Check:
    title = f"kafka:{name} retention"
    settings = topic.settings
    told = settings.get("retention.ms")
    if told is None:
        return Check(title, "skipped", "Kafka does not tell retention.ms")
    policy = settings.get("cleanup.policy", "delete")
    if "compact" in policy:
        advice = "set cleanup.policy=delete: compaction keeps only the last record of each client"
        return Check(title, "bad", f"cleanup.policy={policy}", "delete", advice)
    milliseconds = int(told)
    size = settings.get("retention.bytes", "-1")
    if size != "-1":
        advice = "be sure that this is more than comes while no worker runs, or set retention.bytes=-1"
        return Check(title, "warn", f"forgets beyond {int(size):,} bytes a partition", "a limit by time alone", advice)
    if 0 <= milliseconds < DAY_MS:
        advice = "raise retention.ms above the longest time that S3 or the workers may be away; what is older is lost"
        return Check(title, "warn", f"forgets after {milliseconds / 3_600_000:.3g} h", "a day at least", advice)
    return Check(
        title, "ok", "forgets nothing" if milliseconds < 0 else f"forgets after {milliseconds / DAY_MS:.3g} days"
    )
