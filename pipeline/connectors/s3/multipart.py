"""Uploads one object in several parts: begins, puts the parts side by side, completes, and aborts after a failure.

This file knows the requests of such an upload. It does not know signing, connections or retries: a request is a function that
the store gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from typing import Final, Literal, Protocol

from pipeline.connectors.s3.documents import completion, read
from pipeline.connectors.s3.errors import classify, describe
from pipeline.connectors.s3.http.answers import Answer
from pipeline.errors import ConnectorError, RetryableError

PARTS_AT_ONCE_MAX: Final = 4
ABORT_AGAIN_SECONDS: Final = 1.0
PARTS_MAX: Final = 10_000  # parts of one object, by S3's rule


# The kind of a request, which decides the connector's headers in it: a new object has all of them.
Kind = Literal["object", "part", "other"]


class Request(Protocol):
    """One request about the object. It raises the ConnectorError for its answer."""

    def __call__(
        self, method: str, *, body: bytes, headers: Mapping[str, str], query: Mapping[str, str], kind: Kind = "other"
    ) -> Awaitable[Answer]: ...


def part_size(size_bytes: int, least: int, most: int) -> int:
    """The size of an object's parts: `least`, or more (up to `most`) if the object would have too many parts."""
    return min(most, max(least, -(-size_bytes // PARTS_MAX)))


async def create_in_parts(
    request: Request, body: bytes, headers: Mapping[str, str], condition: Mapping[str, str], part_bytes: int
) -> str:
    """Upload `body` in parts of `part_bytes`, and complete it under `condition`. Returns its ETag."""
    begun = await request("POST", body=b"", headers=headers, query={"uploads": ""}, kind="object")
    upload = read(begun.body).text("UploadId").strip()
    if not upload:
        found = begun.body[:100].decode("utf-8", "replace")
        raise RetryableError(
            f"beginning an upload in parts: expected an UploadId, found {found!r}", reason="no_upload_id"
        )
    under_way = True
    try:
        tags = await _put_parts(request, body, upload, part_bytes)
        under_way = False
        done = await request("POST", body=completion(tags), headers=condition, query={"uploadId": upload}, kind="part")
        failed = describe(done.body)
        if failed.code:  # S3 may answer 200 and fail afterwards
            raise classify(500, failed.code, failed.message, f"completing upload {upload}")
    except BaseException:
        # Also after a cancellation, because the store keeps the parts of an unfinished upload, and they cost money.
        await asyncio.shield(_abort(request, upload, again=under_way))
        raise
    return read(done.body).text("ETag").strip()


async def _abort(request: Request, upload: str, *, again: bool) -> None:
    """Abort an upload. A part under way may arrive after the abort, so `again` aborts twice."""
    for wait_seconds in (0.0, ABORT_AGAIN_SECONDS)[: 1 + again]:
        await asyncio.sleep(wait_seconds)
        with suppress(ConnectorError):
            await request("DELETE", body=b"", headers={}, query={"uploadId": upload})


async def _put_parts(request: Request, body: bytes, upload: str, part_bytes: int) -> list[str]:
    gate = asyncio.Semaphore(PARTS_AT_ONCE_MAX)

    async def put(number: int) -> str:
        async with gate:
            part = body[(number - 1) * part_bytes : number * part_bytes]
            query = {"partNumber": str(number), "uploadId": upload}
            answer = await request("PUT", body=part, headers={}, query=query, kind="part")
            return answer.headers.get("etag", "")

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(put(number)) for number in range(1, -(-len(body) // part_bytes) + 1)]
    except BaseExceptionGroup as several:  # the retry needs the type of a single error
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]
