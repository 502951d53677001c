"""The filters that Tidegate adds to Jinja's, for keys and times.

A date part of any timestamp in a named zone, a part of a key that leads nowhere else, a stable bucket, a digest. They take any
value of the language, and bytes as they are.
"""

from __future__ import annotations

import base64 as base64_codec
import hashlib
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from pipeline.sql.runtime.jsontext import to_json
from pipeline.sql.runtime.values import BadValueError, shown
from pipeline.template.language import octets_of, plain, text
from pipeline.template.moments import formatted

BUCKETS_MAX: Final = 1_000_000
# Segments that lead to another folder, and characters that do not stand for themselves. \w has the letters and digits of all
# scripts, but not the marks that some scripts write above or below a letter.
_ESCAPED: Final = re.compile(r"(?:(?<=[/\\])|\A)(\.{1,2})(?=[/\\]|\Z)|[^\w!.*'()-]")

FILTERS: Final[dict[str, Callable[..., Any]]] = {}


def _filter(call: Callable[..., Any]) -> Callable[..., Any]:
    FILTERS[call.__name__] = call
    return call


@_filter
def date(value: Any, pattern: str = "%Y-%m-%d", zone: str = "UTC", unit: str | None = None) -> str:
    """A timestamp (an integer in `unit`: s, ms, us or ns; or RFC 3339 text) with a pattern of strftime, in a named zone."""
    return formatted(value, pattern, zone, unit)


@_filter
def key_part(value: Any) -> str:
    """Text as one part of an object key. Different texts give different parts.

    Letters, digits and marks of all scripts and ! _ . * ' ( ) - stand for themselves. All other bytes become %XX, as readers of
    Hive's folders decode them. A text that would be no part, or lead to another folder, has a ~ at that place: the empty text,
    and the segments . and ..
    """
    return _ESCAPED.sub(_escaped, text(value)) or "~"


def _escaped(found: re.Match[str]) -> str:
    return f"~{found[1]}" if found[1] else _encoded(found[0])


@lru_cache(1024)
def _encoded(character: str) -> str:
    if unicodedata.category(character)[0] == "M":
        return character
    return "%7E" if character == "~" else quote(octets_of(character), safe="")


@_filter
def percent(value: Any) -> str:
    """The text with each byte as %XX, except ASCII letters, digits and - . _ ~"""
    return quote(octets_of(value), safe="")


@_filter
def bucket(value: Any, count: int) -> str:
    """A stable number from 0 to `count` - 1, from a hash of the text, padded with zeros to the width of the largest."""
    if type(count) is not int or not 1 <= count <= BUCKETS_MAX:
        raise BadValueError(f"bucket: expected a count of 1 to {BUCKETS_MAX}, found {shown(count)}")
    number = int.from_bytes(hashlib.blake2b(octets_of(value), digest_size=8).digest(), "big") % count
    return f"{number:0{len(str(count - 1))}d}"


@_filter
def digest(value: Any, algorithm: str = "sha256", length: int = 64) -> str:
    """The first `length` hexadecimal digits of a hash: md5, sha1, sha256, sha512, blake2b or blake2s."""
    if algorithm not in ("md5", "sha1", "sha256", "sha512", "blake2b", "blake2s"):
        raise BadValueError(f"digest: unknown algorithm {algorithm!r}")
    if type(length) is not int or length < 1:
        raise BadValueError(f"digest: expected a length of at least 1, found {shown(length)}")
    return hashlib.new(algorithm, octets_of(value), usedforsecurity=False).hexdigest()[:length]


@_filter
def json(value: Any) -> str:
    """The value as compact JSON."""
    return to_json(plain(value)).decode()


@_filter
def base64(value: Any) -> str:
    """The text in Base64."""
    return base64_codec.b64encode(octets_of(value)).decode()


@_filter
def hex(value: Any) -> str:
    """The bytes of the text in hexadecimal digits."""
    return octets_of(value).hex()
