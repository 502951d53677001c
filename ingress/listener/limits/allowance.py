"""How many packets without a message one client may send: so many a second, more for a moment, and not too many for long.

Who sends more is not read until it is even again. Who sends more again at once, for OVER_SECONDS_MAX, is to be sent away.

Pure: the caller tells the time.
"""

from __future__ import annotations

from typing import Final

BURST_SECONDS: Final = 10.0  # a device that comes back may say so much at once
QUIET_SECONDS: Final = 1.0  # who was silent for so long, beyond what it had to wait, begins anew
OVER_SECONDS_MAX: Final = 30.0


class Allowance:
    """Of one client."""

    __slots__ = ("_at", "_left", "_over_since", "_per_second")

    def __init__(self, per_second: int, now: float) -> None:
        self._per_second = per_second
        self._left = per_second * BURST_SECONDS
        self._at = now
        self._over_since: float | None = None

    def spend(self, count: int, now: float) -> float:
        """The client sent `count`: for how many seconds it is not to be read now."""
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
        """Whether it was held back again and again, without a pause of its own, for too long."""
        return self._over_since is not None and self._at - self._over_since >= OVER_SECONDS_MAX
