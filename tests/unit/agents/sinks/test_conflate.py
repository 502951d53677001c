"""`conflate`: of the rows that wait for one key, only the newest is written, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.metrics import CONFLATED, OVERWRITTEN, ROWS_WRITTEN
from agents.operate.verify_direct import CONFLATED as SAID
from agents.operate.verify_direct import DirectVerifier, Note
from pipeline.config import DirectParameters
from pipeline.record import Record
from pipeline.redriven import REDRIVEN, Failure, RecordPlace, Redriven
from pipeline.rule.rule_set import RuleSet
from tests.faults.damages.store import MemoryStore
from tests.faults.simulation.direct_bench import Bench, Store, in_virtual_time, messages
from tests.faults.simulation.world import kafka_record

KEY = "latest/${clientid}"


def conflating(store: Store, action: str = "d", **parameters: Any) -> Bench:
    return Bench(store, action=action, conflate=True, **{"key": KEY, **parameters})


def values(store: Store, key: str) -> list[bytes]:
    """What a reader of the key could have seen, in order."""
    return [body for written, body in store.confirmed if written == key]


def test_only_the_newest_row_that_waits_is_written() -> None:
    """A client that publishes faster than the store answers has its last row written, and the rest are counted."""
    store = Store(failing=0)
    metrics = [each.labels("waits") for each in (CONFLATED, ROWS_WRITTEN, OVERWRITTEN)]
    before = [metric._value.get() for metric in metrics]

    async def story() -> None:
        bench = conflating(store, "waits")
        running = asyncio.create_task(bench.lane.run())
        bench.feed([kafka_record(0, b"c0", b"0")])
        await asyncio.sleep(0.001)  # it is on its way
        bench.feed([kafka_record(offset, b"c0", b"%d" % offset) for offset in range(1, 76)])
        bench.lane.drain()
        await running
        assert (bench.lane.durable, bench.lane.held_bytes) == (76, 0)

    in_virtual_time(story())

    assert values(store, "latest/c0") == [b"0", b"75"]
    assert [metric._value.get() - was for metric, was in zip(metrics, before, strict=True)] == [74, 2, 0]


def test_without_it_each_row_is_written() -> None:
    """It is off by default."""
    store = Store(failing=0)

    async def story() -> None:
        bench = Bench(store, key=KEY)
        bench.feed(messages(30, clients=2))
        await bench.finish()

    in_virtual_time(story())

    assert len(store.confirmed) == 30


def test_rows_of_many_clients_wait_for_one_key() -> None:
    """The key decides and not the client, so rows of several clients do not meet at the store."""
    store = Store(failing=0)

    async def story() -> None:
        bench = conflating(store, key="latest/site")
        bench.feed(messages(60, clients=20))
        await bench.finish()

    in_virtual_time(story())

    assert (values(store, "latest/site"), store.most_under_way) == ([b"59"], 1)


@pytest.mark.parametrize("seed", range(30))
def test_no_owner_and_no_replay_puts_an_older_row_over_a_newer_one(seed: int) -> None:
    """Three owners write the same log at once; then one reads all of it again. The last row of each key stays."""
    store = Store(seed)
    log = messages(60, seed=seed)

    async def story() -> None:
        owners: list[asyncio.Task[None]] = []
        for _ in range(3):
            bench = conflating(store)
            begin = store.chance.randrange(30) if owners else 0
            middle = store.chance.randrange(begin + 1, 59)
            bench.feed(log[begin:middle])
            owners.append(asyncio.create_task(bench.lane.run()))
            await asyncio.sleep(store.chance.random() * 3)
            bench.feed(log[middle:])
            bench.lane.drain()
        await asyncio.gather(*owners)
        written = len(store.confirmed)
        again = conflating(store)
        again.feed(log)
        await again.finish()
        assert (again.lane.durable, len(store.confirmed)) == (60, written)

    in_virtual_time(story())

    for client in {record.key.decode() for record in log if record.key}:
        wrote = [int(body) for body in values(store, f"latest/{client}")]
        assert wrote == sorted(wrote)
        assert wrote[-1] == max(record.offset for record in log if record.key == client.encode())


def test_durable_never_passes_a_row_whose_key_has_an_older_one() -> None:
    """A row that is left out is open until the newer row is in S3."""
    store = Store(seed=3)
    log = messages(100)

    async def story() -> None:
        bench = conflating(store)
        bench.feed(log)
        running = asyncio.create_task(bench.finish())
        while not running.done():
            await asyncio.sleep(0.05)
            there = {key: int(body) for key, (body, *_) in store.objects.items() if key.startswith("latest/")}
            for record in log[: bench.lane.durable or 0]:
                assert there[f"latest/{(record.key or b'').decode()}"] >= record.offset
        await running

    in_virtual_time(story())


def test_a_refused_row_is_a_dead_letter_and_the_row_before_it_is_written() -> None:
    """Whether a row is a dead letter does not depend on those that wait with it, and none of them is lost with it."""
    store = Store(failing=0)
    store.refused_bodies = {b"2", b"3"}

    async def story() -> None:
        bench = conflating(store)
        bench.feed([kafka_record(offset, b"c0", b"%d" % offset) for offset in range(4)])
        await bench.finish()
        assert bench.lane.durable == 4
        assert sorted(each.value or b"" for each in bench.letters.records) == [b"2", b"3"]

    in_virtual_time(story())

    assert values(store, "latest/c0") == [b"1"]


def test_each_row_under_a_key_of_somebody_else_is_a_dead_letter() -> None:
    """As many letters as without `conflate`."""
    store = Store(failing=0)
    store.objects["latest/c0"] = b"foreign", {}, "e"

    async def story() -> None:
        bench = conflating(store)
        bench.feed([kafka_record(offset, b"c0", b"%d" % offset) for offset in range(5)])
        await bench.finish()
        assert bench.letters.offsets == set(range(5))

    in_virtual_time(story())

    assert store.confirmed == []


def redriven(offset: int, first: int, value: bytes) -> Record:
    """A record that repeats the one at `first`."""
    place = RecordPlace("mqtt.messages", 0, first)
    record = kafka_record(offset, b"c0", value)
    header = Redriven(Failure("n", "d", "r", 0, place), place).encode()
    return record._replace(headers=[(REDRIVEN, header), *record.headers])


@pytest.mark.parametrize("write", ["fenced", "overwrite"])
def test_the_newest_row_is_that_of_the_latest_place(write: str) -> None:
    """A redriven row comes last and is an old one: it does not replace the newer row that waits with it."""
    store = Store(failing=0)

    async def story() -> None:
        bench = conflating(store, write=write)
        bench.feed([kafka_record(8, b"c0", b"8"), redriven(9, 3, b"3")])
        await bench.finish()
        assert bench.lane.durable == 10

    in_virtual_time(story())

    assert values(store, "latest/c0") == [b"8"]


def test_of_two_rows_of_one_record_the_second_is_the_newer() -> None:
    """The number of a row in its record decides."""
    store = Store(failing=0)

    async def story() -> None:
        bench = conflating(store, key="${clientid}", content="${item}")
        bench.rules = RuleSet({"r": 'FOREACH payload.a AS item FROM "t/#"'}, node="n")
        bench.feed([kafka_record(0, b"c0", b'{"a": [1, 2, 3]}')])
        await bench.finish()

    in_virtual_time(story())

    assert values(store, "c0") == [b"3"]


def test_verify_says_that_rows_may_have_no_object() -> None:
    """The bucket cannot show rows that were left out, so the reader is told."""

    async def notes(conflate: bool) -> list[Note]:
        parameters = DirectParameters(mode="direct", bucket="lake", key="latest/${clientid}", conflate=conflate)
        verifier = DirectVerifier("n/d", parameters, MemoryStore())  # type: ignore[arg-type]
        return [each async for each in verifier.reports() if isinstance(each, Note)]

    with_it, without = asyncio.run(notes(True)), asyncio.run(notes(False))

    assert [each for each in with_it if each not in without] == [Note(SAID)]
