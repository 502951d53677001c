"""A checksum of an object's metadata and of its key.

A change of the metadata by hand, or a copy under another key, leaves a trace. The seal is not a secret: it detects
damage, but not a forger who knows this file. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from pipeline.upload.headers import METADATA_PREFIX

SEAL: Final = "tidegate-seal"
_OURS: Final = "tidegate-"
_OUR_HEADERS: Final = METADATA_PREFIX + _OURS
_PREFIX: Final = len(METADATA_PREFIX)
_HEADER: Final = METADATA_PREFIX + SEAL
_DIGITS: Final = 32


def sealed(key: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of an object, with a seal over our metadata in them."""
    ours = [
        f"{name[_PREFIX:]}={text}"
        for name, text in headers.items()
        if name.startswith(_OUR_HEADERS) and name != _HEADER
    ]
    return {**headers, _HEADER: _seal(key, ours)}


def is_whole(key: str, metadata: Mapping[str, str]) -> bool:
    """Whether our metadata is unchanged and was written for this key."""
    ours = [f"{name}={text}" for name, text in metadata.items() if name.startswith(_OURS) and name != SEAL]
    return metadata.get(SEAL) == _seal(key, ours)


def _seal(key: str, ours: list[str]) -> str:
    ours.sort()
    return hashlib.sha256("\n".join([key, *ours]).encode()).hexdigest()[:_DIGITS]
