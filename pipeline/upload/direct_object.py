"""The metadata of a direct upload's object, from which a reader of the bucket alone can tell whether the object is
unchanged.

It names the place of the row (row_place.py), and the size and digest of the bytes, under a seal (seal.py). Direct
upload has no ledger, so nothing says which objects should exist. `SeenRows` shows that no row is in two objects.

Pure: no I/O.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from pipeline.upload import seal
from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.row_place import RowPlace

SIZE: Final = "tidegate-size"
SHA256: Final = "tidegate-sha256"


def headers_of(content: bytes) -> dict[str, str]:
    """The facts of an object's bytes as headers for its metadata."""
    digest = hashlib.sha256(content).hexdigest()
    return {METADATA_PREFIX + SIZE: str(len(content)), METADATA_PREFIX + SHA256: digest}


def wrongs(key: str, size_bytes: int, metadata: Mapping[str, str]) -> list[str]:
    """Contradictions in an object's metadata and size."""
    found = []
    if not seal.is_whole(key, metadata):
        found.append("its metadata is not as it was written under this key")
    if metadata.get(SIZE) != str(size_bytes):
        found.append(f"it has {size_bytes} bytes, and its metadata says {metadata.get(SIZE)}")
    return found


def content_wrong(content: bytes, metadata: Mapping[str, str]) -> str | None:
    """The difference between an object's bytes and its metadata, or an empty text."""
    digest, said = hashlib.sha256(content).hexdigest(), metadata.get(SHA256, "")
    return None if digest == said else f"the digest of its bytes is {digest[:16]}…, and its metadata says {said[:16]}…"


class SeenRows:
    """The rows that were seen: a bit for each offset, in blocks, because offsets of one partition are close together."""

    _BLOCK: Final = 1 << 13

    def __init__(self) -> None:
        self._blocks: dict[tuple[str, str, int, int, int], bytearray] = {}

    def add(self, place: RowPlace) -> bool:
        """Remember a place. Returns whether it is new."""
        number, at = divmod(place.offset, self._BLOCK)
        block = self._blocks.setdefault(
            (place.topic, place.topic_id, place.partition, place.number, number), bytearray(self._BLOCK // 8)
        )
        byte, bit = at >> 3, 1 << (at & 7)
        new = not block[byte] & bit
        block[byte] |= bit
        return new
