"""When an action's bucket is asked for, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.sinks import bucket_check
from agents.sinks.attempts import Attempts
from pipeline.config import S3Action
from tests.faults.simulation.clock import tell

CHECKS = 40


class Asked:
    """A store that is asked, and when."""

    endpoint = "http://s"

    def __init__(self, stop: asyncio.Event, answer_seconds: float) -> None:
        self.at: list[float] = []
        self._stop = stop
        self._answer_seconds = answer_seconds

    async def check(self, bucket: str) -> None:
        self.at.append(asyncio.get_running_loop().time())
        if len(self.at) == CHECKS:
            self._stop.set()
        await asyncio.sleep(self._answer_seconds)


def gaps(answer_seconds: float = 0.0, **options: Any) -> tuple[list[float], str]:
    """Seconds between checks under these `resource_opts`, and the reason in the end."""
    settings = {"connector": "c", "parameters": {"bucket": "sink", "key": "k"}, "resource_opts": options}

    async def story() -> tuple[list[float], str]:
        stop, attempts = asyncio.Event(), Attempts("asked")
        store = Asked(stop, answer_seconds)
        await bucket_check.watch(S3Action.model_validate(settings), store, attempts, stop)  # type: ignore[arg-type]
        return [later - before for before, later in zip(store.at, store.at[1:], strict=False)], attempts.status_reason

    return tell(1, story())


def test_the_interval_is_that_of_the_settings() -> None:
    """Without jitter, checks come exactly at the interval."""
    found, reason = gaps(health_check_interval="7s")

    assert found == pytest.approx([7.0] * (CHECKS - 1))
    assert reason == ""


def test_jitter_is_added_by_chance() -> None:
    """A random time up to the setting is added, so that many actions do not check at once."""
    found, _ = gaps(health_check_interval="7s", health_check_interval_jitter="3s")

    assert all(7.0 <= gap <= 10.0 for gap in found)
    assert max(found) - min(found) > 1.0


def test_a_check_that_takes_too_long_has_failed_and_none_begins_beside_it() -> None:
    """A check fails at its time limit unless that is infinity, and checks never overlap."""
    found, reason = gaps(answer_seconds=90.0, health_check_interval="7s", health_check_timeout="20s")

    assert found == pytest.approx([27.0] * (CHECKS - 1))
    assert "no answer about bucket sink within 20 s" in reason
    assert gaps(answer_seconds=90.0, health_check_timeout="infinity")[1] == ""
