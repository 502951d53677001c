"""Finding the end of a ledger."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agents.lanes.lane import Partition
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.chain import PAGE_KEYS, Chain
from agents.sinks.patient_store import PatientStore
from pipeline.errors import LedgerError
from pipeline.upload import ledger
from pipeline.upload.ledger import ChainPlace, Start
from tests.parts.actions import aggregated

PLACE = ChainPlace("a", "t", "", 0)


class Shelf:
    """A bucket that holds only keys, and counts the listed pages."""

    def __init__(self, keys: list[str]) -> None:
        self.all = sorted(keys)
        self.pages = 0
        self.changed: dict[str, ledger.Entry] = {}

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        self.pages += 1
        found = [key for key in self.all if key.startswith(prefix) and key > after]
        return found[:PAGE_KEYS], len(found) > PAGE_KEYS

    async def get(self, bucket: str, key: str) -> bytes:
        """An entry that leads to the next one, and is known by its name; the chain's start."""
        if key.endswith("start.json"):
            return Start(7, "v").encode()
        at = self.all.index(key)
        first, epoch = _place(key)
        end = ledger.ChainEnd(first, epoch, "v", previous=self.all[at - 1] if at else "")
        entry = replace(ledger.without_offsets(end, next_version="v", clean=False), original=key)
        if at + 1 < len(self.all) and ledger.is_entry_key(PLACE, self.all[at + 1]):
            following, next_epoch = _place(self.all[at + 1])
            entry = replace(entry, next=following, absent=following - first, next_epoch=next_epoch)
        return self.changed.get(key, entry).encode()


def _place(key: str) -> tuple[int, int]:
    """Offset and epoch that an entry's key names."""
    first, epoch, _ = key.rpartition("/")[2].split(".")
    return int(first), int(epoch)


class Damaged(Shelf):
    """One whose objects break off."""

    async def get(self, bucket: str, key: str) -> bytes:
        return (await super().get(bucket, key))[:20]


def chain_on(shelf: Shelf) -> Chain:
    """The chain of partition 0 of topic t."""
    unused: Any = None
    writer = AggregatedWriter("a", aggregated(), PatientStore(shelf, Attempts("a")), unused, unused)  # type: ignore[arg-type]
    return Chain(writer, Partition("t", 0))


async def found_end(entries: list[tuple[int, int]]) -> tuple[tuple[int, int] | None, int]:
    """Offset and epoch of the entry that was taken for the last, and how many pages that took."""
    keys = [ledger.entry_key(PLACE, first, epoch) for first, epoch in entries]
    others = [ledger.entry_key(PLACE._replace(partition=1), 10**9, 0), ledger.start_key(PLACE)]
    shelf = Shelf([*keys, *others])
    end = await chain_on(shelf).end()
    assert end is not None
    return ((end.first, end.epoch - 1) if entries else (end.first, end.epoch)), shelf.pages


@pytest.mark.parametrize("count", [1, 2, 999, 1000, 1001, 2500, 150_000])
@pytest.mark.parametrize("stride", [1, 10_000])
async def test_the_end_of_a_long_ledger_is_found_in_few_requests(count: int, stride: int) -> None:
    """The number of requests stays small for long ledgers and large gaps between entries."""
    entries = [(number * stride, 0) for number in range(count)]

    found, pages = await found_end(entries)

    assert found == entries[-1]
    assert pages <= 60


async def test_many_epochs_at_one_offset_and_a_gap_before_the_end() -> None:
    """The end is found after stops without a cut, and after an idle year."""
    same = [(5, epoch) for epoch in range(2500)]
    busy = [(number, 0) for number in range(10, 1500)]

    assert (await found_end(same))[0] == (5, 2499)
    assert (await found_end([*busy, *((10**12 + number, 3) for number in range(1200))]))[0] == (10**12 + 1199, 3)


async def test_without_an_entry_the_start_is_the_end() -> None:
    """A chain without a cut ends at its start."""
    assert (await found_end([]))[0] == (7, 0)


@pytest.mark.parametrize("key", [ledger.entry_key(PLACE, 5, 0), ledger.start_key(PLACE)])
async def test_what_cannot_be_read_is_named(key: str) -> None:
    """The error about an unreadable object names its bucket and key."""
    chain = chain_on(Damaged([key]))

    with pytest.raises(LedgerError, match=f"/{key}: expected a part of the ledger"):
        await chain.end()


async def test_objects_of_others_in_the_ledger_are_passed_over() -> None:
    """Also where they fill whole pages, before and behind the entries."""
    keys = [ledger.entry_key(PLACE, first, 0) for first in range(0, 40, 10)]
    prefix = ledger.chain_prefix(PLACE)
    others = [f"{prefix}{name}{number}" for name in ("!", "zz", "0000") for number in range(1500)]

    end = await chain_on(Shelf([*keys, *others, ledger.start_key(PLACE)])).end()

    assert end is not None
    assert end.first == 30


@pytest.mark.parametrize("facts", [{"previous": "0" * 64}, {"epoch": 7}, {"first": 11}, {"version": "w"}])
async def test_an_entry_that_does_not_follow_is_not_gone_on_from(facts: dict[str, Any]) -> None:
    """The last entry must name the one before it, and be what that one announced; the error names its key."""
    keys = [ledger.entry_key(PLACE, first, 0) for first in range(0, 40, 10)]
    shelf = Shelf(keys)
    last = replace(ledger.decode_entry(await shelf.get("", keys[-1])), original="", **facts)
    shelf.changed[keys[-1]] = last

    with pytest.raises(LedgerError, match=f"{keys[-1]} does not follow from the entry before it"):
        await chain_on(shelf).end()
