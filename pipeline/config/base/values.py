"""The value types of the configuration: durations, sizes, names, addresses, topic filters and buckets.

The spellings are those that users of EMQX know: "500ms", "1h30m", "5mb". Numbers without a unit are milliseconds for
durations and bytes for sizes. In a model, a duration is a number of seconds and a size is a number of bytes. When
written back, they are texts again: those of `duration_text` and `size_text`, or the spelling that the section remembers
(section.py).

A validator says only what it expected. problems.py adds what was found, if that may be shown. This file does not know the names
of settings.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from pipeline.config.base.environment import Resolved
from pipeline.template.object_names import bucket_problem
from pipeline.topics import validate_filter

_DURATION_UNITS: Final = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_SIZE_UNITS: Final = {"gb": 1 << 30, "mb": 1 << 20, "kb": 1 << 10, "b": 1, "": 1}
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)", re.IGNORECASE | re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE | re.ASCII)
_HOST: Final = re.compile(r"[^\s/@\[\]]+|\[[0-9a-fA-F:.]+(%\w+)?\]", re.ASCII)
_NAME: Final = re.compile(r"[0-9a-zA-Z][-0-9a-zA-Z_]*")
_TEXT_MAX: Final = 400
# Longer than the 136 years that MQTT can say, and still a time that clocks, timers and dates can add.
_MILLISECONDS_MAX: Final = 10_000 * _DURATION_UNITS["w"]
SIZE_MAX: Final = 1 << 53  # beyond this, JSON's numbers are not exact
RECORDS_MAX: Final = 1_000_000_000  # for settings that count records or rows
INFINITY: Final = "infinity"

_EXPECTED_DURATION: Final = 'expected a duration such as "500ms", "15s" or "1h30m"'
_EXPECTED_SHORTER: Final = "expected a duration of at most 10000w"
_EXPECTED_SIZE: Final = 'expected a size such as "64kb", "5mb" or "1gb"'


class Kind(NamedTuple):
    """The name of a type in the manual, in JSON Schema's `format` and in messages."""

    name: str


def parse_duration(value: Any) -> float:
    """Seconds from "500ms", "15s", "1h30m" or a number of milliseconds. Raises ValueError."""
    milliseconds = _milliseconds(value)
    if not 0 <= milliseconds < math.inf:
        raise ValueError("expected a duration that is neither negative nor infinite")
    if milliseconds > _MILLISECONDS_MAX:
        raise ValueError(_EXPECTED_SHORTER)
    return float(milliseconds / 1000)


def _milliseconds(value: Any) -> float | Decimal:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) and len(value) <= _TEXT_MAX else ""
    if isinstance(value, Resolved) and text.isdecimal() and text.isascii():
        return int(text)
    parts = _DURATION_PART.findall(text)
    if not parts or _DURATION_PART.sub("", text).strip():
        raise ValueError(_EXPECTED_DURATION)
    return Decimal(sum(Decimal(number) * _DURATION_UNITS[unit.lower()] for number, unit in parts))


def duration_text(seconds: float) -> str:
    """The text of a duration in the largest unit that divides it: "30s", "10ms", "infinity"."""
    if math.isinf(seconds):
        return INFINITY
    milliseconds = Decimal(repr(float(seconds))) * 1000
    unit = next((unit for unit, size in _DURATION_UNITS.items() if milliseconds % size == 0), "")
    whole = f"{int(milliseconds / _DURATION_UNITS[unit])}{unit}" if unit else f"{milliseconds.normalize():f}ms"
    return whole if milliseconds else "0s"


def parse_size(value: Any) -> int:
    """Bytes from "5mb", "256KB" or a number; multiples are binary. Raises ValueError."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise ValueError("expected a size that is not negative")
        return _bounded(value)
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _TEXT_MAX else None
    if not found or found[2].lower() not in _SIZE_UNITS:
        raise ValueError(_EXPECTED_SIZE)
    return _bounded(int(Decimal(found[1]) * _SIZE_UNITS[found[2].lower()]))


def _bounded(size: int) -> int:
    if size > SIZE_MAX:
        raise ValueError(f"expected a size of at most {size_text(SIZE_MAX)}")
    return size


def size_text(size: int) -> str:
    """The text of a size in the largest unit that divides it: "256MB"."""
    unit = next(unit for unit, factor in _SIZE_UNITS.items() if size % factor == 0)
    return f"{size // _SIZE_UNITS[unit]}{unit.upper()}" if size else "0B"


def text_of(kind: str, value: Any) -> Any:
    """The written form of a value: durations and sizes become texts, other values stay unchanged."""
    if value is None or kind not in {"duration", "size"}:
        return value
    return duration_text(value) if kind == "duration" else size_text(value)


def _read_duration(value: Any, info: ValidationInfo) -> float:
    if info.context and info.context.get("plain") and isinstance(value, int | float):
        return float(value)  # seconds already, see dump.from_content
    return parse_duration(value)


def _read_duration_or_infinity(value: Any, info: ValidationInfo) -> float:
    return math.inf if value in (INFINITY, math.inf) else _read_duration(value, info)


def _check_name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > 255:
        raise ValueError("expected a name of letters, digits, - and _ that begins with a letter or digit")
    return value


def _check_filter(value: str) -> str:
    try:
        validate_filter(value)
    except ValueError as error:
        raise ValueError(str(error).partition(", found")[0]) from None
    return value


def _check_bucket(value: str) -> str:
    if "${" not in value and (problem := bucket_problem(value)):  # a template's is known when it is rendered
        raise ValueError(problem.partition(", found")[0])
    return value


def host_and_port(value: str) -> str:
    """`value`, if it is host:port. An IPv6 address may be in brackets. Raises ValueError otherwise."""
    host, _, port = value.rpartition(":")
    if not _HOST.fullmatch(host) or not (port.isdecimal() and port.isascii()) or not 0 < int(port[:6]) < 65536:
        raise ValueError("expected host:port, without scheme, user or password")
    return value


def _schema(pattern: str, kind: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": kind, "pattern": pattern, "examples": list(examples)})


_DURATION_PATTERN: Final = r"^\s*([0-9]+(\.[0-9]+)?([mM][sS]|[smhdwSMHDW])\s*)+$"

Seconds = Annotated[
    float,
    Kind("duration"),
    BeforeValidator(_read_duration),
    PlainSerializer(duration_text),
    _schema(_DURATION_PATTERN, "duration", "500ms", "15s", "1h30m"),
]
SecondsOrInfinity = Annotated[
    float,
    Kind("duration"),
    BeforeValidator(_read_duration_or_infinity),
    PlainSerializer(duration_text),
    _schema(rf"{_DURATION_PATTERN}|^{INFINITY}$", "duration", "15s", INFINITY),
]
Bytes = Annotated[
    int,
    Kind("size"),
    BeforeValidator(parse_size),
    PlainSerializer(size_text),
    _schema(r"^\s*[0-9]+(\.[0-9]+)?\s*([kmgKMG]?[bB])?\s*$", "size", "64KB", "5MB", "1GB"),
]
Name = Annotated[str, Kind("name"), AfterValidator(_check_name)]
Address = Annotated[str, Kind("host:port"), AfterValidator(host_and_port)]
TopicFilter = Annotated[str, Kind("topic filter"), AfterValidator(_check_filter)]
Bucket = Annotated[str, Kind("bucket"), AfterValidator(_check_bucket)]
