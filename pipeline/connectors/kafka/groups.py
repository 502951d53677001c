"""What a consumer group has committed, and whether this user may look at it. The group is not joined, and nothing is committed.

A consumer asks. librdkafka's AdminClient can ask, too, but it ends the process when the coordinator of the group goes away or
moves while it waits for the answer (librdkafka 2.16, its issues 4605 and 5040). So nothing here asks it about groups.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import Link, failure
from pipeline.errors import ConnectorError, OperatorError

# How long each of some questions waits, in seconds; together as long as a command does (client.py). A client whose user may not
# use the group would ask until its time is over, so the first is short.
ASK_SECONDS: Final = 1.0, 3.0, 6.0
AT_ONCE: Final = 8  # groups


def open_onlooker(link: Link, group: str) -> Consumer:
    """A client that can ask about the group, and does not join it."""
    return link.consumer("doctor", {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "error"})


def committed(onlooker: Consumer, group: str, places: Sequence[TopicPartition]) -> dict[int, TopicPartition]:
    """What the group has committed in these partitions of one topic, by partition.

    Blocks for some seconds at most. Raises KafkaException, and OperatorError if this user may not look at the group.
    """
    *early, last = ASK_SECONDS
    for seconds in early:
        with suppress(KafkaException):
            return _of(onlooker, places, seconds)
        _require_allowed(onlooker, group)
    return _of(onlooker, places, last)


def _of(onlooker: Consumer, places: Sequence[TopicPartition], seconds: float) -> dict[int, TopicPartition]:
    return {each.partition: each for each in onlooker.committed(list(places), timeout=seconds)}


def _require_allowed(onlooker: Consumer, group: str) -> None:
    """Raise OperatorError if Kafka has said meanwhile that it forbids the group."""
    while (message := onlooker.poll(0)) is not None:
        error = message.error()
        if error is not None and error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise failure(error, f"cannot use the consumer group {group}")


def forbidden(kafka: KafkaConfig, groups: Collection[str]) -> list[str]:
    """Those groups that this user may not look at, in order. Blocks. A group of which Kafka tells nothing is none of them."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        denied = pool.map(lambda group: _is_forbidden(kafka, group), groups)
        return [group for group, is_denied in zip(groups, denied, strict=True) if is_denied]


def _is_forbidden(kafka: KafkaConfig, group: str) -> bool:
    try:
        onlooker = open_onlooker(Link(kafka, silent=True), group)
        try:
            committed(onlooker, group, [TopicPartition(kafka.messages_topic, 0)])
        finally:
            onlooker.close()
    except OperatorError as error:
        return error.reason == "group_authorization_failed"
    except (ConnectorError, KafkaException):
        pass
    return False
