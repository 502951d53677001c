"""`tidegate verify`: proves from the bucket alone that each offset of an aggregated action was read once and each row is there.

1. Each partition's ledger is read in order, and each entry checked against the one before (pipeline/upload/ledger_check.py).
2. Each object that an entry names is asked for, and its metadata compared; `deep` reads it and hashes its rows again.
3. The bucket is listed for objects of this action that no entry names: what a frozen worker left behind when it woke up. They
   do no harm, and whoever reads the bucket with a wildcard would read rows twice; `sweep` removes them. Sweeping also aborts
   multipart uploads that have been under way for a day: a worker that was killed could not.

Findings and totals come as they are found. Memory: eight bytes for each object that the ledger names, some objects in flight.
Kafka is not asked, so this works from anywhere, also when the topic is gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, Final, NamedTuple

import orjson

from agents.sinks.patient_store import REQUESTS_AT_ONCE_MAX, FewAttempts, PatientStore
from pipeline.config import AggregatedParameters
from pipeline.connectors.s3.store import S3Store
from pipeline.formats import read_rows
from pipeline.template.object_key import key_pattern, literal_prefix
from pipeline.upload import ledger, ledger_check
from pipeline.upload.ledger import ChainPlace, StoredObject
from pipeline.upload.ledger_check import ChainCheck, Finding, Totals

ABANDONED: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PartitionDone:
    """A partition's ledger has been read: offsets `first` up to but not including `next`."""

    topic: str
    partition: int
    first: int | None
    next: int | None
    totals: Totals


@dataclass(frozen=True, slots=True)
class Swept:
    """Something was removed: an orphan, or an upload that nobody would have completed."""

    key: str
    what: str


class ObjectPlace(NamedTuple):
    """Where an object's rows come from, and the epoch in its key."""

    chain: ChainPlace
    first: int
    epoch: int


Report = Finding | PartitionDone | Swept


@dataclass
class Verifier:
    """One aggregated action. `reports` may be asked once."""

    action: str
    parameters: AggregatedParameters
    store: S3Store
    partitions: frozenset[int] = frozenset()  # all when empty
    deep: bool = False
    sweep: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _chains: dict[ChainPlace, ChainCheck] = field(default_factory=dict)
    _named: set[bytes] = field(default_factory=set)
    _buckets: set[str] = field(default_factory=set)  # those that entries name beside the ledger's
    _versions: dict[str, dict[str, Any] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._store = PatientStore(self.store, FewAttempts())  # a proof that ends half-way proves nothing

    async def reports(self) -> AsyncIterator[Report]:
        """Everything that is found, as it is found. Raises a ConnectorError when the bucket cannot be read."""
        async for place, keys in self._ledgers():
            if not self.partitions or place.partition in self.partitions:
                async for report in self._ledger(place, keys):
                    yield report
        async for report in self._unnamed():
            yield report
        if self.sweep:
            async for swept in self._abandoned():
                yield swept

    # --- 1. Ledgers

    async def _ledgers(self) -> AsyncIterator[tuple[ChainPlace, list[str]]]:
        """The keys of each chain of the ledger, in order, the beginning last."""
        current, keys = None, list[str]()
        async for key in self._store.keys(self.parameters.home, ledger.action_prefix(self.action)):
            place = ledger.place_of(key)
            if place is None:
                continue  # the texts of versions
            if place != current:
                if current is not None:
                    yield current, keys
                current, keys = place, []
            keys.append(key)
        if current is not None:
            yield current, keys

    async def _ledger(self, place: ChainPlace, keys: list[str]) -> AsyncIterator[Report]:
        chain = self._chains[place] = ChainCheck()
        start = ledger.start_key(place)
        for finding in chain.begin(start, await self._get(start)):
            yield finding
        entries = [key for key in keys if key != start]
        for begin in range(0, len(entries), REQUESTS_AT_ONCE_MAX):
            some = entries[begin : begin + REQUESTS_AT_ONCE_MAX]
            contents = await asyncio.gather(*[self._get(key) for key in some])
            objects: list[tuple[StoredObject, str]] = []
            for key, content in zip(some, contents, strict=True):
                entry, findings = chain.feed(key, content)
                for finding in findings:
                    yield finding
                if entry is not None:
                    objects += [(each, entry.version) for each in entry.objects]
                    for missing in await self._version_findings(key, {entry.version, entry.next_version}):
                        yield missing
            for finding in await self._object_findings(objects):
                yield finding
        end = chain.end.first if chain.end else None
        yield PartitionDone(place.topic, place.partition, chain.first, end, chain.totals)

    async def _version_findings(self, entry_key: str, digests: set[str]) -> list[Finding]:
        found = []
        for digest in digests - self._versions.keys():
            text = await self._get(ledger.version_key(self.action, digest))
            good = text is not None and hashlib.sha256(text).hexdigest() == digest
            self._versions[digest] = orjson.loads(text) if text is not None and good else None
            if not good:
                state = "is not there" if text is None else "was changed"
                key = ledger.version_key(self.action, digest)
                found.append(Finding("unknown_version", key, f"named by {entry_key}, and its text {state}"))
        return found

    # --- 2. Objects

    async def _object_findings(self, objects: list[tuple[StoredObject, str]]) -> list[Finding]:
        self._buckets.update(each.bucket for each, _ in objects if each.bucket)
        self._named.update(_short(self._bucket(each), each.key) for each, _ in objects)
        found = await asyncio.gather(*[self._check(each, version) for each, version in objects])
        return [finding for findings in found for finding in findings]

    async def _check(self, stored: StoredObject, version: str) -> list[Finding]:
        """One object that an entry names: its metadata and, when deep, its rows."""
        head = await self._store.head(self._bucket(stored), stored.key)
        found = ledger_check.object_findings(stored, head.metadata if head else None)
        settings = self._versions.get(version)
        if head is None or not self.deep or settings is None:
            return found
        content = await self._get(stored.key, self._bucket(stored))
        try:
            rows, digest = await asyncio.to_thread(read_rows, content or b"", settings["parameters"])
        except ValueError as error:
            return [*found, Finding("different", stored.key, f"it cannot be read: {error}")]
        wrong = ledger_check.content_finding(stored, rows, digest)
        return [*found, wrong] if wrong else found

    # --- 3. What no entry names

    async def _unnamed(self) -> AsyncIterator[Report]:
        """Orphans of this action. Objects of others under the same prefix are none of our business."""
        pattern = self._patterns()
        for bucket in self._data_buckets():
            batch: list[str] = []
            for prefix in sorted({literal_prefix(text) for text in pattern}):
                async for key in self._store.keys(bucket, prefix):
                    if key.startswith(f"{ledger.ROOT}/") or _short(bucket, key) in self._named:
                        continue
                    if any(each.fullmatch(key) for each in pattern.values()):
                        batch.append(key)
                    if len(batch) >= REQUESTS_AT_ONCE_MAX:
                        for report in await self._orphans(bucket, batch):
                            yield report
                        batch = []
            for report in await self._orphans(bucket, batch):
                yield report

    def _data_buckets(self) -> list[str]:
        """Where objects of this action can be: its bucket and, if that is a template, those that the ledger names."""
        known = set() if "${" in self.parameters.bucket else {self.parameters.bucket}
        return sorted(known | self._buckets)

    def _patterns(self) -> dict[str, re.Pattern[str]]:
        """What keys of this action look like, by the template: the present one, and those of all versions seen."""
        texts = {self.parameters.key}
        texts |= {settings["parameters"]["key"] for settings in self._versions.values() if settings}
        return {text: key_pattern(text) for text in texts}

    async def _orphans(self, bucket: str, keys: list[str]) -> list[Report]:
        heads = await asyncio.gather(*[self._store.head(bucket, key) for key in keys])
        reports: list[Report] = []
        for key, head in zip(keys, heads, strict=True):
            place = _place(head.metadata) if head else None
            if head is None or place is None or head.metadata.get("tidegate-action") != self.action:
                continue
            chain = self._chains.get(place.chain)
            if chain is None or not chain.is_orphan(place.first, place.epoch):
                continue  # of a partition that was not asked for, or of the cut under way
            last, of = head.metadata.get("tidegate-last"), place.chain
            text = f"offsets {place.first} to {last} of {of.topic}/{of.partition}, epoch {place.epoch}"
            if self.sweep:
                await self._store.delete(bucket, key)
                reports.append(Swept(key, f"an object that no entry names: {text}"))
            else:
                reports.append(Finding("orphan", key, text))
        return reports

    async def _abandoned(self) -> AsyncIterator[Swept]:
        pattern = self._patterns()
        oldest = self.now() - ABANDONED
        prefixes = sorted({literal_prefix(text) for text in pattern})
        for bucket, prefix in product(self._data_buckets(), prefixes):
            for upload in await self._store.uploads(bucket, prefix):
                if upload.begun < oldest and any(each.fullmatch(upload.key) for each in pattern.values()):
                    await self._store.abort(bucket, upload)
                    text = f"an upload that was begun {upload.begun:%Y-%m-%d %H:%M} and never completed"
                    yield Swept(upload.key, text)

    # --- Requests

    def _bucket(self, stored: StoredObject) -> str:
        return stored.bucket or self.parameters.home

    async def _get(self, key: str, bucket: str = "") -> bytes | None:
        return await self._store.get(bucket or self.parameters.home, key)


def _short(bucket: str, key: str) -> bytes:
    """A name for a key that takes eight bytes. Among a million keys two share one with a chance of one in 10^7."""
    return hashlib.blake2b(f"{bucket}/{key}".encode(), digest_size=8).digest()


def _place(metadata: Mapping[str, str]) -> ObjectPlace | None:
    """What an object's metadata tells; None if it is not ours."""
    try:
        topic, partition, first = metadata["tidegate-place"].rsplit("/", 2)
        topic_id = ledger.topic_id_of(metadata["tidegate-topic-id"])
        chain = ChainPlace(metadata["tidegate-action"], topic, topic_id, int(partition))
        return ObjectPlace(chain, int(first), int(metadata["tidegate-epoch"]))
    except (KeyError, ValueError):
        return None
