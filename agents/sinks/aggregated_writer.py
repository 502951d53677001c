"""Writes the objects of one aggregated action, for its lanes and replays.

A lane makes an object from new rows (aggregated.py), and a replay makes it again (agents/operate/replay_in_place.py). This file
also makes the dead letters of an object that the store will never accept. Its rows are encoded by then, so only the places of
their records are known.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from agents.lanes.kafka_log import KafkaLog
from agents.lanes.lane import Partition
from agents.sinks.dead_letter import DeadLetterSink
from agents.sinks.patient_store import PatientStore
from agents.sinks.suspect import RowParts
from pipeline.action import AggregatedAction
from pipeline.connectors.s3.multipart import part_size
from pipeline.connectors.s3.store import Head
from pipeline.dead_letter import VALUE_LEFT_OUT
from pipeline.errors import ForeignObjectError, RefusedError
from pipeline.formats.kept import KeptColumns
from pipeline.log import get_logger
from pipeline.record import Record
from pipeline.rule.batch import DeadLetter
from pipeline.upload import seal
from pipeline.upload.buffer import Chunk
from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.ledger import ChainPlace, StoredObject
from pipeline.upload.object_check import Named

# More bytes than this are encoded in a thread, because compression releases the interpreter.
ENCODE_INLINE_BYTES_MAX: Final = 64 << 10
NAME_CHARACTERS_MAX: Final = 80  # of a column, in the log

log: Final = get_logger("tidegate.aggregated")


class ObjectFacts(NamedTuple):
    """The facts of an object: its rows (`last` is the offset of the last one) and its stored bytes.

    The facts of the bytes are unknown before encoding, and the ETag is unknown before S3 has answered. `kept` is the number of
    kept columns with which it was made, and `columns` are those of the file, if they are inferred.
    """

    rows: int
    last: int
    digest: str
    sha256: str = ""
    size: int = 0
    etag: str = ""
    revision: int = 0
    kept: int = 0
    columns: KeptColumns = ()

    def stored(self, key: str, first: int, bucket: str) -> StoredObject:
        """The object in the form of an entry. `first`: the offset of its first row."""
        of_rows = key, self.rows, first, self.last, self.digest
        return StoredObject(*of_rows, self.sha256, self.size, self.etag, bucket, self.kept)


class Made(NamedTuple):
    """An object that is not written yet. Its ETag is unknown."""

    facts: ObjectFacts
    body: bytes
    headers: dict[str, str]


@dataclass(slots=True, eq=False)
class AggregatedWriter:
    """Writes for the lanes of one aggregated action. `name` is the action's name in its ledger; a replay has its own.

    An object has a *version*: the action as it is now, or as it was when the cut began. Another version may replace
    `action` if its ledger is in the same bucket: the lanes turn to it at their next cut.
    """

    name: str
    action: AggregatedAction
    store: PatientStore
    dead_letters: DeadLetterSink
    kafka: KafkaLog
    name_run: Callable[[], str] = lambda: secrets.token_hex(8)  # a name for one run of a lane, unlike all others
    pipelines_told: set[str] = field(default_factory=set)  # other pipelines in our ledger that the log has named
    columns_told: bool = False  # whether the log has named a column that is not kept

    @property
    def bucket(self) -> str:
        """The bucket of the ledger, and of objects without another bucket."""
        return self.action.parameters.home

    def turns(self, version: AggregatedAction, adopted: int) -> bool:
        """Whether lanes of this version turn to the action: no older rule follows an adopted object of a later revision."""
        return self.action.digest != version.digest and self.action.revision >= adopted

    def object_headers(
        self, version: AggregatedAction, place: ChainPlace, first: int, facts: ObjectFacts, epoch: int
    ) -> dict[str, str]:
        """The headers of an object whose first row has the offset `first` in this chain."""
        named = Named(facts.stored("", first, ""), place, epoch, version.digest, self.action.revision)
        return {
            **version.headers,
            **{METADATA_PREFIX + name: text for name, text in named.metadata().items()},
            f"{METADATA_PREFIX}tidegate-revision": str(named.revision),
        }

    async def make(
        self, version: AggregatedAction, place: ChainPlace, chunk: Chunk, epoch: int, kept: KeptColumns
    ) -> Made:
        """Make the object of a chunk in its present state, with these kept columns."""
        # The facts now, because rows may come meanwhile.
        facts = ObjectFacts(chunk.rows, chunk.last, chunk.digest(), kept=len(kept))
        body, sha256, columns = await encoded(version, bytes(chunk.data), facts.digest, kept)
        facts = facts._replace(sha256=sha256, size=len(body), columns=columns)
        return Made(facts, body, self.object_headers(version, place, chunk.first, facts, epoch))

    async def create(
        self, version: AggregatedAction, bucket: str, key: str, body: bytes, headers: Mapping[str, str]
    ) -> str | None:
        """Create an object, in parts if it is large. Returns its ETag, or None if its key exists.

        Raises RefusedError: see `_of_rows`.
        """
        parameters = self.action.parameters
        part_bytes = part_size(len(body), parameters.min_part_size, parameters.max_part_size)
        store = self._of_rows(version, bucket, len(body))
        return await store.create(bucket, key, body, seal.sealed(key, headers), part_bytes=part_bytes)

    async def put(
        self, version: AggregatedAction, bucket: str, key: str, body: bytes, headers: Mapping[str, str]
    ) -> str:
        """Write an object over the existing one. Returns its ETag. Raises RefusedError: see `_of_rows`."""
        store = self._of_rows(version, bucket, len(body))
        return await store.put(bucket, key, body, seal.sealed(key, headers))

    def tell_what_is_not_kept(self, partition: Partition, found: KeptColumns, kept: KeptColumns) -> None:
        """Say once for an action that there is no room to keep a column of its objects."""
        if self.columns_told:
            return
        names = {column.name for column in kept}
        left = next((column.name for column in found if column.name not in names), None)
        if left is None:
            return
        self.columns_told = True
        log.warning(
            "columns.too_many",
            action=self.name,
            topic=partition.topic,
            partition=partition.partition,
            kept=len(kept),
            column=left[:NAME_CHARACTERS_MAX],
            help="later objects have this column only if their rows have it, and its type may change; declare a schema, or "
            "select fewer columns in the rule",
        )

    def _of_rows(self, version: AggregatedAction, bucket: str, size_bytes: int) -> PatientStore:
        """The store for an object of rows. Their fields may decide only bucket and key. A refusal because of these is a
        RefusedError. After any other refusal it waits until a person has changed the settings.
        """
        decided = RowParts(version.key.of_rows, self.action.options.row_patience)
        return self.store.of_row(decided, bucket, size_bytes, self.action.ledger_headers)


def facts_of(head: Head, key: str) -> ObjectFacts:
    """The facts in an object's metadata. Raises ForeignObjectError if they are missing."""
    found = head.metadata
    try:
        rows, last = int(found["tidegate-rows"]), int(found["tidegate-last"])
        digests = found["tidegate-digest"], found["tidegate-sha256"]
    except (KeyError, ValueError) as error:
        raise ForeignObjectError(f"{key} exists and is not ours: its metadata lacks {error}") from None
    revision, kept = (_number(found.get(name, "")) for name in ("tidegate-revision", "tidegate-columns"))
    return ObjectFacts(rows, last, *digests, head.size_bytes, head.etag, revision, kept)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


class Encoded(NamedTuple):
    """The bytes of an object, their SHA-256, and the columns of the file, if they are inferred."""

    body: bytes
    sha256: str
    columns: KeptColumns


async def encoded(version: AggregatedAction, data: bytes, digest: str, kept: KeptColumns) -> Encoded:
    """Encode rows, whose SHA-256 is `digest`, into the bytes of an object."""

    def encode() -> Encoded:
        inference = version.container.inference
        if inference is None:
            body = version.container.encode(data)
            return Encoded(body, digest if body == data else hashlib.sha256(body).hexdigest(), ())
        columns = inference.columns(data, kept)
        body = inference.encode(data, columns)
        return Encoded(body, hashlib.sha256(body).hexdigest(), columns)

    return encode() if len(data) <= ENCODE_INLINE_BYTES_MAX else await asyncio.to_thread(encode)


async def columns_of(version: AggregatedAction, chunk: Chunk, rows: int, kept: KeptColumns) -> KeptColumns:
    """The columns of an object that another writer made of the first rows of a chunk, with these kept columns."""
    inference = version.container.inference
    if inference is None:
        return ()
    data = bytes(memoryview(chunk.data)[: chunk.begin_of(rows)])
    if len(data) <= ENCODE_INLINE_BYTES_MAX:
        return inference.columns(data, kept)
    return await asyncio.to_thread(inference.columns, data, kept)


def dead_letters_of(partition: Partition, offsets: Sequence[int], error: RefusedError) -> list[DeadLetter]:
    """Dead letters of records whose rows are only lines by now. Each names the place of its record, which has the rest."""
    now_ms = time.time_ns() // 1_000_000
    left_out = [(VALUE_LEFT_OUT, b"1")]
    return [
        DeadLetter(Record(*partition, offset, now_ms, b"", b"", left_out), error.reason, str(error))
        for offset in offsets
    ]
