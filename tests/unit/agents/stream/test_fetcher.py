"""The end of our fetcher, with a client that cannot reach its broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import NodeNotReadyError
from aiokafka.structs import TopicPartition

from agents.stream import fast_fetch

PLACE = TopicPartition("mqtt.messages", 0)


class AwayClient:
    """A client of one broker, to which it has no connection."""

    def __init__(self) -> None:
        self._loop, self._metadata_max_age_ms = asyncio.get_running_loop(), 30_000
        self.cluster = SimpleNamespace(leader_for_partition=lambda place: 1)
        self.asked = asyncio.Event()
        self.requests: list[Any] = []

    async def send(self, node: int, request: Any, **_: Any) -> Any:
        self.requests.append(request)
        self.asked.set()
        raise NodeNotReadyError(f"no connection to node {node}")


async def fetching(kind: type[Any], limit: int | None = None) -> Any:
    """A fetcher that waits to try a request again."""
    client, subscriptions = AwayClient(), SubscriptionState()
    subscriptions.assign_from_user([PLACE])
    subscriptions.subscription.assignment.state_value(PLACE).reset_to(0)
    found = kind(client, subscriptions, retry_backoff_ms=600_000)
    if limit is not None:
        found.limit(limit)
    await client.asked.wait()
    return found


async def test_aiokafkas_own_cannot_be_closed_meanwhile() -> None:
    """Once this fails, our own is not needed any more."""
    found = await fetching(Fetcher)

    with pytest.raises(asyncio.CancelledError):
        await found.close()


async def test_it_is_closed_while_a_request_waits_to_be_tried_again() -> None:
    """All its tasks have ended, so that the client can be closed next."""
    found = await fetching(fast_fetch.Fetcher)
    tasks = [found._fetch_task, *found._pending_tasks]
    assert len(tasks) == 2

    await found.close()

    assert all(each.done() for each in tasks)


async def test_the_bytes_of_a_partition_can_be_limited_anew() -> None:
    """Each request asks for at most as many as were said last."""
    found = await fetching(fast_fetch.Fetcher, limit=12_345)

    assert [request.topics for request in found._client.requests] == [[("mqtt.messages", [(0, 0, 12_345)])]]
    await found.close()
