"""Headers of S3's requests: which names and values they may have, and how metadata and tags become headers.

A header's value must never break a request: names and values are checked. Metadata that HTTP does not carry as it is goes as
RFC 2047 encoded words, which is how AWS itself returns such values. Pure.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

# Headers that belong to the request itself.
_OWN: Final = {
    "authorization", "connection", "content-length", "expect", "host", "if-match", "if-none-match", "transfer-encoding",
    "x-amz-content-sha256", "x-amz-date", "x-amz-security-token",
}  # fmt: skip
METADATA_PREFIX: Final = "x-amz-meta-"
METADATA_BYTES_MAX: Final = 2048  # of all names and values of an object, as S3 counts them
OWN_METADATA_BYTES: Final = 1024  # what is left of these for action, place, digests and counts; names may be long
TAG_NAME_MAX: Final = 128
TAG_VALUE_MAX: Final = 256
_TOKEN: Final = re.compile(r"[a-z0-9_-]+")
# Of a part and of a completion S3 refuses what describes the object; a customer's key has to come with each request.
_WITH_PARTS: Final = "x-amz-server-side-encryption-customer-"


def checked(headers: Mapping[str, str]) -> dict[str, str]:
    """Configured headers, names in lower case. Raises ValueError for one that would break the request."""
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
    """User metadata as headers. Raises ValueError for a name that is none."""
    found = {}
    for name, value in metadata.items():
        lower = name.lower()
        if not _TOKEN.fullmatch(lower):
            raise ValueError(f"metadata {name!r}: expected a name of letters, digits, - and _")
        if lower.startswith("tidegate-"):
            raise ValueError(f"metadata {name!r}: names that begin with tidegate- are the fence's and the ledger's")
        found[METADATA_PREFIX + lower] = metadata_text(value)
    if problem := metadata_problem(found, METADATA_BYTES_MAX - OWN_METADATA_BYTES):
        raise ValueError(problem)
    return found


def metadata_problem(headers: Mapping[str, str], bytes_max: int = METADATA_BYTES_MAX) -> str:
    """What is wrong with the size of the metadata among an object's headers; empty if nothing is."""
    skipped = len(METADATA_PREFIX)
    size = sum(
        len(name) - skipped + len(value.encode()) for name, value in headers.items() if name.startswith(METADATA_PREFIX)
    )
    return f"expected metadata of at most {bytes_max} bytes, names and values, found {size}" if size > bytes_max else ""


def metadata_text(value: str) -> str:
    """A value as a header carries it."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return f"=?UTF-8?B?{b64encode(value.encode('utf-8', 'replace')).decode()}?="


def tagging(tags: Mapping[str, str]) -> str:
    """Tags as their header carries them. Raises ValueError for one that S3 does not take."""
    for name, value in tags.items():
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
    """Those of a connector's headers that a part and a completion may have."""
    return {
        name: value
        for name, value in headers.items()
        if name != "content-type" and (not name.startswith("x-amz-") or name.startswith(_WITH_PARTS))
    }
