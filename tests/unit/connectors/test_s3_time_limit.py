"""Many calls share one time limit and one timer, and each has its whole time."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.connectors.s3.http.time_limit import TimeLimit
from tests.faults.simulation.direct_bench import in_virtual_time

LIMIT_SECONDS = 10.0


async def ended(limit: TimeLimit, begins: float, lasts: float) -> tuple[str, float]:
    """How a call that begins and lasts so long ends, and when."""
    await asyncio.sleep(begins)
    call = limit.call()
    try:
        with call:
            await asyncio.sleep(lasts)
    except TimeoutError:
        assert call.expired
        return "too late", asyncio.get_running_loop().time()
    assert not call.expired
    return "done", asyncio.get_running_loop().time()


def test_each_call_has_its_own_time() -> None:
    """Calls that begin at different times end after the limit each, or earlier if they are done; then no timer is left."""

    async def story() -> None:
        limit = TimeLimit(asyncio.get_running_loop(), LIMIT_SECONDS)
        calls = [(0.0, 99.0), (1.0, 2.0), (4.0, 99.0), (4.0, 9.0), (30.0, 99.0)]
        found = await asyncio.gather(*[ended(limit, *call) for call in calls])

        assert [how for how, _ in found] == ["too late", "done", "too late", "done", "too late"]
        assert [at for _, at in found] == pytest.approx([10.0, 3.0, 14.0, 13.0, 40.0])
        assert limit._timer is None
        assert not limit._ends

    in_virtual_time(story())


def test_a_cancellation_from_elsewhere_stays_one() -> None:
    """Whoever cancels the task of a call, before its time is over or in that very moment, gets a cancelled task."""

    async def story() -> None:
        limit = TimeLimit(asyncio.get_running_loop(), LIMIT_SECONDS)
        early = asyncio.create_task(ended(limit, 0, 99))
        both = asyncio.create_task(ended(limit, 0, 99))
        await asyncio.sleep(1)
        early.cancel()
        limit._ends = {call: 1.0 for call in limit._ends if call._task is both}
        limit._look()
        both.cancel()
        await asyncio.wait([early, both])

        assert early.cancelled()
        assert both.cancelled()

    in_virtual_time(story())


def test_a_task_that_was_rescued_from_a_cancellation_has_its_time() -> None:
    """A task that goes on after a cancellation is told of the end of its time as one that was never cancelled."""

    async def story() -> None:
        limit = TimeLimit(asyncio.get_running_loop(), LIMIT_SECONDS)

        async def rescued() -> str:
            try:
                await asyncio.sleep(99)
            except asyncio.CancelledError:
                return (await ended(limit, 0, 99))[0]
            return "not cancelled"

        task = asyncio.create_task(rescued())
        await asyncio.sleep(1)
        task.cancel()

        assert await task == "too late"

    in_virtual_time(story())
