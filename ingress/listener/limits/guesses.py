"""Wrong passwords: how long each is kept waiting for its answer, and how often one address may be wrong.

The answer takes a second, and twice as long each time that the same address is wrong about the same user again. An address that
was wrong too often has its next password checked later, so that guessing takes little of the processor. Right passwords cost
nothing of that.

Pure: the caller tells the time.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

FIRST_DELAY_SECONDS: Final = 1.0
DELAY_SECONDS_MAX: Final = 5.0  # a login has 10 s by default
FORGET_SECONDS: Final = 60.0  # after the last wrong one
WRONG_PER_SECOND: Final = 5.0  # of one address
WRONG_BURST: Final = 50.0
REMEMBERED_MAX: Final = 10_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The newest of what was noted, within a bound."""

    def __init__(self) -> None:
        self._noted: dict[Key, Value] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._noted

    def get(self, key: Key) -> Value | None:
        """What was noted for `key`, if it is still known."""
        return self._noted.get(key)

    def note(self, key: Key, value: Value) -> None:
        """Remember it; what was noted first is forgotten when there is too much."""
        self._noted.pop(key, None)
        if len(self._noted) >= REMEMBERED_MAX:
            del self._noted[next(iter(self._noted))]
        self._noted[key] = value


class Guesses:
    """At one listener."""

    def __init__(self) -> None:
        self._left: Recent[str, tuple[float, float]] = Recent()  # address → wrong ones that it may still send, and when
        self._wrong: Recent[tuple[str, str], tuple[int, float]] = Recent()  # address and user → how often, and when

    def wrong(self, address: str, user: str, now: float) -> float:
        """A password was wrong. After so many seconds its sender may know."""
        count, at = self._wrong.get((address, user)) or (0, now)
        count = count + 1 if now - at < FORGET_SECONDS else 1
        self._wrong.note((address, user), (count, now))
        return min(DELAY_SECONDS_MAX, FIRST_DELAY_SECONDS * 2.0 ** min(count - 1, 10))

    def checked(self, address: str, now: float) -> None:
        """A password of this address was checked, and was wrong."""
        self._left.note(address, (self._may_be_wrong(address, now) - 1, now))

    def wait_seconds(self, address: str, now: float) -> float:
        """After so many seconds a password of this address may be checked; 0: now."""
        return max(0.0, (1 - self._may_be_wrong(address, now)) / WRONG_PER_SECOND)

    def _may_be_wrong(self, address: str, now: float) -> float:
        left, at = self._left.get(address) or (WRONG_BURST, now)
        return min(WRONG_BURST, left + (now - at) * WRONG_PER_SECOND)
