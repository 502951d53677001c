"""An object of aggregated upload, whoever makes it: its bytes, what its metadata tells, its way into the store.

A lane makes it of new rows (aggregated.py), a replay makes it again (rewrite.py). Also the letters of an object that the store
will never take, of whose records no more is known than their places.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final, TypeVar

from agents.sinks.chain import AggregatedWriter
from agents.sinks.lane import Partition
from pipeline.action import AggregatedAction
from pipeline.connectors.s3.errors import REFUSED_KEYS
from pipeline.connectors.s3.multipart import part_size
from pipeline.connectors.s3.store import Head
from pipeline.dead_letter import VALUE_LEFT_OUT
from pipeline.errors import ForeignObjectError, OperatorError, RefusedError
from pipeline.record import Record
from pipeline.rule import DeadLetter
from pipeline.upload.buffer import Chunk
from pipeline.upload.headers import METADATA_PREFIX

# Encoding more than this is done in a thread, which compression does not share the interpreter with.
ENCODE_INLINE_BYTES_MAX: Final = 64 << 10

Result = TypeVar("Result")


def object_headers(
    writer: AggregatedWriter,
    version: AggregatedAction,
    partition: Partition,
    chunk: Chunk,
    rows: int,
    digest: str,
    epoch: int,
) -> dict[str, str]:
    """Headers of the object of a chunk's first `rows` rows, whose digest is `digest`."""
    return {
        **version.headers,
        f"{METADATA_PREFIX}tidegate-action": writer.name,
        f"{METADATA_PREFIX}tidegate-place": f"{partition.topic}/{partition.partition}/{chunk.first}",
        f"{METADATA_PREFIX}tidegate-epoch": str(epoch),
        f"{METADATA_PREFIX}tidegate-rows": str(rows),
        f"{METADATA_PREFIX}tidegate-last": str(chunk.offsets[rows - 1]),
        f"{METADATA_PREFIX}tidegate-digest": digest,
        f"{METADATA_PREFIX}tidegate-version": version.digest,
    }


def facts(head: Head, key: str) -> tuple[int, int, str]:
    """Rows, last offset and digest that an object's metadata tells."""
    try:
        return (
            int(head.metadata["tidegate-rows"]),
            int(head.metadata["tidegate-last"]),
            head.metadata["tidegate-digest"],
        )
    except (KeyError, ValueError) as error:
        raise ForeignObjectError(f"{key} is there and is not ours: its metadata lacks {error}") from None


async def encoded(version: AggregatedAction, data: bytes) -> bytes:
    """The object's bytes of these rows."""
    encode = version.container.encode
    return encode(data) if len(data) <= ENCODE_INLINE_BYTES_MAX else await asyncio.to_thread(encode, data)


async def create(
    writer: AggregatedWriter, version: AggregatedAction, bucket: str, key: str, body: bytes, headers: Mapping[str, str]
) -> str | None:
    """Create an object, in parts if it is large; its ETag, or None if its key is taken. Raises RefusedError for its key alone."""
    parameters = writer.action.parameters
    part_bytes = part_size(len(body), parameters.min_part_size, parameters.max_part_size)
    return await writer.attempts.until_done(
        lambda: waiting_for_settings(writer.store.create(bucket, key, body, headers, part_bytes=part_bytes), version)
    )


async def waiting_for_settings(request: Awaitable[Result], version: AggregatedAction) -> Result:
    """What a request answers. A refusal that is not the fault of rows, whose fields make the key, waits for a person."""
    try:
        return await request
    except RefusedError as error:
        if error.reason in REFUSED_KEYS and version.key.of_rows:
            raise
        raise OperatorError(str(error), reason=error.reason) from error


def letters(partition: Partition, offsets: Sequence[int], error: RefusedError) -> list[DeadLetter]:
    """Dead letters of records that are only lines by now: each names its record's place, where the rest is."""
    now_ms = time.time_ns() // 1_000_000
    left_out = [(VALUE_LEFT_OUT, b"1")]
    return [
        DeadLetter(Record(*partition, offset, now_ms, b"", b"", left_out), error.reason, str(error))
        for offset in offsets
    ]
