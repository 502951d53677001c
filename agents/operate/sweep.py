"""Which orphans may be removed: those whose rows are provably in objects of the ledger, too.

An orphan is a copy if one of these can be shown, while the ledger of its partition is whole:

- an object of the ledger holds the same bytes and says the same offsets; or
- the orphan's epoch had ended before its offsets were entered, entries account for all of these, and each of its rows is in an
  object that they name.

The objects that stand for it are read, and their bytes compared with what the ledger says. An orphan of which that cannot be
shown may be the only copy of its rows (an entry was altered, or the rules made other rows then), and a person has to look.
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


class Placed(NamedTuple):
    """An object that says it is of this action: whose chain its rows belong to, their offsets, and the epoch in its key."""

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
        """Their objects that may hold rows of the same records, with the entry of each."""
        return [
            (each, entry)
            for entry in self.entries
            for each in entry.objects
            if each.first <= placed.last and placed.first <= each.last
        ]


def placed_of(bucket: str, key: str, head: Head) -> Placed | None:
    """What an object's metadata tells; None if it does not say where its rows are from."""
    found: Mapping[str, str] = head.metadata
    try:
        topic, partition, first = found["tidegate-place"].rsplit("/", 2)
        topic_id = ledger.topic_id_of(found["tidegate-topic-id"])
        chain = ChainPlace(found["tidegate-action"], topic, topic_id, int(partition))
        return Placed(bucket, key, head, chain, int(first), int(found["tidegate-last"]), int(found["tidegate-epoch"]))
    except (KeyError, ValueError):
        return None


class Sweeper:
    """Asks the bucket what is needed to tell a copy from the only one."""

    def __init__(self, ledgers: LedgerReader) -> None:
        self._ledgers = ledgers

    async def why_not(self, placed: Placed, chain: ChainCheck) -> str | None:
        """Why an orphan may not be removed; None if its rows are in objects of the ledger."""
        if not chain.is_whole:
            return "the ledger of its partition is damaged"
        covering = await self._covering(placed)
        if covering is None:
            return "entries do not account for all of its offsets"
        content = await self._ledgers.get(placed.key, placed.bucket) or b""
        if await self._is_copied(placed, content, covering):
            return None
        if placed.epoch >= covering.key_epoch:
            return "its epoch had not ended when its offsets were entered, and no object of the ledger is the same"
        return await self._not_contained(placed, content, covering)

    async def _covering(self, placed: Placed) -> Covering | None:
        """The entries of an object's offsets, without a gap and with nothing that Kafka had deleted."""
        prefix, home = ledger.chain_prefix(placed.chain), self._ledgers.parameters.home
        start = await self._ledgers.get(ledger.start_key(placed.chain))
        keys = [
            key
            async for key in self._ledgers.store.keys(home, prefix)
            if ledger.is_entry_key(placed.chain, key) and ledger.first_of(key) <= placed.last
        ]
        ends_before = [number for number, key in enumerate(keys) if ledger.first_of(key) < placed.first]
        keys = keys[max(ends_before[-1] - 1, 0) if ends_before else 0 :]
        contents = await asyncio.gather(*[self._ledgers.get(key) for key in keys])
        try:
            key_epoch = ledger.decode_start(start or b"").key_epoch
            entries = [ledger.decode_entry(content or b"") for content in contents]
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
        """Whether an object of the ledger holds the same bytes, of the same offsets."""
        sha256 = hashlib.sha256(content).hexdigest()
        for stored, _ in covering.objects(placed):
            same = (stored.first, stored.last, stored.sha256) == (placed.first, placed.last, sha256)
            if same and await self._as_written(stored) is not None:
                return True
        return False

    async def _not_contained(self, placed: Placed, content: bytes, covering: Covering) -> str | None:
        """How many of its rows are in no object of these entries; None if all of them are."""
        settings = self._ledgers.settings_of(placed.head.metadata.get("tidegate-version", ""))
        if settings is None:
            return "the rules that it was made by are not known"
        left = await self._rows(content, settings)
        if not left:
            return "it has no rows that can be read"
        for stored, entry in covering.objects(placed):
            there, settings = await self._as_written(stored), self._ledgers.settings_of(entry.version)
            if there is not None and settings is not None:
                left -= await self._rows(there, settings)
        return f"{left.total()} of its rows are in no object of the ledger" if left else None

    async def _as_written(self, stored: StoredObject) -> bytes | None:
        """The bytes of an object of the ledger; None if they are not those that the ledger says."""
        content = await self._ledgers.get(stored.key, stored.bucket)
        good = content is not None and hashlib.sha256(content).hexdigest() == stored.sha256
        return content if good else None

    async def _rows(self, content: bytes, settings: Mapping[str, Any]) -> Counter[bytes]:
        try:
            return Counter(await asyncio.to_thread(row_texts, content, settings["parameters"]))
        except ValueError:
            return Counter()
