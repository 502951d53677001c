"""Decides which orphans may be removed: those whose rows are provably in objects of the ledger too.

An orphan is a copy if the ledger of its partition is whole, and one of these holds:

- an object of the ledger holds the same bytes and has the same offsets; or
- the orphan's epoch had ended before its offsets were entered, entries cover all of its offsets, and each of its rows
  is in an object that these entries name.

The sweep reads these objects and compares their bytes with the ledger. Any other orphan may be the only copy of its
rows (an entry was changed, or the rules made other rows then), and a person has to look at it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from agents.operate.ledgers import LedgerReader
from pipeline.connectors.s3.store import Head
from pipeline.formats import row_texts
from pipeline.upload import ledger
from pipeline.upload.ledger import ChainPlace, Entry, StoredObject
from pipeline.upload.ledger_check import ChainCheck
from pipeline.upload.object_check import marks_of


class Placed(NamedTuple):
    """An object with the mark of this action: the chain and offsets of its rows, and the epoch in its key."""

    bucket: str
    key: str
    head: Head
    chain: ChainPlace
    first: int
    last: int
    epoch: int

    def __str__(self) -> str:
        place = self.chain
        return f"offsets {self.first} to {self.last} of {place.topic}/{place.partition}, epoch {self.epoch}"


class Covering(NamedTuple):
    """The entries that hold an object's offsets, and the epoch in the keys of the first of them."""

    entries: list[Entry]
    key_epoch: int

    def objects(self, placed: Placed) -> list[tuple[StoredObject, Entry]]:
        """The objects of these entries that may hold rows of the same records, each with its entry."""
        return [
            (each, entry)
            for entry in self.entries
            for each in entry.objects
            if each.first <= placed.last and placed.first <= each.last
        ]


def placed_of(bucket: str, key: str, head: Head) -> Placed | None:
    """The facts in an object's metadata, or None if it does not name the place of its rows."""
    written = marks_of(head.metadata)
    return Placed(bucket, key, head, *written) if written else None


class Sweeper:
    """Reads from the bucket what is needed to tell a copy from an only copy."""

    def __init__(self, ledgers: LedgerReader) -> None:
        self._ledgers = ledgers

    async def why_not(self, placed: Placed, chain: ChainCheck) -> str | None:
        """The reason why an orphan must not be removed, or None if its rows are in objects of the ledger."""
        if not chain.is_whole:
            return "the ledger of its partition is damaged"
        covering = await self._covering(placed)
        if covering is None:
            return "entries do not account for all of its offsets"
        content = (await self._ledgers.read(placed.key, placed.bucket)).content or b""
        if await self._is_copied(placed, content, covering):
            return None
        if placed.epoch >= covering.key_epoch:
            return "its epoch had not ended when its offsets were entered, and no object of the ledger is the same"
        return await self._not_contained(placed, content, covering)

    async def _covering(self, placed: Placed) -> Covering | None:
        """The entries of an object's offsets, or None if they have a gap or name records that Kafka had deleted."""
        prefix, home = ledger.chain_prefix(placed.chain), self._ledgers.parameters.home
        start = (await self._ledgers.read(ledger.start_key(placed.chain))).content
        keys = [
            key
            async for key in self._ledgers.store.keys(home, prefix)
            if ledger.is_entry_key(placed.chain, key) and ledger.first_of(key) <= placed.last
        ]
        ends_before = [number for number, key in enumerate(keys) if ledger.first_of(key) < placed.first]
        keys = keys[max(ends_before[-1] - 1, 0) if ends_before else 0 :]
        readings = await asyncio.gather(*[self._ledgers.read(key) for key in keys])
        try:
            key_epoch = ledger.decode_start(start or b"").key_epoch
            entries = [ledger.decode_entry(each.content or b"") for each in readings]
        except ValueError:
            return None
        while entries and entries[0].next <= placed.first:
            key_epoch = entries.pop(0).next_key_epoch
        whole = entries and entries[0].first <= placed.first and entries[-1].next > placed.last
        if not whole or any(before.next != after.first for before, after in pairwise(entries)):
            return None
        if any(span.first <= placed.last and placed.first < span.next for entry in entries for span in entry.missing):
            return None
        return Covering(entries, key_epoch)

    async def _is_copied(self, placed: Placed, content: bytes, covering: Covering) -> bool:
        """Whether an object of the ledger holds the same bytes for the same offsets."""
        sha256 = hashlib.sha256(content).hexdigest()
        for stored, _ in covering.objects(placed):
            same = (stored.first, stored.last, stored.sha256) == (placed.first, placed.last, sha256)
            if same and await self._as_written(stored) is not None:
                return True
        return False

    async def _not_contained(self, placed: Placed, content: bytes, covering: Covering) -> str | None:
        """A text with the number of rows that are not in objects of these entries, or None if all are."""
        settings = self._ledgers.settings_of(placed.head.metadata.get("tidegate-version", ""))
        if settings is None:
            return "its rules are not known"
        left = await self._rows(content, settings)
        if not left:
            return "it has no rows that can be read"
        for stored, entry in covering.objects(placed):
            there, settings = await self._as_written(stored), self._ledgers.settings_of(entry.version)
            if there is not None and settings is not None:
                left -= await self._rows(there, settings)
        return f"{left.total()} of its rows are in no object of the ledger" if left else None

    async def _as_written(self, stored: StoredObject) -> bytes | None:
        """The bytes of an object of the ledger, or None if they differ from the ledger."""
        content = (await self._ledgers.read(stored.key, stored.bucket)).content
        good = content is not None and hashlib.sha256(content).hexdigest() == stored.sha256
        return content if good else None

    async def _rows(self, content: bytes, settings: Mapping[str, Any]) -> Counter[bytes]:
        try:
            return Counter(await asyncio.to_thread(row_texts, content, settings["parameters"]))
        except ValueError:
            return Counter()
