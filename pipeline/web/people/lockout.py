"""Failures to log in, by user and by address: after some in a minute, nobody may try until that minute is over.

A right password does not help meanwhile, so guesses learn nothing. Pure: the time is an argument.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

FAILURES_MAX: Final = 5
WINDOW_SECONDS: Final = 60.0
NAMES_MAX: Final = 10_000  # remembered at the same time; the oldest is forgotten first


class Lockout:
    """The last failures of each name: a user, or an address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_seconds(self, name: str, now: float) -> float:
        """How long this name may not try; 0 if it may."""
        times = self._failures.get(name)
        if times is None or len(times) < FAILURES_MAX:
            return 0.0
        return max(0.0, times[0] + WINDOW_SECONDS - now)

    def failed(self, name: str, now: float) -> None:
        """Note a failure."""
        times = self._failures.pop(name, None) or deque(maxlen=FAILURES_MAX)
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        times.append(now)
        self._failures[name] = times
        if len(self._failures) > NAMES_MAX:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        self._failures.pop(name, None)

    def take_back(self, name: str, at: float) -> None:
        """Forget one failure: the attempt of that time has succeeded."""
        times = self._failures.get(name)
        if times is not None and at in times:
            times.remove(at)
