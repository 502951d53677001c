"""The objects of an action: pages of a folder, one object with its place in the ledger, its first rows, its content."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Final
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from pipeline.config import AggregatedParameters, Config
from pipeline.connectors.s3.store import Head
from pipeline.errors import LaneError
from pipeline.upload import ledger
from pipeline.upload.ledger import Entry
from pipeline.upload.object_check import marks_of
from pipeline.web.answers import Json
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, raw, told
from pipeline.web.evidence import preview
from pipeline.web.evidence.bucket import ActionBucket, facts, opened
from pipeline.web.evidence.ledger import page as ledger_page
from pipeline.web.evidence.ledger import shown
from pipeline.web.evidence.shapes.objects import ObjectDetails

router = APIRouter(tags=["objects"])
LIMIT_MAX: Final = 1_000
ENTRIES_MAX: Final = 200

ActionId = Annotated[str, Query(description="The action, as s3:name.")]
Key = Annotated[str, Query(max_length=1024)]
Bucket = Annotated[str, Query(description="Only for an action whose rows decide the bucket.")]


@router.get("/objects", responses=told(200, "ObjectPage") | errors(400, 404, 503))
async def list_objects(
    desk: Desk,
    action: ActionId,
    prefix: str | None = None,
    bucket: Bucket = "",
    token: str = "",
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 200,
) -> Response:
    """The folders and objects below `prefix` (default: where the keys of the action begin).

    `next` is the `token` of the next page."""
    async with opened(desk.log.snapshot.config, action, bucket) as found:
        return Json(await found.page(found.prefix if prefix is None else prefix, token, limit))


@router.get("/objects/facts", responses=told(200, "ObjectDetails") | errors(400, 404, 503))
async def object_facts(desk: Desk, action: ActionId, key: Key, bucket: Bucket = "") -> Response:
    """One object: size and time, its offsets, revision and rules, and the entry of the ledger that names it."""
    config = desk.log.snapshot.config
    async with opened(config, action, bucket) as found:
        head = await found.head(key)
        entry, problem = await _entry(desk, config, found, head)
        named = next((each for each in entry.objects if each.key == key), None) if entry else None
        answer: ObjectDetails = {
            **facts(found, key, head),
            "rules": await _rules(found, head),
            "entry": shown(entry) if entry else None,
            "named": named is not None,
            "unchanged": named.etag == head.etag if named else None,
            "ledger_problem": problem,
        }
        return Json(answer)


async def _entry(desk: Services, config: Config, found: ActionBucket, head: Head) -> tuple[Entry | None, str]:
    """The entry over an object, and the reason why there is none."""
    written = marks_of(head.metadata)
    if written is None:
        return None, ""
    try:
        return await desk.operator.entry_over(config, found.name, found.store, written), ""
    except LaneError as error:
        return None, str(error)


async def _rules(found: ActionBucket, head: Head) -> dict[str, str] | None:
    """The rules that made an aggregated object, as the text of its version beside the ledger has them."""
    parameters, digest = found.action.parameters, head.metadata.get("tidegate-version", "")
    written = marks_of(head.metadata)
    if written is None or not isinstance(parameters, AggregatedParameters) or not digest.isalnum():
        return None
    text = await found.store.get(parameters.home, ledger.version_key(written.chain.action, digest))
    try:
        rules = orjson.loads(text or b"")["rules"]
    except (ValueError, KeyError, TypeError):
        return None
    return rules if isinstance(rules, dict) else None


@router.get("/objects/preview", responses=told(200, "ObjectPreview") | errors(400, 404, 503))
async def object_preview(desk: Desk, action: ActionId, key: Key, bucket: Bucket = "") -> Response:
    """The first rows of JSON Lines, CSV or Parquet, also compressed, and the beginning of the text."""
    async with opened(desk.log.snapshot.config, action, bucket) as found:
        head = await found.head(key)
        size = head.size_bytes
        content = await found.store.part(found.bucket, key, 0, min(size, preview.READ_BYTES)) if size else b""
        content = content or b""
        if preview.is_parquet(content) and len(content) < size <= preview.WHOLE_BYTES_MAX:
            content = await found.store.get(found.bucket, key) or b""
    whole = len(content) == size
    return Json(await asyncio.to_thread(preview.preview, content, whole=whole, content_type=head.content_type))


@router.get(
    "/objects/content",
    responses=raw("application/octet-stream", "The bytes.") | errors(400, 404, 503),
)
async def object_content(desk: Desk, action: ActionId, key: Key, bucket: Bucket = "") -> Response:
    """The whole content, as a file to save."""
    stack = AsyncExitStack()
    try:
        found = await stack.enter_async_context(opened(desk.log.snapshot.config, action, bucket))
        head = await found.head(key)
    except BaseException:
        await stack.aclose()
        raise

    async def parts() -> AsyncIterator[bytes]:
        async with stack:
            async for part in found.content(key, head):
                yield part

    # Always a file to save, whatever the bytes are: never a page of this address.
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(key.rpartition('/')[2] or 'object', safe='')}",
        "content-length": str(head.size_bytes),
    }
    return StreamingResponse(parts(), media_type="application/octet-stream", headers=headers)


@router.get("/ledger", responses=told(200, "LedgerPage") | errors(400, 404, 503))
async def list_entries(
    desk: Desk,
    action: ActionId,
    partition: Annotated[int, Query(ge=0, lt=1 << 31)],
    topic: Annotated[str | None, Query(max_length=249)] = None,
    before: Annotated[
        int | None, Query(ge=0, lt=1 << 62, description="An offset: entries that begin before it.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=ENTRIES_MAX)] = 50,
) -> Response:
    """The entries of the ledger of one partition, the newest first. `before` of the answer is that of the next page."""
    return Json(await ledger_page(desk.log.snapshot.config, action, partition, topic, before, limit))
