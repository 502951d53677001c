"""How tests wait: for what they need, and never for a time that is hoped to be enough.

Every deadline of a test goes through here. Deadlines are generous, since they cost nothing when all is well;
TIDEGATE_TEST_PATIENCE multiplies them all, and the time limit of each test, for a machine that is slow or busy.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

PATIENCE: Final = float(os.environ.get("TIDEGATE_TEST_PATIENCE", "3"))
POLL_SECONDS: Final = 0.1


def patient(seconds: float) -> float:
    """The deadline of what takes less than `seconds` on a quiet machine."""
    return seconds * PATIENCE


def wait_until(true: Callable[[], Any], seconds: float, what: Callable[[], str]) -> Any:
    """Ask until the answer is true, and give it back; fail after `seconds`, times patience, with what is the case instead."""
    give_up = time.monotonic() + patient(seconds)
    while not (answer := true()):
        assert time.monotonic() < give_up, f"not within {patient(seconds):g} s: {what()}"
        time.sleep(POLL_SECONDS)
    return answer


async def until(true: Callable[[], Any], seconds: float = 15, what: Callable[[], str] = str) -> Any:
    """As `wait_until`, in an event loop that goes on meanwhile; it asks more often."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patient(seconds)
    while not (answer := true()):
        assert loop.time() < give_up, f"not within {patient(seconds):g} s: {what()}"
        await asyncio.sleep(POLL_SECONDS / 10)
    return answer


def let_pass(seconds: float, *, unless: Callable[[], bool] = lambda: False) -> None:
    """Let time pass, where time is what the test is about: an outage longer than a session, a strike at a random moment."""
    end = time.monotonic() + seconds
    while not unless() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, POLL_SECONDS))


async def pause(seconds: float) -> None:
    """Be slow, where slowness is what a played server or device is for."""
    await asyncio.sleep(seconds)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail when the body takes longer than `seconds`, times patience: for what is ended by a limit of time or of size."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took < patient(seconds), f"took {took:.1f} s"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The time limit of a test is a deadline like the others."""
    usual = float(config.getini("timeout") or 0)
    for item in items:
        own = item.get_closest_marker("timeout")
        seconds = float(own.args[0]) if own else usual
        item.add_marker(pytest.mark.timeout(patient(seconds)), append=False)
