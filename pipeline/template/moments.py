"""The filter `date`: the parts of a moment in a named zone.

A value becomes a moment only if there is no doubt about it, because a wrong one puts an object into a folder in which nobody will
look for it. So a number without a unit is refused if it looks like seconds, and so is a text of digits that may be a calendar
date. Pure: the zones are those of the system's database.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from pipeline.sql.runtime.values import BadValueError, shown

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_TICKS_MAX: Final = 10**22  # beyond the year 9999 in every unit
_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,30}")
# A number of milliseconds from 2 January 1970 to March 1973. As seconds they are the years 1973 to 5138.
_LIKE_SECONDS: Final = range(10**8, 10**11)
# The years 2000 to 2199, in milliseconds.
_LIKE_EPOCHS: Final = range(946_684_800_000, 7_258_118_400_000)
# A text of a moment: date, hour and minute; the second, of which 60 is a leap second; digits of its fraction; the zone.
_TEXT: Final = re.compile(r"([\dW-]+.\d\d:?\d\d:?)([0-5]\d|60)(?:[.,](\d+))?(Z|[+-][\d:.]+)?", re.DOTALL | re.ASCII)
# What strftime does in another way on other systems, or for years of fewer than four digits, or does not know.
_DIRECTIVE: Final = re.compile(r"%(?:%|[YGCFcsNf]|[36]N|:{0,2}z)")


class _Moment(NamedTuple):
    """A moment in microseconds, which are Python's, and the nanoseconds besides."""

    at: datetime
    nanoseconds: int

    def after(self, pattern: str) -> str:
        # A NUL ends the pattern for strftime.
        parts = (_DIRECTIVE.sub(lambda found: _part(found[0], self), part) for part in pattern.split("\0"))
        return "\0".join(map(self.at.strftime, parts))


def formatted(value: Any, pattern: Any, zone: Any, unit: Any) -> str:
    """A moment after a pattern of strftime. Raises BadValueError for what is not a moment of the years 1 to 9999."""
    for what, given in (("pattern", pattern), ("time zone", zone)):
        if type(given) is not str:
            raise BadValueError(f"date: expected text as the {what}, found {shown(given)}")
    try:
        moment = _moment(value, unit)
        return moment._replace(at=moment.at.astimezone(zoneinfo.ZoneInfo(zone))).after(pattern)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OverflowError, OSError) as error:
        raise BadValueError(f"date: {error}; the value is {shown(value)}") from None


def _moment(value: Any, unit: Any) -> _Moment:
    if unit is not None and unit not in _TICKS:
        raise BadValueError(f"date: expected a unit of s, ms, us or ns, found {shown(unit)}")
    if type(value) is str:
        if not _DIGITS.fullmatch(value):
            return _of_text(value)
        if unit is None and int(value) not in _LIKE_EPOCHS:
            raise BadValueError(f"date: {value!r} may be an epoch in some unit, or a calendar date: name the unit")
        value = int(value)
    if type(value) not in (int, float):
        raise BadValueError(f"date: expected a timestamp, found {shown(value)}")
    if unit is None and _LIKE_SECONDS.start <= value < _LIKE_SECONDS.stop:
        raise BadValueError(f"date: {value} looks like seconds, expected milliseconds: name the unit 's' or 'ms'")
    if not -_TICKS_MAX < value < _TICKS_MAX:
        raise BadValueError(f"date: expected a timestamp of the years 1 to 9999, found {shown(value)}")
    exact = Decimal(repr(value)) if type(value) is float else Decimal(value)
    whole = int((exact * 1_000_000_000 / _TICKS[unit or "ms"]).to_integral_value("ROUND_FLOOR"))
    return _Moment(_EPOCH + timedelta(microseconds=whole // 1000), whole % 1000)


def _of_text(value: str) -> _Moment:
    """The moment of an ISO 8601 text; UTC if it names no zone."""
    found = _TEXT.fullmatch(value)
    before, second, fraction, zone = found.groups() if found else (value, "", "", "")
    digits = f"{fraction or '':0<9}"
    leap = second == "60"  # the first second of the next minute, as in a rule
    at = datetime.fromisoformat(f"{before}{'59' if leap else second}{zone or ''}")
    passed = timedelta(seconds=leap, microseconds=int(digits[:6]))
    return _Moment((at if at.tzinfo else at.replace(tzinfo=UTC)) + passed, int(digits[6:9]))


def _part(directive: str, exact: _Moment) -> str:
    """The text of one directive, with % doubled for strftime."""
    moment = exact.at
    match directive[-1]:
        case "Y":
            return f"{moment.year:04d}"
        case "G":
            return f"{moment.isocalendar().year:04d}"
        case "C":
            return f"{moment.year // 100:02d}"
        case "c":
            return f"{moment:%a %b %e %H:%M:%S} {moment.year:04d}"
        case "F":
            return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}"
        case "s":
            return str((moment - _EPOCH) // timedelta(seconds=1))
        case "f":
            return f"{moment.microsecond:06d}"
        case "N":
            digits = f"{moment.microsecond:06d}{exact.nanoseconds:03d}"
            return digits[: int(directive[1])] if len(directive) == 3 else digits
        case "z":
            return _offset(moment, directive)
    return "%%"


def _offset(moment: datetime, directive: str) -> str:
    """The offset in the form %z, %:z or %::z."""
    seconds = round((moment.utcoffset() or timedelta()).total_seconds())
    hours, rest = divmod(abs(seconds), 3600)
    parts = [f"{'-' if seconds < 0 else '+'}{hours:02d}", f"{rest // 60:02d}"]
    if directive == "%::z":
        parts.append(f"{rest % 60:02d}")
    return ("" if directive == "%z" else ":").join(parts)
