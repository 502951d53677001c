"""Trying until it is done: what an action does when an outside system fails, and the status that comes of it.

Waits with full jitter, without end, because waiting loses nothing: the records stay in Kafka. A change of state, from working
to failing and back, is one log line; every failed attempt counts. Only what will never succeed (RefusedError) and what is not
the outside system's comes back as an error. Whether a failure is a row's own is suspect.py's question: such a row does not make
its action disconnected.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from agents.metrics import FAILURES, STATUS
from agents.sinks.suspect import Suspect
from pipeline.errors import ConnectorError, OperatorError, RefusedError, RetryableError
from pipeline.log import get_logger
from pipeline.retry import SINK

log = get_logger("tidegate.action")
Result = TypeVar("Result")


class Attempts:
    """The state of one action's outside system, as its calls and its health check see it."""

    def __init__(self, action: str, *, cap_seconds: float = SINK.cap_seconds) -> None:
        self.action = action
        self.reason = ""  # why calls fail now; empty when they do not
        self.error = ""  # the last of these failures in full
        self._check_reason = ""  # why the health check fails, with calls or without
        self._policy = SINK._replace(cap_seconds=cap_seconds)
        self.done_at = 0.0  # when a call succeeded last, on the loop's clock
        self._failing_since = 0.0
        self._settled = False  # connected, and nothing else to tell
        STATUS.labels(action).set(0)

    @property
    def status(self) -> str:
        """connecting, connected or disconnected."""
        if self.reason or self._check_reason:
            return "disconnected"
        return "connected" if self._settled else "connecting"

    @property
    def status_reason(self) -> str:
        """What a person should know; empty while all is well."""
        return self.error

    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        """The result of `call`, made again and again until it succeeds. `call` must be safe to repeat.

        `suspect`: it is made for rows, which may be to blame. Raises RefusedError when they are.
        """
        waits = self._policy.waits(random.random)
        while True:
            try:
                result = await call()
            except (RetryableError, OperatorError, RefusedError) as error:
                waiting = await self._not_done(error, suspect)
                await asyncio.sleep(waits.after(waiting))
            else:
                self.done_at = asyncio.get_running_loop().time()
                if not self._settled:
                    self._mended()
                return result

    async def _not_done(
        self, error: RetryableError | OperatorError | RefusedError, suspect: Suspect | None
    ) -> RetryableError | OperatorError:
        """Tell of a failed attempt; the error to wait for. Raises RefusedError for what is not waited for."""
        if isinstance(error, RefusedError):
            judged = error if suspect is None else suspect.judged(error)
            if isinstance(judged, RefusedError):
                raise error
            error = judged
        if suspect is not None and await suspect.is_to_blame(error):
            FAILURES.labels(self.action, error.reason).inc()
        else:
            self._failed(error)
        return error

    def checked(self, error: ConnectorError | None) -> None:
        """What the health check found. That it passes does not outweigh calls that fail."""
        if error is None:
            self._check_reason = ""
            if not self.reason and not self._settled:
                self._mended()
            return
        self._tell(error, known=self.reason or self._check_reason)
        self._check_reason = error.reason

    def _failed(self, error: RetryableError | OperatorError) -> None:
        self._tell(error, known=self.reason or self._check_reason)
        self.reason = error.reason

    def _tell(self, error: ConnectorError, *, known: str) -> None:
        FAILURES.labels(self.action, error.reason).inc()
        self._settled = False
        self.error = str(error)
        if known != error.reason:
            if not known:
                self._failing_since = asyncio.get_running_loop().time()
            log.warning("action.disconnected", action=self.action, reason=error.reason, error=str(error))
            STATUS.labels(self.action).set(0)

    def _mended(self) -> None:
        was = self.reason or self._check_reason
        if was:
            seconds = round(asyncio.get_running_loop().time() - self._failing_since, 1)
            log.info("action.connected", action=self.action, after_seconds=seconds, was=was)
        STATUS.labels(self.action).set(1)
        self.reason = self._check_reason = self.error = ""
        self._settled = True
