"""What the user of `kafka` may do with our topics, as far as Kafka tells: for the doctor, and for whoever misses a topic.

A list of topics leaves out each topic that the user may not DESCRIBE. Kafka says so only to whoever asks for its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, Link, failure

_DENIED: Final = KafkaError.TOPIC_AUTHORIZATION_FAILED


def permissions(kafka: KafkaConfig, topics: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """The operations that the user may do with each topic: "READ", "WRITE", …; empty for one that the user may not even describe.

    None: Kafka does not tell, or there is no such topic. Blocks. Raises ConnectorError if no client can be made.
    """
    admin = Link(kafka, silent=True).admin("doctor")
    asked = admin.describe_topics(
        TopicCollection(list(topics)), include_authorized_operations=True, request_timeout=ANSWER_SECONDS
    )
    found: dict[str, frozenset[str] | None] = {}
    for name, future in asked.items():
        try:
            told = future.result(timeout=ANSWER_SECONDS).authorized_operations
            found[name] = frozenset(each.name for each in told) if told else None
        except (KafkaException, TimeoutError) as error:
            denied = isinstance(error, KafkaException) and error.args[0].code() == _DENIED
            found[name] = frozenset() if denied else None
    return found


def transactions(kafka: KafkaConfig, transactional_id: str) -> str:
    """Why the user may not write in transactions under this id; empty if it may. Blocks.

    It does what a writer does first, so a writer that is under way is fenced, and begins again.
    """
    producer = Link(kafka, silent=True).producer("doctor", {"transactional.id": transactional_id, "log_level": 0})
    try:
        producer.init_transactions(ANSWER_SECONDS)
    except KafkaException as error:
        return str(failure(error.args[0], f"cannot use the transactional id {transactional_id}"))
    return ""


def require_seen(admin: AdminClient, topics: Iterable[str]) -> None:
    """Raise OperatorError if one of these topics, which a list of topics lacks, is hidden from the user."""
    wanted = list(topics)
    if not wanted:
        return
    for name, future in admin.describe_topics(TopicCollection(wanted), request_timeout=ANSWER_SECONDS).items():
        try:
            future.result(timeout=ANSWER_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == _DENIED:
                raise failure(error.args[0], f"cannot use the topic {name}") from None
        except TimeoutError:
            continue
