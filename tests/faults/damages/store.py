"""A store in memory with the verbs of S3Store, and a way to look at it and to break it: what is there, and since when.

It answers at once. It fails if a test says so. Several buckets, ETags as S3 makes them, and a clock that the test sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from pipeline.connectors.s3.listing import Upload
from pipeline.connectors.s3.store import Head
from pipeline.errors import OperatorError
from pipeline.upload.headers import METADATA_PREFIX

BEGIN: Final = datetime(2026, 1, 1, tzinfo=UTC)
KEYS_A_PAGE: Final = 100


@dataclass(frozen=True)
class Stored:
    """An object. `metadata` without its prefix."""

    body: bytes
    metadata: Mapping[str, str]
    modified: datetime

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class MemoryStore:
    """Objects by bucket and key."""

    objects: dict[tuple[str, str], Stored] = field(default_factory=dict)
    now: datetime = BEGIN
    removed: list[str] = field(default_factory=list)
    archived: set[str] = field(default_factory=set)  # keys whose content it does not give
    away: bool = False

    # --- What a damage needs

    def place(self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Put an object there, as another program would, long after everything else."""
        self.objects[bucket, key] = Stored(body, dict(metadata), BEGIN + timedelta(hours=1))

    # --- The verbs

    async def conditional(self, bucket: str) -> bool:
        return True

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str:
        metadata = {
            name.removeprefix(METADATA_PREFIX): value
            for name, value in headers.items()
            if name.startswith(METADATA_PREFIX)
        }
        found = self.objects[bucket, key] = Stored(body, metadata, self.now)
        return found.etag

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        return None if (bucket, key) in self.objects else await self.put(bucket, key, body, headers)

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        there = self.objects.get((bucket, key))
        return await self.put(bucket, key, body, headers) if there and there.etag == etag else None

    async def head(self, bucket: str, key: str) -> Head | None:
        found = self.objects.get((bucket, key))
        return Head(len(found.body), found.etag, found.metadata, found.modified) if found else None

    async def get(self, bucket: str, key: str) -> bytes | None:
        if key in self.archived:
            raise OperatorError(f"GET {bucket}/{key}: 403 InvalidObjectState", reason="InvalidObjectState")
        found = self.objects.get((bucket, key))
        return found.body if found else None

    async def delete(self, bucket: str, key: str) -> None:
        self.removed.append(key)
        self.objects.pop((bucket, key), None)

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        if self.away:
            raise OperatorError(f"LIST {bucket}: 403 AccessDenied", reason="AccessDenied")
        found = sorted(key for place, key in self.objects if place == bucket and key.startswith(prefix) and key > after)
        return found[:KEYS_A_PAGE], len(found) > KEYS_A_PAGE

    async def keys(self, bucket: str, prefix: str, *, after: str = "") -> AsyncIterator[str]:
        for key in sorted(
            key for place, key in self.objects if place == bucket and key.startswith(prefix) and key > after
        ):
            yield key

    async def uploads(self, bucket: str, prefix: str) -> list[Upload]:
        return []

    async def abort(self, bucket: str, upload: Upload) -> None:
        raise AssertionError("there is no upload to abort")
