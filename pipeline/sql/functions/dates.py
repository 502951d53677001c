"""Time: epochs in four units, RFC 3339, and dates with a pattern.

"Now" is the arrival of the record, to the millisecond. The zone of the system comes from the process (TZ). This file
computes dates itself, because `datetime` knows only microseconds and ends with the year 9999.

Source: the dialect's date functions; RFC 3339.
"""

from __future__ import annotations

import re
import time
from typing import Any, Final

from pipeline.memo import Memo
from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.event import Event
from pipeline.sql.runtime.values import UNDEFINED, BadValueError, Text, refuse

# Units of time, with their ticks a second and the digits of their fraction.
UNITS: Final = {"second": 1, "millisecond": 1_000, "microsecond": 1_000_000, "nanosecond": 1_000_000_000}
DIGITS: Final = {"second": 0, "millisecond": 3, "microsecond": 6, "nanosecond": 9}
SECONDS_MAX: Final = 253_402_300_799  # the end of the year 9999
PATTERN_SECONDS_MAX: Final = 30_000_000_000_000  # about the year 950,000; a pattern can write more than four digits
SECONDS_MIN: Final = -62_167_219_200  # the beginning of the year 0
DAY: Final = 86_400
NANOSECONDS: Final = 1_000_000_000

_OFFSET: Final = re.compile(r"([+-])(?:([0-9]{2})([0-9]{2})|([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2}))?)", re.ASCII)
_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def _ticks(unit: Any) -> int:
    if type(unit) is not str or unit not in UNITS:
        refuse("a unit: 'second', 'millisecond', 'microsecond' or 'nanosecond'", unit)
    return UNITS[unit]


def _now(event: Event, ticks: int) -> int:
    return event.now_ms * ticks // 1000


def _local_offset(seconds: int) -> int:
    """Seconds east of Greenwich in the system's zone at that time."""
    return time.localtime(max(SECONDS_MIN, min(seconds, SECONDS_MAX))).tm_gmtoff


def _offset(zone: Any, seconds: int) -> int:
    """The seconds of an offset."""
    if zone is UNDEFINED:
        return 0
    if type(zone) is int:
        return zone
    if zone in ("Z", "z"):
        return 0
    if zone == "local":
        return _local_offset(seconds)
    match = _OFFSET.fullmatch(zone) if type(zone) is str else None
    if match is None:
        refuse("an offset such as '+08:00', 'Z', 'local' or a number of seconds", zone)
    hours, minutes, rest = (int(part or 0) for part in (match[2] or match[4], match[3] or match[5], match[6]))
    if hours > 23 or minutes > 59 or rest > 59:
        refuse("an offset of at most 23:59:59", zone)
    size = hours * 3600 + minutes * 60 + rest
    return -size if match[1] == "-" else size


JUDGES: Final = {"unit": _ticks, "offset": lambda zone: _offset(zone, 0)}


def _offset_text(offset: int, form: str) -> str:
    """An offset in the form %z, %:z or %::z."""
    sign, size = "-" if offset < 0 else "+", abs(offset)
    hours, minutes, seconds = size // 3600, size // 60 % 60, size % 60
    if form == "%z":
        return f"{sign}{hours:02d}{minutes:02d}"
    text = f"{sign}{hours:02d}:{minutes:02d}"
    return text if form == "%:z" else f"{text}:{seconds:02d}"


def days_from_date(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01. Raises for a date that does not exist."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not (1 <= month <= 12 and 1 <= day <= lengths[month - 1]):
        raise BadValueError(f"there is no date {year:04d}-{month:02d}-{day:02d}")
    shifted = year - (month <= 2)
    era_year = shifted % 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return shifted // 400 * 146_097 + era_year * 365 + era_year // 4 - era_year // 100 + day_of_year - 719_468


def _fields(seconds: int, most: int = SECONDS_MAX) -> tuple[int, int, int, int, int, int]:
    if not SECONDS_MIN <= seconds <= most:
        refuse(f"a time between the years 0 and {time.gmtime(most)[0]}", seconds)
    return time.gmtime(seconds)[:6]


@function(
    "now_timestamp([unit: any]) -> integer",
    example=("now_timestamp('millisecond')", "1708671600123"),
    reads="event",
    judges=JUDGES,
)
def now_timestamp(event: Event, unit: Any = "second") -> int:
    """The arrival of the record, as an integer since 1970 in seconds or another unit."""
    return _now(event, _ticks(unit))


@function("now_rfc3339([unit: any]) -> string", example=("strlen(now_rfc3339())", "25"), reads="event", judges=JUDGES)
def now_rfc3339(event: Event, unit: Any = "second") -> str:
    """The arrival of the record in RFC 3339, in the zone of the system."""
    return unix_ts_to_rfc3339(_now(event, _ticks(unit)), unit)


@function(
    "unix_ts_to_rfc3339(time: integer[, unit: any]) -> string",
    example=("rfc3339_to_unix_ts(unix_ts_to_rfc3339(1708671600))", "1708671600"),
    judges=JUDGES,
)
def unix_ts_to_rfc3339(time_: int, unit: Any = "second") -> str:
    """A time as RFC 3339 text in the zone of the system. The fraction has 0, 3, 6 or 9 digits, depending on the unit."""
    seconds, fraction = divmod(time_, _ticks(unit))
    offset = _local_offset(seconds)
    text = "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*_fields(seconds + offset))
    digits = DIGITS[unit]
    return text + (f".{fraction:0{digits}d}" if digits else "") + _offset_text(offset, "%:z")


@function(
    "rfc3339_to_unix_ts(text: any[, unit: any]) -> integer",
    example=("rfc3339_to_unix_ts('2024-02-23T15:56:30.87Z', 'millisecond')", "1708703790870"),
    judges=JUDGES,
)
def rfc3339_to_unix_ts(text: Any, unit: Any = "second") -> int:
    """The time of an RFC 3339 text as an integer since 1970. For seconds, the fraction is dropped; for finer units,
    it is rounded. Raises for other text.
    """
    ticks = _ticks(unit)
    match = _RFC3339.fullmatch(text) if type(text) is str else None
    if match is None:
        refuse("a time such as '2024-02-23T15:56:30Z'", text)
    year, month, day, hour, minute, second = (int(match[i]) for i in range(1, 7))
    seconds = _seconds(year, month, day, hour, minute, second) - _offset(match[8], 0)
    if ticks == 1 or not match[7]:
        return seconds * ticks
    digits = match[7][:18]
    return int(seconds * ticks + (2 * int(digits) * ticks + 10 ** len(digits)) // (2 * 10 ** len(digits)))


def _seconds(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 60:  # 60: a leap second, which is the next minute's first second here
        raise BadValueError(f"there is no time {hour:02d}:{minute:02d}:{second:02d}")
    return days_from_date(year, month, day) * DAY + hour * 3600 + minute * 60 + second


_DIRECTIVE: Final = re.compile(r"%(?:[YmdHMSN]|[36]N|:{0,2}z)")


@function(
    "format_date(unit: any, offset: any, format: binary[, time: integer]) -> string",
    example=("format_date('second', '+08:00', '%Y-%m-%d %H:%M:%S%:z', 1708671600)", "'2024-02-23 15:00:00+08:00'"),
    reads="event",
    cost=8,
    judges=JUDGES,
)
def format_date(event: Event, unit: Any, offset: Any, pattern: Text, time_: int | None = None) -> str:
    """A time in `unit`, or the record's arrival, as text with a pattern: %Y %m %d %H %M %S, %N %6N %3N for a fraction
    of 9, 6 or 3 digits, %z %:z %::z for the offset. All other characters stay unchanged.
    """
    ticks = _ticks(unit)
    seconds, rest = divmod(_now(event, ticks) if time_ is None else time_, ticks)
    shift = _offset(offset, seconds)
    if type(pattern) is not str:
        refuse("a pattern in UTF-8", pattern)
    shown, values, plain = _LAYOUTS.get(pattern) or _layout(pattern)
    fields: tuple[Any, ...] = _fields(seconds + shift, PATTERN_SECONDS_MAX)
    if not plain:
        nanoseconds = f"{rest * (NANOSECONDS // ticks):09d}"
        offsets = (_offset_text(shift, form) for form in ("%z", "%:z", "%::z"))
        fields = (*fields, nanoseconds, nanoseconds[:6], nanoseconds[:3], *offsets)
    return shown % tuple([fields[i] for i in values])


_NAMES: Final = ("%Y", "%m", "%d", "%H", "%M", "%S", "%N", "%6N", "%3N", "%z", "%:z", "%::z")


Layout = tuple[str, tuple[int, ...], bool]
_LAYOUTS: Final[Memo[str, Layout]] = Memo(1_000, 1 << 20)


def _layout(pattern: str) -> Layout:
    """A pattern as a format of Python: the text, the fields in it, and whether all fields are parts of date and time."""
    shown, values, end = "", [], 0
    for match in _DIRECTIVE.finditer(pattern):
        position = _NAMES.index(match.group())
        shown += pattern[end : match.start()].replace("%", "%%")
        shown += "%04d" if position == 0 else "%02d" if position < 6 else "%s"
        values.append(position)
        end = match.end()
    layout = shown + pattern[end:].replace("%", "%%"), tuple(values), all(value < 6 for value in values)
    return _LAYOUTS.remember(pattern, layout, 16 * len(pattern))


_WIDTHS: Final = {
    "%Y": 4, "%m": 2, "%d": 2, "%H": 2, "%M": 2, "%S": 2, "%N": 9, "%6N": 6, "%3N": 3, "%z": 5, "%:z": 6, "%::z": 9,
}  # fmt: skip


@function(
    "date_to_unix_ts(unit: any, format: binary, text: binary) -> integer",
    "date_to_unix_ts(unit: any, offset: any, format: binary, text: binary) -> integer",
    example=("date_to_unix_ts('second', '+08:00', '%Y-%m-%d %H-%M-%S', '2024-03-01 10:30:38')", "1709260238"),
    cost=8,
    judges={**JUDGES, "format": lambda pattern: _require_all(str(pattern))},
)
def date_to_unix_ts(unit: Any, *arguments: Any) -> int:
    """The time of a text as an integer in `unit`. The pattern has the directives of `format_date()`. Directives have
    fixed widths, other characters are skipped without comparison, and text after the pattern is ignored. A text may
    end after the second: a fraction or an offset of the pattern is 0 then. The offset is subtracted, and so is an
    offset in the text. Raises for a text that is too short, not numeric or not a date, and if the pattern lacks one of
    year, month, day, hour, minute and second.
    """
    ticks = _ticks(unit)
    offset, pattern, text = arguments if len(arguments) == 3 else (0, *arguments)
    _require_all(str(pattern))
    found = _scanned(str(pattern), str(text))
    if not found.keys() >= {*_NAMES[:6]}:
        refuse(f"text as long as the pattern {pattern!r}", text)
    seconds = _seconds(*(int(found[name]) for name in ("%Y", "%m", "%d", "%H", "%M", "%S")))
    seconds -= _offset(offset, seconds)
    for name in ("%z", "%:z", "%::z"):
        if name in found:
            seconds -= _offset(found[name], seconds)
    fraction = sum(int(found[name]) * 10 ** (9 - _WIDTHS[name]) for name in ("%N", "%6N", "%3N") if name in found)
    return int((seconds * NANOSECONDS + fraction) // (NANOSECONDS // ticks))


def _require_all(pattern: str) -> None:
    """Refuse a pattern that gives no time."""
    found = set(_DIRECTIVE.findall(pattern))
    if missing := [name for name in _NAMES[:6] if name not in found]:
        raise BadValueError(f"the pattern lacks {' '.join(missing)}")


def _scanned(pattern: str, text: str) -> dict[str, str]:
    """The text of each directive. A text may end between directives and other characters of the pattern."""
    found: dict[str, str] = {}
    position = end = 0
    for match in _DIRECTIVE.finditer(pattern):
        if position == len(text):
            return found
        position += match.start() - end
        end = match.end()
        if position == len(text):
            return found
        name = match.group()
        piece = text[position : position + _WIDTHS[name]]
        if len(piece) < _WIDTHS[name]:
            refuse(f"text as long as the pattern {pattern!r}", text)
        if not name.endswith("z") and not (piece.isascii() and piece.isdigit()):
            refuse(f"digits for {name}", piece)
        found[name] = piece
        position += len(piece)
    if position < len(text) < position + len(pattern) - end:
        refuse(f"text as long as the pattern {pattern!r}", text)
    return found


@function(
    "timezone_to_offset_seconds(offset: any) -> integer",
    example=("timezone_to_offset_seconds('+08:00')", "28800"),
    reads="event",
)
def timezone_to_offset_seconds(event: Event, offset: Any) -> int:
    """The seconds of an offset: 'Z', '+08:00', '+0800', '+08:00:00', 'local', or seconds. Raises for other text."""
    return _offset(offset, event.now_ms // 1000)


@function(
    "timezone_to_second(offset: any) -> integer", example=("timezone_to_second('-0330')", "-12600"), reads="event"
)
def timezone_to_second(event: Event, offset: Any) -> int:
    """The same as `timezone_to_offset_seconds()`."""
    return _offset(offset, event.now_ms // 1000)


@function(
    "mongo_date([time: integer, unit: any]) -> string",
    example=("mongo_date(1708671600123)", "'ISODate(2024-02-23T07:00:00.123Z)'"),
    reads="event",
)
def mongo_date(event: Event, time_: int | None = None, unit: Any = "millisecond") -> str:
    """A time, or the record's arrival, as the text of a MongoDB date."""
    ticks = _ticks(unit)
    milliseconds = event.now_ms if time_ is None else time_ * 1000 // ticks
    text = "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*_fields(milliseconds // 1000))
    return f"ISODate({text}.{milliseconds % 1000:03d}Z)"
