"""The start and end of each partition's log, and a group's committed offsets, for readers outside of the group.

The group is not joined, and nothing is committed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicPartition

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, Link
from pipeline.connectors.kafka.groups import committed, open_onlooker


class FoundLog(NamedTuple):
    """One partition: records from `start` up to but not including `end`.

    `young` is the first offset of a record that is of the asked time or later; `committed` is the group's offset, if it has one,
    and `metadata` what the commit says besides.
    """

    topic: str
    partition: int
    start: int
    end: int
    young: int
    committed: int | None
    metadata: str = ""


def look_at_logs(kafka: KafkaConfig, group: str, since_ms: Mapping[str, int]) -> list[FoundLog]:
    """Each partition of the topics of `since_ms`, with the time that divides old records from young ones (ms since 1970).

    A topic that does not exist has none. Blocks for some seconds at most; raises ConnectorError when Kafka does not answer, or
    forbids this user the group.
    """
    link = Link(kafka, silent=True)
    consumer = open_onlooker(link, group)
    try:
        known = consumer.list_topics(timeout=ANSWER_SECONDS).topics
        found: list[FoundLog] = []
        for topic in (each for each in since_ms if each in known and known[each].error is None):
            places = [TopicPartition(topic, number) for number in sorted(known[topic].partitions)]
            times = [TopicPartition(topic, place.partition, since_ms[topic]) for place in places]
            young = {each.partition: each.offset for each in consumer.offsets_for_times(times, timeout=ANSWER_SECONDS)}
            commits = committed(consumer, group, places)
            for place in places:
                number = place.partition
                start, end = consumer.get_watermark_offsets(place, timeout=ANSWER_SECONDS)
                first_young, commit = young.get(number, -1), commits[number]
                found.append(
                    FoundLog(
                        topic,
                        number,
                        start,
                        end,
                        first_young if first_young >= 0 else end,
                        commit.offset if commit.offset >= 0 else None,
                        commit.metadata or "",
                    )
                )
        return found
    except KafkaException as error:
        raise link.why(consumer, error.args[0], "cannot look at the partitions") from None
    finally:
        consumer.close()
