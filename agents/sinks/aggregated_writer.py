"""What the lanes and replays of one aggregated action share: its objects, and their way into the store.

A lane makes an object of new rows (aggregated.py), a replay makes it again (agents/operate/replay_in_place.py). The dead letters
of an object that the store will never take are here too: its rows are encoded by now, and of their records only the places are
known.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from agents.lanes.kafka_log import KafkaLog
from agents.sinks.dead_letter import DeadLetterSink
from agents.sinks.lane import Partition
from agents.sinks.patient_store import PatientStore
from agents.sinks.suspect import RowParts
from pipeline.action import AggregatedAction
from pipeline.connectors.s3.multipart import part_size
from pipeline.connectors.s3.store import Head
from pipeline.dead_letter import VALUE_LEFT_OUT
from pipeline.errors import ForeignObjectError, RefusedError
from pipeline.record import Record
from pipeline.rule import DeadLetter
from pipeline.upload import seal
from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.ledger import ChainPlace, StoredObject
from pipeline.upload.object_check import Named

# Encoding more than this is done in a thread, which compression does not share the interpreter with.
ENCODE_INLINE_BYTES_MAX: Final = 64 << 10


class ObjectFacts(NamedTuple):
    """What is known of an object: of its rows (`last` is the offset of the last one) and of its bytes as they are stored.

    Nothing is known of bytes before they are encoded, nor of the ETag before S3 has told it.
    """

    rows: int
    last: int
    digest: str
    sha256: str = ""
    size: int = 0
    etag: str = ""

    def stored(self, key: str, first: int, bucket: str) -> StoredObject:
        """The object as an entry names it. `first`: the offset of its first row."""
        return StoredObject(key, self.rows, first, self.last, self.digest, self.sha256, self.size, self.etag, bucket)


@dataclass(frozen=True, slots=True)
class AggregatedWriter:
    """What the lanes of one aggregated action write with. `name` is the action's in its ledger: a replay has one of its own.

    An object is of a *version*, the action as it is or as it was when the cut was begun.
    """

    name: str
    action: AggregatedAction
    store: PatientStore
    dead_letters: DeadLetterSink
    kafka: KafkaLog
    name_run: Callable[[], str] = lambda: secrets.token_hex(8)  # of a lane's life, unlike all others

    @property
    def bucket(self) -> str:
        """The bucket of the ledger, and of objects that name no other."""
        return self.action.parameters.home

    def object_headers(
        self, version: AggregatedAction, place: ChainPlace, first: int, facts: ObjectFacts, epoch: int
    ) -> dict[str, str]:
        """Headers of an object whose first row came from offset `first` of this chain."""
        named = Named(facts.stored("", first, ""), place, epoch, version.digest, self.action.revision)
        return {
            **version.headers,
            **{METADATA_PREFIX + name: text for name, text in named.metadata().items()},
            f"{METADATA_PREFIX}tidegate-revision": str(named.revision),
        }

    async def create(
        self, version: AggregatedAction, bucket: str, key: str, body: bytes, headers: Mapping[str, str]
    ) -> str | None:
        """Create an object, in parts if it is large; its ETag, None if its key is taken. Raises RefusedError: see `_of_rows`."""
        parameters = self.action.parameters
        part_bytes = part_size(len(body), parameters.min_part_size, parameters.max_part_size)
        store = self._of_rows(version, bucket, len(body))
        return await store.create(bucket, key, body, seal.sealed(key, headers), part_bytes=part_bytes)

    async def put(
        self, version: AggregatedAction, bucket: str, key: str, body: bytes, headers: Mapping[str, str]
    ) -> str:
        """Write an object over the one that is there; its ETag. Raises RefusedError: see `_of_rows`."""
        store = self._of_rows(version, bucket, len(body))
        return await store.put(bucket, key, body, seal.sealed(key, headers))

    def _of_rows(self, version: AggregatedAction, bucket: str, size_bytes: int) -> PatientStore:
        """The store for an object of rows, whose fields may decide bucket and key and nothing else. What is their fault is a
        RefusedError; any other refusal is waited for, until a person has changed the settings.
        """
        decided = RowParts(version.key.of_rows, self.action.options.row_patience)
        return self.store.of_row(decided, bucket, size_bytes, self.action.ledger_headers)


def facts_of(head: Head, key: str) -> ObjectFacts:
    """What an object's metadata tells. Raises ForeignObjectError if it tells nothing of the kind."""
    found = head.metadata
    try:
        rows, last = int(found["tidegate-rows"]), int(found["tidegate-last"])
        digests = found["tidegate-digest"], found["tidegate-sha256"]
    except (KeyError, ValueError) as error:
        raise ForeignObjectError(f"{key} is there and is not ours: its metadata lacks {error}") from None
    return ObjectFacts(rows, last, *digests, head.size_bytes, head.etag)


class Encoded(NamedTuple):
    """An object's bytes, and their SHA-256."""

    body: bytes
    sha256: str


async def encoded(version: AggregatedAction, data: bytes, digest: str) -> Encoded:
    """The object's bytes of these rows, whose SHA-256 is `digest`."""

    def encode() -> Encoded:
        body = version.container.encode(data)
        return Encoded(body, digest if body == data else hashlib.sha256(body).hexdigest())

    return encode() if len(data) <= ENCODE_INLINE_BYTES_MAX else await asyncio.to_thread(encode)


def dead_letters_of(partition: Partition, offsets: Sequence[int], error: RefusedError) -> list[DeadLetter]:
    """Dead letters of records that are only lines by now: each names its record's place, where the rest is."""
    now_ms = time.time_ns() // 1_000_000
    left_out = [(VALUE_LEFT_OUT, b"1")]
    return [
        DeadLetter(Record(*partition, offset, now_ms, b"", b"", left_out), error.reason, str(error))
        for offset in offsets
    ]
