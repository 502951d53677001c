"""What the user of `kafka` may do with our topics, as far as Kafka tells: for the doctor, and for whoever misses a topic.

A list of topics leaves out each topic that the user may not DESCRIBE. Kafka says so only to whoever asks for its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AclOperation, AdminClient

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
    return {name: _operations(future, _DENIED) for name, future in asked.items()}


def group_permissions(kafka: KafkaConfig, groups: Collection[str]) -> dict[str, frozenset[str] | None]:
    """The operations that the user may do with each consumer group: "READ", …; empty for one that it may not even describe.

    None: Kafka does not tell. Blocks. Raises ConnectorError if no client can be made.
    """
    if not groups:
        return {}
    admin = Link(kafka, silent=True).admin("doctor")
    asked = admin.describe_consumer_groups(
        list(groups), include_authorized_operations=True, request_timeout=ANSWER_SECONDS
    )
    return {name: _operations(future, KafkaError.GROUP_AUTHORIZATION_FAILED) for name, future in asked.items()}


def _operations(asked: Future[Any], denied: int) -> frozenset[str] | None:
    """The operations that Kafka tells; empty if it answers with the error `denied`."""
    try:
        told = asked.result(timeout=ANSWER_SECONDS).authorized_operations
    except (KafkaException, TimeoutError) as error:
        is_denied = isinstance(error, KafkaException) and error.args[0].code() == denied
        return frozenset() if is_denied else None
    return frozenset(each.name for each in told) if told else None


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


async def require_group(kafka: KafkaConfig, group: str) -> None:
    """Raise OperatorError if Kafka forbids this user the consumer group. It can be cancelled while Kafka does not answer.

    aiokafka would ask again and again without a word. Nothing is asked of a Kafka without users.
    """
    if kafka.authentication is None and kafka.ssl.certfile is None:
        return
    admin = await asyncio.to_thread(Link(kafka, silent=True).admin, "group")  # it may fetch a token
    asked = admin.describe_consumer_groups([group], include_authorized_operations=True, request_timeout=ANSWER_SECONDS)[
        group
    ]
    try:
        # Shielded: librdkafka answers its future in any case, which a cancelled one would refuse.
        found = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(asked)), ANSWER_SECONDS)
    except KafkaException as error:
        if error.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise failure(error.args[0], f"cannot use the consumer group {group}") from None
        return
    except TimeoutError:
        return  # Kafka is away, and the consumer waits for it
    if (
        found.authorized_operations and AclOperation.READ not in found.authorized_operations
    ):  # it may DESCRIBE, and not join
        raise failure(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), f"cannot use the consumer group {group}")
