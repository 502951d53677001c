"""Headers of S3's requests: their allowed names and values, and the headers for metadata and tags.

Names and values are checked, because a header must never break a request. Metadata that HTTP cannot carry is written as RFC 2047
encoded words, which is how AWS returns such values. Pure.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

# Headers that the request itself sets.
_OWN: Final = {
    "authorization", "connection", "content-length", "expect", "host", "if-match", "if-none-match", "transfer-encoding",
    "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
}  # fmt: skip
METADATA_PREFIX: Final = "x-amz-meta-"
METADATA_BYTES_MAX: Final = 2048  # bytes of all names and values of an object, as S3 counts them
OWN_METADATA_BYTES: Final = 1024  # the part of these bytes for action, place, digests and counts; names may be long
TAG_NAME_MAX: Final = 128
TAG_VALUE_MAX: Final = 256
_CHARACTER_BYTES_MAX: Final = 4  # in UTF-8
_TOKEN: Final = re.compile(r"[a-z0-9_-]+")
# For a part and a completion, S3 refuses headers that describe the object. A customer's key must come with each
# request.
_WITH_PARTS: Final = "x-amz-server-side-encryption-customer-"


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Configured headers with names in lower case. Raises ValueError for a header that would break the request."""
    found = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in _OWN:
            raise ValueError(f"header {name!r} is the request's own and cannot be set")
        if not _TOKEN.fullmatch(lower) or not value.isprintable() or not value.isascii():
            raise ValueError(f"header {name!r} or its value has characters that HTTP does not allow")
        found[lower] = value
    return found


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """User metadata as headers. Raises ValueError for a bad name."""
    found = {}
    for name, value in metadata.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(lower):
            raise ValueError(f"metadata {name!r}: expected a name of letters, digits, - and _")
        if lower.startswith("tidegate-"):
            raise ValueError(f"metadata {name!r}: names that begin with tidegate- are the fence's and the ledger's")
        if METADATA_PREFIX + lower in found:
            raise ValueError(f"metadata {name!r}: another name differs only in case, and S3 keeps one of them")
        found[METADATA_PREFIX + lower] = metadata_text(value)
    if problem := metadata_problem(found, METADATA_BYTES_MAX - OWN_METADATA_BYTES):
        raise ValueError(problem)
    return found


def metadata_problem(headers: Mapping[str, str], bytes_max: int = METADATA_BYTES_MAX) -> str:
    """The problem with the size of the metadata among an object's headers, or an empty text."""
    if sum(map(len, headers)) + _CHARACTER_BYTES_MAX * sum(map(len, headers.values())) <= bytes_max:
        return ""  # few headers need a closer look
    skipped = len(METADATA_PREFIX)
    size = sum(
        len(name) - skipped + len(value.encode()) for name, value in headers.items() if name.startswith(METADATA_PREFIX)
    )
    return f"expected metadata of at most {bytes_max} bytes, names and values, found {size}" if size > bytes_max else ""


def metadata_text(value: str) -> str:
    """A value in the form of a header."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return f"=?UTF-8?B?{b64encode(value.encode('utf-8', 'replace')).decode()}?="


def tagging(tags: Mapping[str, str]) -> str:
    """Tags in the form of their header. Raises ValueError for a tag that S3 does not accept."""
    for name, value in tags.items():
        if name.lower().startswith("aws:"):
            raise ValueError(f"tag {name[:80]!r}: names that begin with aws: are Amazon's own")
        if not 0 < len(name) <= TAG_NAME_MAX or len(value) > TAG_VALUE_MAX:
            raise ValueError(
                f"tag {name[:80]!r}: expected a name of 1 to {TAG_NAME_MAX} and a value of at most {TAG_VALUE_MAX} "
                f"characters, found {len(name)} and {len(value)}"
            )
        for text in (name, value):
            odd = next((each for each in text if not (each.isalnum() or each in " +-=._:/@")), None)
            if odd is not None:
                raise ValueError(
                    f"tag {name[:80]!r}: S3 takes letters, digits, blanks and +-=._:/@ in it, found {odd!r}"
                )
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in tags.items())


def with_parts(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a connector that a part and a completion may have."""
    return {
        name: value
        for name, value in headers.items()
        if name != "content-type" and (not name.startswith("x-amz-") or name.startswith(_WITH_PARTS))
    }
