"""What lanes ask Kafka about a partition's log, and what they say when it does not have what comes next.

Who answers is whoever runs the lanes: the worker asks Kafka (agents/stream/kafka_log.py), a replay knows its range.
"""

from __future__ import annotations

from typing import Final, Protocol

from agents.metrics import MISSING
from agents.sinks.lane import Lane, Partition, replacement
from pipeline.log import get_logger
from pipeline.upload.source_log import LogBounds, ReadingPlace, going_on

log: Final = get_logger("tidegate.action")


class KafkaLog(Protocol):
    """Kafka, as lanes see it. Both wait while it is away."""

    async def bounds(self, partition: Partition) -> LogBounds:
        """Where the partition's log begins and ends now, and what the consumer group has committed."""

    async def topic_id(self, topic: str) -> str:
        """The topic's id, asked for after this was called; empty where the broker has none, or while there is no such topic."""


def read_at(lane: Lane, action: str, reading: ReadingPlace) -> None:
    """Have a lane read there. What Kafka does not have any more is a gap for the lane, and an error for a person."""
    if reading.missing:
        first, following = reading.missing
        lane.gone(first, following)
        MISSING.labels(action).inc(following - first)
        log.error(
            "records.missing",
            action=action,
            topic=lane.partition.topic,
            partition=lane.partition.partition,
            first=first,
            next=following,
            help="Kafka deleted these records before they were read: its retention is shorter than the lag was",
        )
    lane.reads_at(reading.at)


async def find_place(lane: Lane, action: str, kafka: KafkaLog, wanted: int, remedy: str) -> None:
    """Kafka gave other offsets than `wanted`. Raises TopicReplacedError or BeyondLogError if they are not this log's."""
    topic, number = lane.partition
    bounds = await kafka.bounds(lane.partition)
    if bounds.topic_id != lane.topic_id:
        raise replacement(topic, lane.topic_id, bounds.topic_id)
    what = f"the next offset to read of {topic}/{number}"
    read_at(lane, action, going_on(wanted, bounds, what=what, remedy=remedy))
