"""Finding the end of a ledger."""

from __future__ import annotations

from typing import Any

import pytest

from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.chain import PAGE_KEYS, Chain
from agents.sinks.lane import Partition
from agents.sinks.patient_store import PatientStore
from pipeline.errors import LaneError
from pipeline.upload import ledger
from pipeline.upload.ledger import ChainPlace, Start
from tests.parts.actions import aggregated

PLACE = ChainPlace("a", "t", "", 0)


class Shelf:
    """A bucket that holds only keys, and counts the listed pages."""

    def __init__(self, keys: list[str]) -> None:
        self.all = sorted(keys)
        self.pages = 0

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        self.pages += 1
        found = [key for key in self.all if key.startswith(prefix) and key > after]
        return found[:PAGE_KEYS], len(found) > PAGE_KEYS

    async def get(self, bucket: str, key: str) -> bytes:
        """An entry that says where it is; the chain's start."""
        if key.endswith("start.json"):
            return Start(7, "v").encode()
        first, epoch, _ = key.rpartition("/")[2].split(".")
        end = ledger.ChainEnd(int(first), int(epoch), "v")
        return ledger.without_offsets(end, next_version="v", clean=False).encode()


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

    with pytest.raises(LaneError, match=f"/{key}: expected a part of the ledger"):
        await chain.end()
