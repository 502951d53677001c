"""Kafka's ids of topics (KIP-516): the same name is another topic after it was deleted and made again, or in another Kafka.

A broker that has no ids, as some servers of Kafka's protocol, gives none or all zeros: then the id is empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, UNKNOWN, Link
from pipeline.errors import NotFoundError

_NONE: Final = "AAAAAAAAAAAAAAAAAAAAAA"  # sixteen bytes of zero
_AS_KAFKA_SAYS: Final = str.maketrans("+/", "-_")  # which can be in a key; librdkafka has another alphabet


class TopicIds:
    """Asks one Kafka, over one connection. Its methods block, and may be called from one thread at a time."""

    def __init__(self, kafka: KafkaConfig, process: str) -> None:
        self._link = Link(kafka, silent=True)  # whoever asks says why there is no answer
        self._process = process
        self._admin: AdminClient | None = None

    def of(self, topics: Iterable[str]) -> dict[str, str]:
        """The id of each topic that exists. Raises ConnectorError."""
        if self._admin is None or self._link.refresh(self._admin):
            self._admin = self._link.admin(self._process)
        asked = self._admin.describe_topics(TopicCollection(list(topics)), request_timeout=ANSWER_SECONDS)
        found = {}
        for name, future in asked.items():
            try:
                text = str(future.result().topic_id)
            except KafkaException as error:
                if error.args[0].code() in UNKNOWN:
                    continue
                raise self._link.why(self._admin, error.args[0], f"cannot ask for the id of topic {name}") from None
            found[name] = "" if text == _NONE else text.translate(_AS_KAFKA_SAYS)
        return found

    def of_one(self, topic: str) -> str:
        """The id of a topic. Raises NotFoundError or ConnectorError."""
        found = self.of([topic])
        if topic not in found:
            raise NotFoundError(f"there is no topic {topic!r} in Kafka")
        return found[topic]
