"""The filters of templates, in the order of the manual.

Jinja's own filters that are pure and bounded keep their names (`BUILT_IN`). The others are made for keys and times: a
date from any timestamp in a named zone, a safe part of a key, a stable bucket.
"""

from __future__ import annotations

import base64 as base64_codec
import hashlib
import re
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.sql.runtime.jsontext import to_json, to_text
from pipeline.sql.runtime.values import TEXT_LENGTH_MAX, BadValueError, octets, shown

BUILT_IN: Final = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int", "items", "join",
    "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "round",
    "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper",
    "urlencode",
)  # fmt: skip
BUCKETS_MAX: Final = 1_000_000
_TICKS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9!_.*'()=-]+")

FILTERS: Final[dict[str, Callable[..., Any]]] = {}


def _filter(call: Callable[..., Any]) -> Callable[..., Any]:
    FILTERS[call.__name__] = call
    return call


def _raw(value: Any) -> bytes:
    """The bytes of a value's text."""
    if type(value) is str:
        return value.encode(errors="surrogateescape")
    return octets(to_text(value))


@_filter
def date(value: Any, pattern: str = "%Y-%m-%d", zone: str = "UTC", unit: str = "ms") -> str:
    """A timestamp (an integer in `unit`: s, ms, us or ns; or RFC 3339 text) with a pattern of strftime, in a named zone."""
    try:
        return _moment(value, unit).astimezone(zoneinfo.ZoneInfo(zone)).strftime(pattern)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OverflowError, OSError) as error:
        raise BadValueError(f"date: {error}") from None


def _moment(value: Any, unit: str) -> datetime:
    if type(value) is str and not value.isdigit():
        moment = datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if unit not in _TICKS:
        raise BadValueError(f"date: expected a unit of s, ms, us or ns, found {unit!r}")
    if type(value) not in (int, float, str):
        raise BadValueError(f"date: expected a timestamp, found {shown(value)}")
    ticks = int(value)
    seconds, rest = divmod(ticks, _TICKS[unit])
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1_000_000 // _TICKS[unit])


@_filter
def key_part(value: Any, replacement: str = "_") -> str:
    """Text as one part of an object key: every character except letters, digits and ! _ . * ' ( ) = - becomes `replacement`."""
    parts = _UNSAFE.split(to_text(value) if type(value) is not str else value)  # type: ignore[arg-type]
    size = len(parts) * len(replacement)
    if size > TEXT_LENGTH_MAX:
        raise BadValueError(f"key_part: the result has {size} characters, expected at most {TEXT_LENGTH_MAX}")
    text = replacement.join(parts)
    return text if text.strip(".") else replacement * max(1, len(text))


@_filter
def bucket(value: Any, count: int) -> str:
    """A stable number from 0 to `count` - 1, from a hash of the text, padded with zeros to the width of the largest."""
    if type(count) is not int or not 1 <= count <= BUCKETS_MAX:
        raise BadValueError(f"bucket: expected a count of 1 to {BUCKETS_MAX}, found {shown(count)}")
    number = int.from_bytes(hashlib.blake2b(_raw(value), digest_size=8).digest(), "big") % count
    return f"{number:0{len(str(count - 1))}d}"


@_filter
def digest(value: Any, algorithm: str = "sha256", length: int = 64) -> str:
    """The first `length` hexadecimal digits of a hash: md5, sha1, sha256, sha512, blake2b or blake2s."""
    if algorithm not in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s"):
        raise BadValueError(f"digest: unknown algorithm {algorithm!r}")
    return hashlib.new(algorithm, _raw(value), usedforsecurity=False).hexdigest()[:length]


@_filter
def json(value: Any) -> str:
    """The value as compact JSON."""
    return to_json(value).decode()


@_filter
def base64(value: Any) -> str:
    """The text in Base64."""
    return base64_codec.b64encode(_raw(value)).decode()


@_filter
def hex(value: Any) -> str:
    """The bytes of the text in hexadecimal digits."""
    return _raw(value).hex()
