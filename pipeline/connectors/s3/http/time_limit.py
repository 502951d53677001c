"""One time limit for many calls, with one timer for all of them.

`asyncio.timeout` makes a timer for each call and asks for the loop three times, which took a tenth of a small PUT. Since the
limit is the same for all, their times end in the order in which they began. So one timer for the earliest is enough, and a call
that is done in time never touches it.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class TimeLimit:
    """The limit of calls on one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self._seconds = seconds
        self._ends: dict[LimitedCall, float] = {}  # of calls under way, the earliest first
        self._timer: asyncio.TimerHandle | None = None

    def call(self) -> LimitedCall:
        """A call that begins with its `with` block."""
        return LimitedCall(self)

    def began(self, call: LimitedCall) -> None:
        """Note the end of its time."""
        self._ends[call] = end = self.loop.time() + self._seconds
        if self._timer is None:
            self._timer = self.loop.call_at(end, self._look)

    def done(self, call: LimitedCall) -> None:
        """Forget a call that is over."""
        self._ends.pop(call, None)

    def _look(self) -> None:
        """Break off the calls whose time is over, and wait for the earliest of the others."""
        self._timer = None
        now = self.loop.time()
        for call, end in list(self._ends.items()):
            if end > now:
                self._timer = self.loop.call_at(end, self._look)
                return
            del self._ends[call]
            call.break_off()


class LimitedCall:
    """In the block, time is limited. It raises TimeoutError in the place of the cancellation that ends it."""

    __slots__ = ("_cancelling", "_limit", "_task", "expired")

    def __init__(self, limit: TimeLimit) -> None:
        self._limit = limit
        self.expired = False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._limit.loop)
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._limit.began(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.expired:
            self._limit.done(self)
        # Somebody else may have cancelled the task, too, and then it stays cancelled.
        elif self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def break_off(self) -> None:
        """End the block, because its time is over."""
        self.expired = True
        self._task.cancel()
