"""Trying until it is done: what an action does when an outside system fails.

Waits with full jitter, without end, because waiting loses nothing: the records stay in Kafka. A change of state, from working
to failing and back, is one log line; every failed attempt counts. Only what will never succeed (RefusedError) and what is not
the outside system's comes back as an error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from agents.metrics import FAILURES, STATUS
from pipeline.errors import OperatorError, RetryableError
from pipeline.retry import delays

log = structlog.get_logger("tidegate.action")
Result = TypeVar("Result")


class Attempts:
    """The state of one action's outside system, as its calls see it."""

    def __init__(self, action: str, *, cap_seconds: float = 20.0) -> None:
        self.action = action
        self.reason = ""  # why calls fail now; empty when they do not
        self._cap_seconds = cap_seconds
        self._failing_since = 0.0
        STATUS.labels(action).set(1)

    async def until_done(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `call`, made again and again until it succeeds. `call` must be safe to repeat."""
        waits = delays(random.random, cap_seconds=self._cap_seconds)
        while True:
            try:
                result = await call()
            except RetryableError as error:
                self._failed(error)
                await asyncio.sleep(next(waits))
            except OperatorError as error:
                self._failed(error)
                await asyncio.sleep(max(1.0, next(waits)))
            else:
                if self.reason:
                    self._mended()
                return result

    def _failed(self, error: RetryableError | OperatorError) -> None:
        FAILURES.labels(self.action, error.reason).inc()
        if self.reason != error.reason:
            if not self.reason:
                self._failing_since = asyncio.get_running_loop().time()
            log.warning("action disconnected", action=self.action, reason=error.reason, error=str(error))
            STATUS.labels(self.action).set(0)
        self.reason = error.reason

    def _mended(self) -> None:
        seconds = round(asyncio.get_running_loop().time() - self._failing_since, 1)
        log.info("action connected", action=self.action, after_seconds=seconds, was=self.reason)
        STATUS.labels(self.action).set(1)
        self.reason = ""
