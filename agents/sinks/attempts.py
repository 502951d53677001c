"""Repeats calls until they succeed, and keeps the status of an action.

It waits with full jitter and without end, because waiting loses nothing: the records stay in Kafka. A change between working and
failing is one log line, and every failed attempt is counted. It raises only errors that waiting cannot help (RefusedError) and
errors that do not come from the outside system. suspect.py decides whether a row is the cause of a failure: such a row does not
make its action disconnected.
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
from pipeline.retry import SINK, Waits

log = get_logger("tidegate.action")
Result = TypeVar("Result")


class Attempts:
    """The state of one action's outside system, from its calls and its health check."""

    def __init__(self, action: str, *, cap_seconds: float = SINK.cap_seconds) -> None:
        self.action = action
        self.reason = ""  # reason why calls fail now; empty if they succeed
        self.error = ""  # text of the last failure
        self._check_reason = ""  # reason why the health check fails
        self._policy = SINK._replace(cap_seconds=cap_seconds)
        self.done_at = 0.0  # time of the last successful call, on the loop's clock
        self._failing_since = 0.0
        self._settled = False  # connected, and already logged
        self._loop: asyncio.AbstractEventLoop | None = None
        STATUS.labels(action).set(0)

    @property
    def status(self) -> str:
        """The status: connecting, connected or disconnected."""
        if self.reason or self._check_reason:
            return "disconnected"
        return "connected" if self._settled else "connecting"

    @property
    def status_reason(self) -> str:
        """The reason of a bad status; empty while all is well."""
        return self.error

    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        """Repeat `call` until it succeeds, and return its result. `call` must be safe to repeat.

        `suspect`: the call is for rows, which may be the cause of a failure. Raises RefusedError if they are.
        """
        waits: Waits | None = None
        while True:
            try:
                result = await call()
            except (RetryableError, OperatorError, RefusedError) as error:
                waiting = await self._not_done(error, suspect)
                waits = waits or self._policy.waits(random.random)
                await asyncio.sleep(waits.after(waiting))
            else:
                self._loop = self._loop or asyncio.get_running_loop()  # each question would be a call of the system
                self.done_at = self._loop.time()
                if not self._settled:
                    self._mended()
                return result

    async def _not_done(
        self, error: RetryableError | OperatorError | RefusedError, suspect: Suspect | None
    ) -> RetryableError | OperatorError:
        """Count and log a failed attempt, and return the error to wait for. Raises RefusedError if waiting cannot help."""
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
        """Take the result of the health check. A good result does not hide failing calls."""
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
