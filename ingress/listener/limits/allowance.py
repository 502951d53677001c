"""Limits the packets without a message from one client: a number a second, with a short burst.

A client that sends more is not read until the limit allows it again. A client that continues for OVER_SECONDS_MAX must be
disconnected.

Pure: the caller gives the time.
"""

from __future__ import annotations

from typing import Final

BURST_SECONDS: Final = 10.0  # a device that reconnects may send this many seconds' worth at once
QUIET_SECONDS: Final = 1.0  # a client that is silent for this time, beyond its waits, starts a new count
OVER_SECONDS_MAX: Final = 30.0


class Allowance:
    """The allowance of one client."""

    __slots__ = ("_at", "_left", "_over_since", "_per_second")

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._left = per_second * BURST_SECONDS
        self._at = now
        self._over_since: float | None = None

    def spend(self, count: int, now: float) -> float:
        """Count packets of the client. Returns the number of seconds for which it must not be read."""
        most = self._per_second * BURST_SECONDS
        self._left = min(most, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left >= self._per_second * QUIET_SECONDS:
            self._over_since = None
        self._left -= count
        if self._left >= 0:
            return 0.0
        if self._over_since is None:
            self._over_since = now
        return -self._left / self._per_second

    @property
    def is_used_up(self) -> bool:
        """Whether the client was delayed for too long without a pause of its own."""
        return self._over_since is not None and self._at - self._over_since >= OVER_SECONDS_MAX
