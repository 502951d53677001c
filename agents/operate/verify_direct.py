"""`tidegate verify` of a direct action: checks what the bucket alone can prove, because direct upload has no ledger.

Each object under the action's keys names its row, its size and its digest, under a seal of its key. This proves that no
row is in two objects, and that no object was exchanged, renamed or cut short. `deep` also proves that its bytes are
unchanged. It cannot prove which rows should exist: a filtered row, a row that a later row of the same key replaced, and
a deleted row look the same. `UNPROVEN` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from agents.operate.reading import look, read
from agents.sinks.patient_store import REQUESTS_AT_ONCE_MAX, FewAttempts, PatientStore
from pipeline.config import DirectParameters
from pipeline.connectors.s3.store import Head, S3Store
from pipeline.template.object_key import fixed_folder, key_pattern
from pipeline.upload import direct_object, ledger, seal
from pipeline.upload.direct_object import SeenRows
from pipeline.upload.ledger_check import Finding
from pipeline.upload.row_place import ACTION, place_of

UNPROVEN: Final = (
    "direct upload keeps no ledger: that no object is missing cannot be proven from the bucket; that is the committed offset's, "
    "which moves only past rows that S3 has confirmed"
)
CONFLATED: Final = "the action has conflate: a row for whose key a newer row waited was never written"
OF_MANY_BUCKETS: Final = "the bucket is a template, so nothing tells which buckets to look at"


@dataclass(frozen=True, slots=True)
class Note:
    """A fact for the reader that is not a finding."""

    text: str


@dataclass
class Foreign:
    """Objects below one prefix that have no mark of an action."""

    key: str = ""
    objects: int = 0

    def add(self, key: str) -> None:
        """Add an object."""
        self.key = self.key or key
        self.objects += 1

    def note(self, prefix: str) -> Note:
        """The remark about them."""
        return Note(
            f"{self.objects} objects below {prefix} are not of this action, the first is {self.key}: "
            "a reader of everything below this prefix reads them too"
        )


@dataclass(frozen=True, slots=True)
class DirectDone:
    """All objects under the keys of a direct action were checked. `unmarked` counts objects without metadata of ours."""

    objects: int
    size_bytes: int
    unmarked: int


@dataclass
class DirectVerifier:
    """Verifies one direct action. `mark` is the mark of its objects. Call `reports` once."""

    mark: str
    parameters: DirectParameters
    store: S3Store
    partitions: frozenset[int] = frozenset()  # empty: all
    deep: bool = False

    def __post_init__(self) -> None:
        self._store = PatientStore(self.store, FewAttempts())
        self._places = SeenRows()
        self._pattern, self._prefix = key_pattern(self.parameters.key), fixed_folder(self.parameters.key)
        self._foreign = Foreign()
        self._objects = self._bytes = self._unmarked = 0

    async def reports(self) -> AsyncIterator[Finding | DirectDone | Note]:
        """All findings and totals, as soon as they are found. Raises a ConnectorError if the bucket cannot be read."""
        if "${" in self.parameters.bucket:
            yield Note(OF_MANY_BUCKETS)
            return
        batch = list[str]()
        async for key in self._store.keys(self.parameters.bucket, self._prefix):
            if (self._prefix or self._pattern.fullmatch(key)) and not key.startswith(f"{ledger.ROOT}/"):
                batch.append(key)
            if len(batch) >= REQUESTS_AT_ONCE_MAX:
                for finding in await self._batch(batch):
                    yield finding
                batch = []
        for finding in await self._batch(batch):
            yield finding
        yield DirectDone(self._objects, self._bytes, self._unmarked)
        if self._foreign.objects:
            yield self._foreign.note(self._prefix)
        if self._unmarked and not self._prefix:
            yield Note(
                f"{self._unmarked} objects say nothing of themselves; the key has no prefix of its own, so they may be anybody's"
            )
        if self.parameters.conflate:
            yield Note(CONFLATED)
        yield Note(UNPROVEN)

    async def _batch(self, keys: list[str]) -> list[Finding]:
        heads = await asyncio.gather(*[look(self._store, self.parameters.bucket, key) for key in keys])
        there = [(key, head) for key, head in zip(keys, heads, strict=True) if isinstance(head, Head)]
        found = [head for head in heads if isinstance(head, Finding)]
        found += [finding for key, head in there for finding in self._judge(key, head)]
        if self.deep:
            contents = await asyncio.gather(*[self._content(key, head) for key, head in there])
            found += [finding for finding in contents if finding is not None]
        return found

    def _judge(self, key: str, head: Head) -> list[Finding]:
        """Check one object by its metadata."""
        owner = head.metadata.get(ACTION)
        if owner not in (None, self.mark) and seal.is_whole(key, head.metadata):
            return []  # an object of another action under the same keys
        place = place_of(head.metadata)
        if owner is None or place is None:
            return self._unmarked_finding(key, head)
        if self.partitions and place.partition not in self.partitions:
            return []
        self._objects += 1
        self._bytes += head.size_bytes
        found = [Finding("different", key, text) for text in direct_object.wrongs(key, head.size_bytes, head.metadata)]
        if not self._places.add(place):
            where = f"{place.topic}/{place.partition}, offset {place.offset}"
            found.append(Finding("twice", key, f"it holds a row of {where}, and so does another object of this action"))
        return found

    def _unmarked_finding(self, key: str, head: Head) -> list[Finding]:
        if not self._pattern.fullmatch(key):
            if head.size_bytes:
                self._foreign.add(key)
            return []
        self._unmarked += 1
        if not self._prefix:
            return []
        return [Finding("unmarked", key, "its metadata was lost, or it is not of this action")]

    async def _content(self, key: str, head: Head) -> Finding | None:
        if head.metadata.get(ACTION) != self.mark:
            return None
        content, unread = await read(self._store, self.parameters.bucket, key)
        if unread:
            return unread[0]
        text = direct_object.content_wrong(content, head.metadata) if content is not None else None
        return Finding("different", key, text) if text else None
