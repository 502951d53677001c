"""Whether Kafka lets this user into a consumer group. It is asked before the consumer starts.

aiokafka's consumer would ask to join again and again without a word. Its own client asks here, because librdkafka's can end the
process (pipeline/connectors/kafka/groups.py says when).
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupAuthorizationFailedError
from aiokafka.errors import KafkaError as AiokafkaError
from aiokafka.protocol import admin
from confluent_kafka import KafkaError
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from agents.stream import chatter
from agents.stream.credentials import credentials
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.client import ANSWER_SECONDS, failure

# The operations that Kafka tells are bits of a number: https://kafka.apache.org/protocol#The_Messages_DescribeGroups.
_READ: Final = 1 << 3
_UNTOLD: Final = -(1 << 31)  # by a Kafka without an authorizer

# aiokafka 0.14 reads this answer in the form before it, which has no operations.
admin.DescribeGroupsRequest_v3.RESPONSE_TYPE = admin.DescribeGroupsResponse_v3


async def require_group(kafka: KafkaConfig, group: str) -> None:
    """Raise OperatorError if Kafka forbids this user the consumer group. It can be cancelled while Kafka does not answer.

    Nothing is asked of a Kafka without users.
    """
    if kafka.authentication is None and kafka.ssl.certfile is None:
        return
    chatter.mute()
    client = AIOKafkaAdminClient(
        bootstrap_servers=kafka.bootstrap_servers,
        client_id=kafka.client_id("group"),
        **credentials_to_aiokafka_auth(credentials(kafka)),
    )
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            await client.start()
            (answer,) = await client.describe_consumer_groups([group], include_authorized_operations=True)
    except GroupAuthorizationFailedError:
        may_join = False
    except (AiokafkaError, OSError, TimeoutError):
        return  # Kafka is away, or too old to tell; the consumer waits for it
    else:
        may_join = all(
            code != GroupAuthorizationFailedError.errno and (operations == _UNTOLD or operations & _READ)
            for code, *_, operations in answer.groups
        )
    finally:
        await client.close()
    if not may_join:
        raise failure(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED), f"cannot use the consumer group {group}")
