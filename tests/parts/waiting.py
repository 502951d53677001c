"""How tests wait: for an event, and never for a fixed time."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

PATIENCE: Final = float(os.environ.get("TIDEGATE_TEST_PATIENCE", "3"))
POLL_SECONDS: Final = 0.1


def patient(seconds: float) -> float:
    """The deadline for something that takes less than `seconds` on a quiet machine."""
    return seconds * PATIENCE


def wait_until(true: Callable[[], Any], seconds: float, what: Callable[[], str]) -> Any:
    """Ask until the answer is true, and give it back; fail after `seconds`, times patience, with what is the case instead."""
    give_up = time.monotonic() + patient(seconds)
    while not (answer := true()):
        assert time.monotonic() < give_up, f"not within {patient(seconds):g} s: {what()}"
        time.sleep(POLL_SECONDS)
    return answer


async def until(true: Callable[[], Any], seconds: float = 15, what: Callable[[], str] = str) -> Any:
    """The same as `wait_until`, in an event loop that goes on meanwhile. It checks more often."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patient(seconds)
    while not (answer := true()):
        assert loop.time() < give_up, f"not within {patient(seconds):g} s: {what()}"
        await asyncio.sleep(POLL_SECONDS / 10)
    return answer


def let_pass(seconds: float, *, unless: Callable[[], bool] = lambda: False) -> None:
    """Let time pass if time is the subject of the test: an outage longer than a session, a strike at a random moment."""
    end = time.monotonic() + seconds
    while not unless() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, POLL_SECONDS))


async def pause(seconds: float) -> None:
    """Be slow, where slowness is the purpose of a played server or device."""
    await asyncio.sleep(seconds)


async def turns(count: int = 5) -> None:
    """Let the event loop go round: what is about turns needs some, and no time."""
    for _ in range(count):
        await asyncio.sleep(0)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when the body takes longer than `seconds`, times patience: for what is ended by a limit of time or of size."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < patient(seconds), f"took {took:.1f} s"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Multiply the time limit of each test like the other deadlines."""
    usual = float(config.getini("timeout") or 0)
    for item in items:
        own = item.get_closest_marker("timeout")
        seconds = float(own.args[0]) if own else usual
        item.add_marker(pytest.mark.timeout(patient(seconds)), append=False)


async def turn() -> None:
    """Let everybody else on the event loop go on once."""
    await asyncio.sleep(0)


async def longest_turn(work: Awaitable[Any]) -> float:
    """Do the work; the longest time in which the event loop answered nobody. Seconds."""
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(POLL_SECONDS / 10)
            longest = max(longest, time.monotonic() - before)

    watching = asyncio.create_task(watch())
    try:
        await work
    finally:
        watching.cancel()
    return longest
