"""The questions of lanes about a partition's log, and their errors if Kafka does not have the next offset.

The owner of the lanes answers: the worker asks Kafka (agents/stream/worker_log.py), and a replay knows its range.
"""

from __future__ import annotations

from typing import Final, Protocol

from agents.lanes.lane import Lane, Partition, replacement
from agents.metrics import MISSING
from pipeline.log import get_logger
from pipeline.record import Record
from pipeline.redriven import redriven
from pipeline.upload.row_place import RowPlace
from pipeline.upload.source_log import LogBounds, ReadingPlace, going_on

log: Final = get_logger("tidegate.action")


class KafkaLog(Protocol):
    """Kafka's log for lanes. Its questions wait while Kafka is away."""

    async def bounds(self, partition: Partition, read_to: int = 0) -> LogBounds:
        """The present start and end of the partition's log, and the group's committed offset.

        `read_to`: the offset up to which records were read before. An end before it is not taken on trust.
        """

    async def topic_id(self, topic: str) -> str:
        """The topic's id, by a request after this call. Empty if the broker has no ids, or while the topic does not exist."""

    def owns(self) -> bool:
        """Whether no other process can have taken over the partitions. Answers at once."""


def read_at(lane: Lane, action: str, reading: ReadingPlace) -> None:
    """Make a lane read there. Offsets that Kafka no longer has are a gap for the lane, and an error in the log."""
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
    """Find the place again after other offsets than `wanted` came. Raises TopicReplacedError or BeyondLogError."""
    topic, number = lane.partition
    bounds = await kafka.bounds(lane.partition, wanted)
    if bounds.topic_id != lane.topic_id:
        raise replacement(topic, lane.topic_id, bounds.topic_id)
    what = f"the next offset to read of {topic}/{number}"
    read_at(lane, action, going_on(wanted, bounds, what=what, remedy=remedy))


async def is_outdated(kafka: KafkaLog, row: RowPlace, there: RowPlace | None, origin: Record) -> bool:
    """Whether a row is a redriven one of an earlier topic, and the object in its place is of the present topic.

    Ids have no order, so Kafka is asked which topic is the present one. Raises TopicReplacedError if it is not that of the row's
    lane: a process that was frozen meanwhile must not write over an object of the new topic. The writer replaces only the object
    that it saw before the question, so a topic that is made again after it does no harm.
    """
    if there is None or not row.is_of_another_topic(there):
        return False
    present = await kafka.topic_id(row.topic)
    if present == row.topic_id:
        return False
    if redriven(origin) is None:
        raise replacement(row.topic, row.topic_id, present)
    return there.topic_id == present


def say_replaced(action: str, partition: Partition, before: str, now: str) -> None:
    """A ledger, a commit or an object is of another topic of the same name."""
    log.warning(
        "topic.replaced",
        action=action,
        topic=partition.topic,
        partition=partition.partition,
        topic_id=now,
        before=before,
        help="the topic was deleted and made again, or this is another Kafka: the action reads it from its beginning",
    )
