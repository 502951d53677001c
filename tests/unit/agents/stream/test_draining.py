"""Batches go to the stream in their order, until the consumer stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from agents.stream.transport import Consumer, _told


class EndedError(Exception):
    """What a consumer raises when it was stopped."""


class PlayedConsumer:
    """Fetches two batches, and then what it is told to raise."""

    consumer_stopped_errors = (EndedError,)
    should_stop = False

    def __init__(self, error: BaseException, *, stops: bool) -> None:
        self.app = SimpleNamespace(should_stop=stops)
        self.got: list[str] = []
        self._left: list[Any] = ["one", "two", error]

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[int, str]]:
        """The next batch."""
        found = self._left.pop(0)
        if isinstance(found, BaseException):
            raise found
        yield 0, found

    async def callback(self, message: str) -> None:
        """Note a batch."""
        self.got.append(message)

    async def drain(self) -> None:
        """Run the loop of the real consumer."""
        await Consumer._drain_messages(self, SimpleNamespace(should_stop=False))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", [EndedError(), asyncio.CancelledError()])
async def test_a_consumer_that_stops_ends_its_loop_in_order(error: BaseException) -> None:
    """The thread of the consumer may be gone before the loop. Faust would take its error for a crash, and log it."""
    consumer = PlayedConsumer(error, stops=True)

    await consumer.drain()

    assert consumer.got == ["one", "two"]


@pytest.mark.parametrize("error", [EndedError(), asyncio.CancelledError(), ValueError("broken")])
async def test_an_error_while_nothing_stops_ends_the_action(error: BaseException) -> None:
    """Whatever it is, it is not hidden."""
    consumer = PlayedConsumer(error, stops=False)

    with pytest.raises(type(error)):
        await consumer.drain()


async def test_an_error_that_has_nothing_to_do_with_a_stop_is_not_hidden_by_it() -> None:
    """A fault stays one."""
    with pytest.raises(ValueError, match="broken"):
        await PlayedConsumer(ValueError("broken"), stops=True).drain()


def test_a_question_that_gets_no_answer_says_how_long_it_waited() -> None:
    """The action's status shows it: with the setting to look at, and without the name of an exception."""
    assert str(_told(TimeoutError())) == "Kafka (kafka.bootstrap_servers) does not answer within 10 s"
