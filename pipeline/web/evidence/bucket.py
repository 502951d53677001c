"""The objects of one action in its bucket: pages of a folder, the facts of an object, and parts of its content.

The bucket is the action's. If rows decide it, the caller names one, which must fit the template. Our own keys (`_tidegate/`) are
not shown, because the routes of the proof read them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from pipeline.config import AggregatedParameters, Config, S3Action
from pipeline.connectors.s3.listing import ListedObject
from pipeline.connectors.s3.store import Head, S3Store
from pipeline.errors import NotFoundError
from pipeline.template.object_key import key_pattern, literal_prefix
from pipeline.template.object_names import ROOT
from pipeline.upload.object_check import marks_of
from pipeline.upload.row_place import place_of
from pipeline.web.answers import RequestError
from pipeline.web.evidence.shapes.objects import FolderObject, ObjectHead, ObjectPage, RowsFrom
from pipeline.web.objects.kinds import KINDS

PART_BYTES: Final = 8 << 20  # of a download, in one request to the store


class ActionBucket:
    """An open bucket of an action."""

    def __init__(self, name: str, action: S3Action, bucket: str, store: S3Store) -> None:
        self.name = name
        self.action = action
        self.bucket = bucket
        self.store = store

    @property
    def prefix(self) -> str:
        """The folder in which the keys of the action begin."""
        return literal_prefix(self.action.parameters.key).rpartition("/")[0] + "/" if self._has_folder else ""

    @property
    def _has_folder(self) -> bool:
        return "/" in literal_prefix(self.action.parameters.key)

    async def page(self, prefix: str, token: str, count: int) -> ObjectPage:
        """One page of a folder: the folders and objects in it."""
        found = await self.store.folder(self.bucket, prefix, token=token, count=count)
        return {
            "bucket": self.bucket,
            "prefix": prefix,
            "folders": [each for each in found.folders if not _is_own(each)],
            "objects": [_listed(each) for each in found.objects if not _is_own(each.key)],
            "next": found.following,
        }

    async def head(self, key: str) -> Head:
        """What the store says of an object. Raises NotFoundError."""
        found = None if _is_own(key) else await self.store.head(self.bucket, key)
        if found is None:
            raise NotFoundError(f"no object {key[:1024]!r} in {self.bucket}")
        return found

    async def content(self, key: str, head: Head) -> AsyncIterator[bytes]:
        """The whole content, part by part."""
        for first in range(0, head.size_bytes, PART_BYTES):
            part = await self.store.part(self.bucket, key, first, min(PART_BYTES, head.size_bytes - first))
            if not part:
                return  # it was deleted meanwhile: the client sees that bytes are missing
            yield part


@asynccontextmanager
async def opened(config: Config, id: str, bucket: str) -> AsyncIterator[ActionBucket]:
    """The bucket of an action, by its id. Raises NotFoundError, RequestError or ConfigError."""
    named = KINDS["actions"].found(config, id)
    action = named.section
    assert isinstance(action, S3Action)
    store = S3Store(config.connectors.s3[action.connector])  # before the block, so that its errors are the caller's
    async with store:
        yield ActionBucket(named.name, action, _bucket_of(action, bucket), store)


def _bucket_of(action: S3Action, asked: str) -> str:
    template = action.parameters.bucket
    if "${" not in template:
        if asked not in ("", template):
            raise RequestError("BAD_REQUEST", f"expected the bucket of the action, {template!r}, or none")
        return template
    if not asked:
        raise RequestError("BAD_REQUEST", f"rows decide the bucket ({template}): say which one with `bucket`")
    if not key_pattern(template).fullmatch(asked):
        raise RequestError("BAD_REQUEST", f"expected a bucket that fits {template!r}, found {asked[:80]!r}")
    return asked


def _is_own(key: str) -> bool:
    return key.lower().startswith(f"{ROOT}/")


def _listed(found: ListedObject) -> FolderObject:
    return {"key": found.key, "size": found.size_bytes, "modified": found.modified}


def facts(opened: ActionBucket, key: str, head: Head) -> ObjectHead:
    """What the store and the object's own metadata say of an object. Unknown facts are null."""
    metadata = head.metadata
    return {
        "bucket": opened.bucket,
        "key": key,
        "size": head.size_bytes,
        "modified": head.modified.isoformat(),
        "etag": head.etag,
        "content_type": head.content_type,
        "version": metadata.get("tidegate-version"),
        "revision": _number(metadata.get("tidegate-revision")),
        "sha256": metadata.get("tidegate-sha256"),
        "rows": _number(metadata.get("tidegate-rows")),
        **_place(opened.action, head),
    }


def _place(action: S3Action, head: Head) -> RowsFrom:
    if isinstance(action.parameters, AggregatedParameters):
        written = marks_of(head.metadata)
        if written is None:
            return {"topic": None, "partition": None, "first": None, "last": None}
        chain = written.chain
        return {"topic": chain.topic, "partition": chain.partition, "first": written.first, "last": written.last}
    row = place_of(head.metadata)
    if row is None:
        return {"topic": None, "partition": None, "first": None, "last": None}
    return {"topic": row.topic, "partition": row.partition, "first": row.offset, "last": row.offset}


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
