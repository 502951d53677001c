"""What the reader of alias tables makes of a Kafka that does not say where their topic ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ingress.sparkplug.reader import TableReader
from pipeline.config import KafkaConfig
from pipeline.errors import ConnectorError, OperatorError, RetryableError

KAFKA = KafkaConfig(bootstrap_servers="127.0.0.1:1")
TOPIC = KAFKA.aliases_topic


class Consumer:
    """A client that knows no partition of the topic, and tells this of the topic itself."""

    def __init__(self, told: KafkaError | None) -> None:
        self._told = told

    def poll(self, timeout: float) -> None:
        """Nothing comes."""

    def get_watermark_offsets(self, place: TopicPartition, timeout: float) -> Any:
        """It has lost its connection, or the topic is gone: it says the same."""
        raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION))

    def list_topics(self, topic: str = "", timeout: float = 0) -> Any:
        """What Kafka tells."""
        return SimpleNamespace(topics={TOPIC: SimpleNamespace(error=self._told)}, brokers={})


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (None, RetryableError),
        (KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), OperatorError),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), OperatorError),
    ],
)
def test_a_partition_that_is_unknown_for_a_moment_ends_no_source(
    told: KafkaError | None, kind: type[ConnectorError]
) -> None:
    """The client calls a partition unknown also between two connections. A person is asked only if Kafka says so too."""
    reader = TableReader(KAFKA, lambda messages: None)
    consumer: Any = Consumer(told)

    with pytest.raises(kind):
        reader._end(consumer, TopicPartition(TOPIC, 0))
