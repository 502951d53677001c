"""Lanes whose ledger cannot be trusted: each stands still for itself, and goes on when somebody has mended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
import structlog

from agents.sinks.chain import AGAIN_SECONDS
from pipeline.errors import FenceLostError
from pipeline.upload import ledger
from pipeline.upload.ledger import Entry
from tests.faults.damages.store import MemoryStore
from tests.faults.simulation.clock import tell
from tests.faults.simulation.world import kafka_record
from tests.parts.bench import Bench

SPOILT = b'{"first": 1'


def entries(store: MemoryStore) -> list[tuple[str, str]]:
    """Bucket and key of each entry, in order."""
    return sorted(
        place for place in store.objects if place[1].startswith("_tidegate/a/mqtt") and place[1][-6].isdigit()
    )


async def written(store: MemoryStore, count: int = 10) -> None:
    """A ledger with an entry that names an object, and an orderly end."""
    bench = Bench(store, key="x/${partition}.jsonl")
    bench.offer([kafka_record(offset, b"c", b'{"n": 1}') for offset in range(count)])
    await bench.stop()


def test_a_spoilt_entry_stops_its_lane_until_it_is_mended() -> None:
    """It is named in one line a minute; the lane reads nothing, holds nothing up, and goes on from the right place."""
    store = MemoryStore()

    async def story() -> None:
        await written(store)
        bucket, key = entries(store)[-1]
        good = store.objects[bucket, key]
        store.place(bucket, key, SPOILT, {})
        bench = Bench(store, key="x/${partition}.jsonl")
        bench.kafka.end = 10
        await asyncio.sleep(2.5 * AGAIN_SECONDS)
        assert (bench.lane.ready, bench.task.done(), key in bench.lane.stopped) == (False, False, True)
        store.objects[bucket, key] = good
        await asyncio.sleep(AGAIN_SECONDS)
        assert (bench.lane.ready, bench.lane.stopped, bench.lane.durable) == (True, "", 10)
        await bench.kill()

    with structlog.testing.capture_logs() as lines:
        tell(1, story())
    stopped = [line for line in lines if line["event"] == "partition.stopped"]
    assert len(stopped) == 3
    assert all("/_tidegate/a/mqtt.messages/" in line["error"] for line in stopped)


def test_a_lane_that_stands_still_ends_when_it_is_told_to() -> None:
    """A worker that stops does not wait for whoever mends the ledger."""
    store = MemoryStore()

    async def story() -> None:
        await written(store)
        store.place(*entries(store)[-1], SPOILT, {})
        bench = Bench(store, key="x/${partition}.jsonl")
        await asyncio.sleep(5)
        async with asyncio.timeout(5):
            await bench.stop()
        assert bench.lane.drained.is_set()

    with structlog.testing.capture_logs():
        tell(1, story())


def _other_previous(theirs: Entry) -> Entry:
    return replace(theirs, previous="0" * 64)


def _objects_gone(theirs: Entry) -> Entry:
    return replace(theirs, objects=tuple(replace(each, key=f"gone/{each.key}") for each in theirs.objects))


async def taken(store: MemoryStore, change: Callable[[Entry], Entry]) -> tuple[Bench, tuple[str, str]]:
    """A lane with five rows, whose entry another one has written, for four of them, as `change` makes it; and where that is."""
    bench = Bench(store, key="x/${partition}.jsonl")
    bench.offer([kafka_record(offset, b"c", b'{"n": 1}') for offset in range(5)])
    await asyncio.sleep(1)
    other = Bench(store, key="x/${partition}.jsonl")
    other.offer([kafka_record(offset, b"c", b'{"n": 1}') for offset in range(4)])
    await other.stop()
    place, *following = entries(store)
    for each in following:
        del store.objects[each]
    stored = store.objects[place]
    store.place(*place, change(ledger.decode_entry(stored.body)).encode(), stored.metadata)
    return bench, place


def test_whoever_finds_its_entry_taken_has_lost_the_partition() -> None:
    """Another worker's entry follows from ours, and its objects are there."""
    store = MemoryStore()

    async def story() -> None:
        bench, _ = await taken(store, lambda theirs: theirs)
        bench.lane.relieve()
        with pytest.raises(FenceLostError):
            await bench.task

    with structlog.testing.capture_logs():
        tell(1, story())


@pytest.mark.parametrize("change", [_other_previous, _objects_gone])
def test_an_entry_in_our_place_that_cannot_be_is_not_believed(change: Callable[[Entry], Entry]) -> None:
    """The lane stands still, and no other. When somebody has removed the entry, ours is written."""
    store = MemoryStore()

    async def story() -> None:
        bench, place = await taken(store, change)
        bench.lane.relieve()
        await asyncio.sleep(2.5 * AGAIN_SECONDS)
        assert (bench.task.done(), place[1] in bench.lane.stopped, bench.lane.durable) == (False, True, 0)
        del store.objects[place]
        await asyncio.sleep(AGAIN_SECONDS)
        assert (bench.lane.stopped, bench.lane.durable) == ("", 4)  # where the other one's object ends
        await bench.stop()
        assert bench.lane.durable == 5

    with structlog.testing.capture_logs() as lines:
        tell(1, story())
    assert [line["event"] for line in lines].count("partition.stopped") == 3


def test_a_lane_that_believes_no_entry_ends_when_it_is_told_to() -> None:
    """It commits nothing, and leaves the rows to whoever comes next."""
    store = MemoryStore()

    async def story() -> None:
        bench, _ = await taken(store, _objects_gone)
        async with asyncio.timeout(5):
            await bench.stop()
        assert (bench.lane.drained.is_set(), bench.lane.durable) == (True, 0)

    with structlog.testing.capture_logs():
        tell(1, story())
