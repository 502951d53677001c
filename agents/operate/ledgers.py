"""Reads the ledgers of an aggregated action from the bucket alone, and checks each object that they name.

1. Read the texts of all versions, and compare them with the digests in their names.
2. Read each partition's ledger in order, and check each entry against the entry before it (pipeline/upload/ledger_check.py).
3. Look at each object that an entry names, and compare its metadata, size and ETag. Read an object with another ETag. `deep`
   reads every object, compares its bytes, and counts and hashes its rows again (pipeline/upload/object_check.py).

A finding never ends the run: the next entry, object or partition follows. unnamed.py handles objects that no entry names.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from agents.operate.reading import GivenObject, not_given, read
from agents.sinks.patient_store import REQUESTS_AT_ONCE_MAX, FewAttempts, PatientStore
from pipeline.config import AggregatedParameters
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import ConnectorError, RefusedError
from pipeline.formats import read_rows
from pipeline.upload import claims, ledger, object_check
from pipeline.upload.ledger import ChainPlace, Entry
from pipeline.upload.ledger_check import ChainCheck, Finding, Totals
from pipeline.upload.object_check import Named

_VERSION_TEXT: Final = re.compile(r"([0-9a-f]{64})\.json")


@dataclass(frozen=True, slots=True)
class PartitionDone:
    """A partition's ledger was read: offsets from `first` up to `next`, which is not included."""

    topic: str
    topic_id: str
    partition: int
    first: int | None
    next: int | None
    totals: Totals


Report = Finding | PartitionDone
# Called with each entry when its objects were checked, and with the keys of which something is wrong.
Watch = Callable[[ChainPlace, Entry, frozenset[str]], None]


def nobody_watches(place: ChainPlace, entry: Entry, wrong: frozenset[str]) -> None:
    """Ignore an entry."""


@dataclass
class Known:
    """The facts from the ledgers. An object takes eight bytes. With a million objects, two share them with a chance of
    1 in 10^7.

    `buckets` are the buckets that hold objects of the ledger.
    """

    chains: dict[ChainPlace, ChainCheck] = field(default_factory=dict)
    named: set[bytes] = field(default_factory=set)
    contents: set[bytes] = field(default_factory=set)  # sizes and ETags
    buckets: set[str] = field(default_factory=set)
    versions: dict[str, dict[str, Any] | None] = field(default_factory=dict)


class LedgerReader:
    """The ledgers of one action. `known` grows while they are read. `partitions` are those to read; empty: all."""

    def __init__(
        self,
        action: str,
        parameters: AggregatedParameters,
        store: S3Store,
        partitions: frozenset[int],
        *,
        deep: bool,
        watch: Watch = nobody_watches,
    ) -> None:
        self.action = action
        self.parameters = parameters
        self.store = PatientStore(store, FewAttempts())  # patient, because half a proof proves nothing
        self.known = Known()
        self._partitions = partitions
        self._deep = deep
        self._watch = watch

    async def reports(self) -> AsyncIterator[Report]:
        """All findings and totals, as soon as they are found. Raises a ConnectorError if the bucket cannot be read."""
        async for finding in self._version_texts():
            yield finding
        async for report in self._ledgers():
            yield report

    def wants(self, partition: int) -> bool:
        """Whether the user asked for this partition."""
        return not self._partitions or partition in self._partitions

    # --- 1. Versions

    async def _version_texts(self) -> AsyncIterator[Finding]:
        root = ledger.version_prefix(self.action)
        async for key in self.store.keys(self.parameters.home, root):
            if ledger.place_of(key) is not None:
                continue  # a topic may have this name too
            found = _VERSION_TEXT.fullmatch(key.removeprefix(root))
            if found is None:
                yield Finding("foreign", key, "expected the text of a version, named by its digest")
            else:
                for finding in await self._version(found[1], "its name"):
                    yield finding

    async def _version(self, digest: str, named_by: str) -> list[Finding]:
        """Read a version's text, unless it was read before."""
        if digest in self.known.versions:
            return []
        key = ledger.version_key(self.action, digest)
        text, unread = await self.read(key)
        good = text is not None and hashlib.sha256(text).hexdigest() == digest
        self.known.versions[digest] = orjson.loads(text) if text is not None and good else None
        if good or unread:
            return unread
        state = "is not there" if text is None else "was changed"
        return [Finding("unknown_version", key, f"named by {named_by}, and its text {state}")]

    # --- 2. Ledgers

    async def _ledgers(self) -> AsyncIterator[Report]:
        """All chains in the order of their keys. The start of each chain comes last."""
        current: ChainPlace | None = None
        keys: list[str] = []
        async for key in self.store.keys(self.parameters.home, ledger.action_prefix(self.action)):
            place = ledger.place_of(key)
            if place is None:
                if claims.is_key(self.action, key):
                    async for finding in self._claim(key):
                        yield finding
                elif not key.startswith(ledger.version_prefix(self.action)):
                    yield _foreign(key)
                continue
            if place != current:
                async for report in self._ledger(current, keys):
                    yield report
                current, keys = place, []
            keys.append(key)
        async for report in self._ledger(current, keys):
            yield report

    async def _claim(self, key: str) -> AsyncIterator[Finding]:
        """Check which record carries the rows of a redriven dead letter."""
        content, unread = await self.read(key)
        for finding in unread:
            yield finding
        try:
            if not unread:
                claims.decode(content or b"")
        except ValueError as error:
            yield Finding("unreadable", key, str(error))

    async def _ledger(self, place: ChainPlace | None, keys: list[str]) -> AsyncIterator[Report]:
        if place is None or not self.wants(place.partition):
            return
        chain = self.known.chains[place] = ChainCheck(place)
        start = ledger.start_key(place)
        for finding in await self._begun(chain):
            yield finding
        async for report in self.entries(chain, (key for key in keys if key != start)):
            yield report
        if chain.awaited:  # the keys were listed before
            async for report in self.read_on(place):
                yield report
        for finding in chain.finish():
            yield finding
        end = chain.end.first if chain.end else None
        yield PartitionDone(place.topic, place.topic_id, place.partition, chain.first, end, chain.totals)

    async def _begun(self, chain: ChainCheck) -> list[Finding]:
        """Check the start of a chain."""
        key = ledger.start_key(chain.place)
        content, unread = await self.read(key)
        return chain.unread(unread) if unread else chain.begin(key, content)

    async def entries(self, chain: ChainCheck, keys: Iterable[str]) -> AsyncIterator[Finding]:
        """Check the next entries of a chain, and the objects that they name."""
        entries = list[str]()
        for key in keys:
            if ledger.is_entry_key(chain.place, key):
                entries.append(key)
            else:
                yield _foreign(key)
        for begin in range(0, len(entries), REQUESTS_AT_ONCE_MAX):
            some = entries[begin : begin + REQUESTS_AT_ONCE_MAX]
            readings = await asyncio.gather(*[self.read(key) for key in some])
            objects: list[Named] = []
            whole: list[Entry] = []
            for key, (content, unread) in zip(some, readings, strict=True):
                chain.last_key = key
                entry, findings = (None, chain.unread(unread)) if unread else chain.feed(key, content)
                for finding in findings:
                    yield finding
                if entry is None:
                    continue
                whole.append(entry)
                objects += [
                    Named(each, chain.place, chain.key_epoch, entry.version, entry.revision) for each in entry.objects
                ]
                for digest in sorted({entry.version, entry.next_version}):
                    for finding in await self._version(digest, key):
                        yield finding
            found = await self._object_findings(objects)
            for finding in found:
                yield finding
            for entry in whole:
                self._watch(chain.place, entry, frozenset(finding.key for finding in found))

    async def read_on(self, place: ChainPlace) -> AsyncIterator[Finding]:
        """Check the entries that were written after the ledger was read, or after it was found missing."""
        chain = self.known.chains.get(place)
        if chain is None:
            chain = ChainCheck(place)
            found = await self._begun(chain)
            if any(each.kind == "missing" for each in found):
                return
            self.known.chains[place] = chain
            for finding in found:
                yield finding
        prefix, home = ledger.chain_prefix(place), self.parameters.home
        keys = [key async for key in self.store.keys(home, prefix, after=chain.last_key)]
        async for finding in self.entries(chain, [key for key in keys if ledger.is_entry_key(place, key)]):
            yield finding

    # --- 3. Objects

    async def _object_findings(self, objects: list[Named]) -> list[Finding]:
        self.known.named.update(short(self.bucket_of(each), each.stored.key) for each in objects)
        self.known.contents.update(short(str(each.stored.size), each.stored.etag) for each in objects)
        found = await asyncio.gather(*[self._check(each) for each in objects])
        return [finding for findings in found for finding in findings]

    async def _check(self, named: Named) -> list[Finding]:
        """Check one object that an entry names. A copy of a bucket may change ETags, so another ETag alone is not a finding."""
        bucket, key = self.bucket_of(named), named.stored.key
        try:
            head = await self.store.head(bucket, key, any_key=True)
        except RefusedError as error:  # a store cannot have an object with this name
            return [Finding("missing", key, str(error))]
        except ConnectorError as error:
            return [await not_given(self.store, bucket, key, error)]
        if head is None:
            return [object_check.missing(named)]
        self.known.buckets.add(bucket)
        found = object_check.metadata_findings(named, head.metadata)
        if (wrong := object_check.size_finding(named, head.size_bytes)) is not None:
            return [*found, wrong]
        if not self._deep and head.etag == named.stored.etag:
            return found
        return found + await self._content_findings(named)

    async def _content_findings(self, named: Named) -> list[Finding]:
        """Check the bytes of an object. If `deep` and the bytes are right, check its rows too."""
        content, unread = await self.read(named.stored.key, self.bucket_of(named))
        if unread:
            return unread
        if content is None:
            return [object_check.missing(named)]
        if (wrong := object_check.bytes_finding(named, content)) is not None:
            return [wrong]
        settings = self.known.versions.get(named.version)
        if not self._deep or settings is None:
            return []
        try:
            rows, digest = await asyncio.to_thread(read_rows, content, settings["parameters"])
        except ValueError as error:
            return [Finding("different", named.stored.key, f"it cannot be read: {error}")]
        wrong = object_check.rows_finding(named, rows, digest)
        return [wrong] if wrong else []

    # --- Requests

    def bucket_of(self, named: Named) -> str:
        """The bucket of an object."""
        return named.stored.bucket or self.parameters.home

    async def read(self, key: str, bucket: str = "") -> GivenObject:
        """The content of an object. The default bucket is that of the ledger."""
        return await read(self.store, bucket or self.parameters.home, key)

    def settings_of(self, digest: str) -> dict[str, Any] | None:
        """The settings of a version, or None if its text does not exist or was changed."""
        return self.known.versions.get(digest)


def _foreign(key: str) -> Finding:
    return Finding("foreign", key, "expected a start or an entry of a partition's ledger, found another name")


def short(*texts: str) -> bytes:
    """An eight-byte digest of texts."""
    return hashlib.blake2b("/".join(texts).encode(), digest_size=8).digest()
