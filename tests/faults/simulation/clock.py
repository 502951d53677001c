"""Virtual time: an event loop that jumps to the next thing that happens, and a wall clock that jumps as a fault says.

Hours take milliseconds, and a story is the same at every run of its seed: also the chance that the code itself throws for its
back-off is seeded here. This file knows nothing of what is simulated.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pipeline.record import Record

DAY_MS: Final = 86_400_000
STARTED_AT: Final = 1_700_000_000.0  # by the wall clock; Unix seconds
# Virtual. A story that takes longer has come to a standstill with its timers running.
STORY_SECONDS_MAX: Final = 100_000.0
Result = TypeVar("Result")


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer instead of waiting."""

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.now = 0.0
        self.wall_offset_seconds = 0.0  # how wrong the wall clock is

    def time(self) -> float:
        return self.now


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the simulation stands still: nothing is ready and no timer is set")
        self._loop.now += max(0.0, timeout)
        return []  # nothing outside takes part, so that asking the system would only take time


def tell(seed: int, story: Coroutine[Any, Any, Result]) -> Result:
    """Run a story to its end in virtual time, with seeded random numbers and the story's wall clock."""
    loop = VirtualLoop()
    before = random.getstate()
    random.seed(seed)
    try:
        with _wall_clock(loop):
            return loop.run_until_complete(asyncio.wait_for(story, STORY_SECONDS_MAX))
    finally:
        random.setstate(before)
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def jump_wall_clock(seconds: float) -> None:
    """Set the wall clock back or forth."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.wall_offset_seconds += seconds


@contextmanager
def _wall_clock(loop: VirtualLoop) -> Iterator[None]:
    def now() -> float:
        return STARTED_AT + loop.now + loop.wall_offset_seconds

    real = time.time
    time.time = now
    try:
        yield
    finally:
        time.time = real


def with_jumps(log: Sequence[Record], chance: random.Random, often: float) -> list[Record]:
    """The log as a clock stamps it that is set back and forth."""
    jump_ms, stamped = 0, []
    for record in log:
        if chance.random() < often / 4:
            jump_ms = chance.randint(-DAY_MS, DAY_MS)
        stamped.append(record._replace(timestamp=record.timestamp + jump_ms))
    return stamped
