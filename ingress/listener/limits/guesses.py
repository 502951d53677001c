"""Limits wrong passwords: the delay of each answer, and the number for one address.

The answer takes a second, and doubles each time that the same address sends a wrong password for the same user. The
next password of an address with too many wrong ones is checked later, so that guessing takes little CPU. Correct
passwords are not delayed.

Pure: the caller gives the time.
"""

from __future__ import annotations

from typing import Final, Generic, NamedTuple, TypeVar

FIRST_DELAY_SECONDS: Final = 1.0
DELAY_SECONDS_MAX: Final = 5.0  # a login has 10 s by default
FORGET_SECONDS: Final = 60.0  # seconds after the last wrong password
WRONG_PER_SECOND: Final = 5.0  # wrong passwords of one address
WRONG_BURST: Final = 50.0
REMEMBERED_MAX: Final = 10_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """The newest notes, up to a limit."""

    def __init__(self) -> None:
        self._noted: dict[Key, Value] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._noted

    def get(self, key: Key) -> Value | None:
        """The note for `key`, or None if it was forgotten."""
        return self._noted.get(key)

    def note(self, key: Key, value: Value) -> None:
        """Keep a note. The oldest is forgotten if there are too many."""
        self._noted.pop(key, None)
        if len(self._noted) >= REMEMBERED_MAX:
            del self._noted[next(iter(self._noted))]
        self._noted[key] = value


class AddressUser(NamedTuple):
    """The sender of a password: a user at an address."""

    address: str
    user: str


class Wrong(NamedTuple):
    """The number of wrong passwords in a row, and the time of the last one."""

    number: int
    at: float


class Left(NamedTuple):
    """The number of wrong passwords that an address may still send, and the time of this number."""

    number: float
    at: float


class Guesses:
    """The wrong passwords at one listener."""

    def __init__(self) -> None:
        self._left: Recent[str, Left] = Recent()  # by address
        self._wrong: Recent[AddressUser, Wrong] = Recent()

    def wrong(self, address: str, user: str, now: float) -> float:
        """Note a wrong password. Returns the seconds until its sender may know."""
        whose = AddressUser(address, user)
        before = self._wrong.get(whose)
        count = before.number + 1 if before and now - before.at < FORGET_SECONDS else 1
        self._wrong.note(whose, Wrong(count, now))
        return min(DELAY_SECONDS_MAX, FIRST_DELAY_SECONDS * 2.0 ** min(count - 1, 10))

    def checked(self, address: str, now: float) -> None:
        """Note that a password of this address was checked and was wrong."""
        self._left.note(address, Left(self._may_be_wrong(address, now) - 1, now))

    def wait_seconds(self, address: str, now: float) -> float:
        """The seconds until a password of this address may be checked. 0: now."""
        return max(0.0, (1 - self._may_be_wrong(address, now)) / WRONG_PER_SECOND)

    def _may_be_wrong(self, address: str, now: float) -> float:
        left = self._left.get(address) or Left(WRONG_BURST, now)
        return min(WRONG_BURST, left.number + (now - left.at) * WRONG_PER_SECOND)
