"""A checksum of what an object's metadata says, and of the key that it was written under.

Whoever changes metadata by hand, or puts an object under another name, leaves a trace. It is no secret: it tells damage, and no
forger who knows this file. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from pipeline.upload.headers import METADATA_PREFIX

SEAL: Final = "tidegate-seal"
_OURS: Final = "tidegate-"
_OUR_HEADERS: Final = METADATA_PREFIX + _OURS
_DIGITS: Final = 32


def sealed(key: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Headers of an object, with a seal over those that are our metadata."""
    ours = {name.removeprefix(METADATA_PREFIX): text for name, text in headers.items() if name.startswith(_OUR_HEADERS)}
    return {**headers, METADATA_PREFIX + SEAL: _seal(key, ours)}


def is_whole(key: str, metadata: Mapping[str, str]) -> bool:
    """Whether metadata of ours is as it was written, under this key."""
    return metadata.get(SEAL) == _seal(key, metadata)


def _seal(key: str, metadata: Mapping[str, str]) -> str:
    ours = sorted(f"{name}={text}" for name, text in metadata.items() if name.startswith(_OURS) and name != SEAL)
    return hashlib.sha256("\n".join([key, *ours]).encode()).hexdigest()[:_DIGITS]
