"""Finds objects under the keys of an aggregated action that no entry of its ledger names.

- An **orphan** is an object that no entry names, and none ever will: its offsets are entered already, or its epoch has ended. A
  frozen worker wrote it when it woke up, or somebody copied an object. A reader of everything under a prefix reads its
  rows twice.
- Objects **beyond the ledger's end** belong to the cut under way, and are young. If they are older than a cut can be, or lie
  beyond an orderly end, no worker goes on from them, or the entry that named them was deleted.
- Objects of a partition **without a ledger**: a worker writes the ledger's start first, so the ledger was lost.
- **Foreign** objects in the fixed folder of the keys, which no action marked. A reader of everything in the folder
  reads them too, so they are counted in a remark. A copy of an object of the ledger is an orphan, whatever its name.

Workers may write meanwhile. So the rest of the ledger is read before an object beyond its end is reported.

A sweep removes orphans that are provably copies (sweep.py). It also aborts multipart uploads that are older than a day,
because a killed worker cannot abort its own. Everything else stays, and is reported.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Final

from agents.operate.ledgers import LedgerReader, short
from agents.operate.reading import look
from agents.operate.sweep import Placed, Sweeper, placed_of
from agents.operate.verify_direct import Foreign, Note
from agents.sinks.patient_store import REQUESTS_AT_ONCE_MAX
from pipeline.connectors.s3.store import Head
from pipeline.template.object_key import aggregated_key, fixed_folder, key_pattern
from pipeline.upload import ledger, seal
from pipeline.upload.ledger import ChainPlace
from pipeline.upload.ledger_check import Finding
from pipeline.upload.row_place import ACTION

ABANDONED: Final = timedelta(days=1)
# The time of a cut beyond its interval: to store its objects, and to retry while the store is briefly away.
STORING: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Swept:
    """The sweep removed an orphan, or an upload that no worker would have completed."""

    key: str
    what: str


@dataclass
class Lot:
    """Objects of one chain with the same problem. One finding reports all of them."""

    key: str
    first: int
    last: int
    oldest: datetime
    objects: int = 0

    def add(self, placed: Placed) -> None:
        """Add an object."""
        self.objects += 1
        self.first, self.last = min(self.first, placed.first), max(self.last, placed.last)
        self.oldest = min(self.oldest, placed.head.modified)

    def __str__(self) -> str:
        return (
            f"{self.objects} objects, offsets {self.first} to {self.last}, the oldest of {self.oldest:%Y-%m-%d %H:%M}"
        )


class Unnamed:
    """One pass over the buckets of an action at the time `now`, after its ledgers were read."""

    def __init__(self, ledgers: LedgerReader, now: datetime, *, sweep: bool) -> None:
        self._ledgers = ledgers
        self._known = ledgers.known
        self._store = ledgers.store
        self._now = now
        self._sweep = sweep
        self._sweeper = Sweeper(ledgers)
        self._patterns = self._key_patterns()
        self._without_ledger: dict[ChainPlace, Lot] = {}
        self._beyond: dict[ChainPlace, Lot] = {}

    async def reports(self) -> AsyncIterator[Finding | Swept | Note]:
        """Findings, as soon as they are found. Those about whole partitions come at the end."""
        for bucket, prefix in product(self._buckets(), self._prefixes()):
            batch, foreign = list[str](), Foreign()
            async for key in self._store.keys(bucket, prefix):
                if self._is_candidate(bucket, prefix, key):
                    batch.append(key)
                if len(batch) >= REQUESTS_AT_ONCE_MAX:
                    async for report in self._batch(bucket, batch, foreign):
                        yield report
                    batch = []
            async for report in self._batch(bucket, batch, foreign):
                yield report
            if prefix and foreign.objects:
                yield foreign.note(prefix)
        for report in self._lots():
            yield report
        if self._sweep:
            async for swept in self._abandoned():
                yield swept

    # --- Where they may be

    def _buckets(self) -> list[str]:
        """The action's bucket, the buckets that versions name, and those in which objects were found."""
        texts = [self._ledgers.parameters.bucket]
        texts += [each["parameters"].get("bucket", "") for each in self._known.versions.values() if each]
        return sorted(self._known.buckets | {text for text in texts if text and "${" not in text})

    def _key_patterns(self) -> dict[str, re.Pattern[str]]:
        """Patterns of this action's keys by template: the present template, and those of all versions."""
        texts = {self._ledgers.parameters.key}
        texts |= {each["parameters"]["key"] for each in self._known.versions.values() if each}
        return {text: key_pattern(text) for text in map(aggregated_key, texts)}

    def _prefixes(self) -> list[str]:
        """The fixed folders of the keys, because whoever reads them reads whole folders. No folder contains another."""
        found: list[str] = []
        for prefix in sorted({fixed_folder(text) for text in self._patterns}):
            if not found or not prefix.startswith(found[-1]):
                found.append(prefix)
        return found

    def _is_candidate(self, bucket: str, prefix: str, key: str) -> bool:
        """Whether to look at an object. Without a fixed prefix, the rest of the bucket is not the action's business."""
        if key.startswith(f"{ledger.ROOT}/") or short(bucket, key) in self._known.named:
            return False
        return bool(prefix) or self._fits(key)

    def _fits(self, key: str) -> bool:
        return any(each.fullmatch(key) for each in self._patterns.values())

    # --- What they are

    async def _batch(self, bucket: str, keys: list[str], foreign: Foreign) -> AsyncIterator[Finding | Swept]:
        """Check some keys of a bucket. If objects are beyond the end of a chain, the rest of the chain is read once."""
        heads = await asyncio.gather(*[look(self._store, bucket, key) for key in keys])
        doubtful: list[Placed] = []
        for key, head in zip(keys, heads, strict=True):
            if head is None:
                continue
            if isinstance(head, Finding):
                yield head
                continue
            if head.metadata.get(ACTION) != self._ledgers.action:
                for copy in self._of_others(key, head, foreign):
                    yield copy
                continue
            placed = placed_of(bucket, key, head)
            if placed is None:
                yield Finding("different", key, "has the mark of this action, but does not name the place of its rows")
            elif not self._ledgers.wants(placed.chain.partition):
                continue
            elif not self._fits(key) and not seal.is_whole(key, head.metadata):
                yield Finding("orphan", key, f"{placed}; it stays: a copy under a name that no worker writes")
            elif not self._is_under_way(placed):
                doubtful.append(placed)
        for place in dict.fromkeys(each.chain for each in doubtful):
            async for finding in self._ledgers.read_on(place):
                yield finding
        for placed in doubtful:
            if short(bucket, placed.key) not in self._known.named:
                async for report in self._judge(placed):
                    yield report

    def _of_others(self, key: str, head: Head, foreign: Foreign) -> Iterator[Finding]:
        """Check an object without the mark of this action: a copy, the object of another action, or anything else."""
        if ACTION in head.metadata and seal.is_whole(key, head.metadata):
            return
        if short(str(head.size_bytes), head.etag) in self._known.contents:
            yield Finding("orphan", key, "it holds the bytes of an object of the ledger, and has no mark")
        elif head.size_bytes:
            foreign.add(key)

    def _is_under_way(self, placed: Placed) -> bool:
        """Whether an object belongs to the cut under way: it is young enough."""
        chain = self._known.chains.get(placed.chain)
        if chain is None or chain.end is None or chain.end.clean or chain.is_orphan(placed.first, placed.epoch):
            return False
        settings = self._known.versions.get(chain.end.version)
        interval = settings["parameters"]["aggregation"]["time_interval"] if settings else 0.0
        return placed.head.modified >= self._now - timedelta(seconds=interval) - STORING

    async def _judge(self, placed: Placed) -> AsyncIterator[Finding | Swept]:
        """Report an object that no entry names and that does not belong to the cut under way."""
        chain = self._known.chains.get(placed.chain)
        if chain is None or chain.end is None:
            _add(self._without_ledger, placed)
        elif not chain.is_orphan(placed.first, placed.epoch):
            if not self._is_under_way(placed):
                _add(self._beyond, placed)
        elif not self._sweep:
            yield Finding("orphan", placed.key, str(placed))
        elif (reason := await self._sweeper.why_not(placed, chain)) is not None:
            yield Finding("orphan", placed.key, f"{placed}; it stays: {reason}")
        else:
            await self._store.delete(placed.bucket, placed.key)
            yield Swept(placed.key, f"an object that no entry names, whose rows are in the ledger's objects: {placed}")

    def _lots(self) -> list[Finding]:
        found = [
            Finding(
                "no_ledger", lot.key, f"objects of partition {place.partition} of {place.topic} and no ledger: {lot}"
            )
            for place, lot in self._without_ledger.items()
        ]
        for place, lot in self._beyond.items():
            end = self._known.chains[place].end
            assert end is not None
            ends = "ends in order at" if end.clean else "ends at"
            text = f"the ledger of {place.topic}/{place.partition} {ends} {end.first}, and beyond it are {lot}"
            found.append(Finding("unfinished", lot.key, text))
        return found

    # --- Uploads in parts

    async def _abandoned(self) -> AsyncIterator[Swept]:
        oldest = self._now - ABANDONED
        for bucket, prefix in product(self._buckets(), self._prefixes()):
            for upload in await self._store.uploads(bucket, prefix):
                if upload.begun < oldest and any(each.fullmatch(upload.key) for each in self._patterns.values()):
                    await self._store.abort(bucket, upload)
                    text = f"an upload that was begun {upload.begun:%Y-%m-%d %H:%M} and never completed"
                    yield Swept(upload.key, text)


def _add(lots: dict[ChainPlace, Lot], placed: Placed) -> None:
    lot = lots.get(placed.chain)
    if lot is None:
        lot = lots[placed.chain] = Lot(placed.key, placed.first, placed.last, placed.head.modified)
    lot.add(placed)
