"""Dates, times of day and moments: from ISO 8601 text to numbers, and which numbers all readers of a column take.

A reader refuses the whole object for one value that is outside of its range, so no such value is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86_400
_INT64: Final = range(-(1 << 63), 1 << 63)
_FRACTION: Final = re.compile(r"([^+Z]*)[.,]([0-9]+)(.*)", re.DOTALL)
_CUT_PER_SECOND: Final = 1000  # columns of milliseconds take more digits, and cut them
# Days since 1970 of the years 1 to 9999.
DAYS: Final = range(1 - _EPOCH.toordinal(), 1 + date.max.toordinal() - _EPOCH.toordinal())


def day(per_second: int) -> range:
    """Times of one day, in units of which a second has `per_second`."""
    return range(_DAY_SECONDS * per_second)


def years(per_second: int) -> range:
    """Moments of the years 1 to 9999, as far as 64 bits hold them, in units of which a second has `per_second`."""
    begin, end = DAYS.start * _DAY_SECONDS, DAYS.stop * _DAY_SECONDS
    return range(max(begin * per_second, _INT64.start), min(end * per_second, _INT64.stop))


def days(text: str) -> int:
    """Days since 1970 of a date. Raises ValueError."""
    return date.fromisoformat(text).toordinal() - _EPOCH.toordinal()


def of_day(per_second: int) -> Callable[[str], int]:
    """The function from a time of day without a zone to its number. It raises ValueError."""

    def parse(text: str) -> int:
        whole, fraction = _split(text, per_second)
        at = time.fromisoformat(whole)
        if at.tzinfo is not None:
            raise ValueError
        return (at.hour * 3600 + at.minute * 60 + at.second) * per_second + fraction

    return parse


def since_epoch(per_second: int, *, local: bool) -> Callable[[str], int]:
    """The function from a moment, with a zone or `local` without one, to its number since 1970. It raises ValueError."""

    def parse(text: str) -> int:
        whole, fraction = _split(text, per_second)
        at = datetime.fromisoformat(whole)
        if (at.tzinfo is None) != local:
            raise ValueError
        passed = (at.replace(tzinfo=UTC) if local else at) - _EPOCH
        return (passed.days * _DAY_SECONDS + passed.seconds) * per_second + fraction

    return parse


def _split(text: str, per_second: int) -> tuple[str, int]:
    """A time without the fraction of its second, and the fraction in units of `per_second`. datetime would cut it.

    Raises ValueError for digits that a unit finer than a millisecond cannot hold.
    """
    found = _FRACTION.fullmatch(text)
    if found is None:
        return text, 0
    digits = found[2].rstrip("0")
    fraction, rest = divmod(int(digits or 0) * per_second, 10 ** len(digits))
    if rest and per_second > _CUT_PER_SECOND:
        raise ValueError
    return found[1] + found[3], fraction
