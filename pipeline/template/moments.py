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
from typing import Any, Final

from pipeline.sql.runtime.values import BadValueError, shown

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_TICKS_MAX: Final = 10**22  # beyond the year 9999 in every unit
_DIGITS: Final = re.compile(r"[+-]?[0-9]{1,30}")
# A number of milliseconds from 2 January 1970 to March 1973. As seconds they are the years 1973 to 5138.
_LIKE_SECONDS: Final = range(10**8, 10**11)
# The years 2000 to 2199, in milliseconds.
_LIKE_EPOCHS: Final = range(946_684_800_000, 7_258_118_400_000)
# What strftime does in another way on other systems, or for years of fewer than four digits, or does not know.
_DIRECTIVE: Final = re.compile(r"%(?:%|[YGCFcsNf]|[36]N|:{0,2}z)")


def formatted(value: Any, pattern: str, zone: str, unit: str | None) -> str:
    """A moment after a pattern of strftime. Raises BadValueError for what is not a moment of the years 1 to 9999."""
    try:
        moment = _moment(value, unit).astimezone(zoneinfo.ZoneInfo(zone))
        return moment.strftime(_DIRECTIVE.sub(lambda found: _part(found[0], moment), pattern))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OverflowError, OSError) as error:
        raise BadValueError(f"date: {error}; the value is {shown(value)}") from None


def _moment(value: Any, unit: str | None) -> datetime:
    if unit is not None and unit not in _TICKS:
        raise BadValueError(f"date: expected a unit of s, ms, us or ns, found {shown(unit)}")
    if type(value) is str:
        if not _DIGITS.fullmatch(value):
            moment = datetime.fromisoformat(value)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
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
    return _EPOCH + timedelta(
        microseconds=int((exact * 1_000_000 / _TICKS[unit or "ms"]).to_integral_value("ROUND_FLOOR"))
    )


def _part(directive: str, moment: datetime) -> str:
    """The text of one directive, with % doubled for strftime."""
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
            digits = f"{moment.microsecond:06d}000"
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
