"""Direct upload: order per client, progress, dead letters, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agents.metrics import OVERWRITTEN
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from pipeline.record import Outgoing
from pipeline.rule.rule_set import RuleSet
from tests.faults.simulation.direct_bench import Bench, Store, in_virtual_time, messages
from tests.faults.simulation.world import Letters, kafka_record


@pytest.mark.parametrize("seed", range(20))
def test_each_client_is_written_in_order_and_many_at_once(seed: int) -> None:
    """Failures and slow answers never let a later row of a client overtake an earlier one."""
    store = Store(seed)
    log = messages(200, seed=seed)

    async def story() -> None:
        bench = Bench(store)
        bench.feed(log[:120])
        bench.feed(log[120:])
        await bench.finish()
        assert bench.lane.durable == 200
        assert bench.lane.held_bytes == 0

    in_virtual_time(story())

    for client in {record.key for record in log}:
        wrote = [body for key, body in store.confirmed if key.startswith(client.decode() + "/")]
        assert wrote == [record.value for record in log if record.key == client]
    assert store.most_under_way > 1


def test_the_window_bounds_what_is_under_way() -> None:
    """`inflight_window` is the number of PUTs at once, per partition."""
    store = Store(failing=0)

    async def story() -> None:
        bench = Bench(store, window=3)
        bench.feed(messages(60, clients=20))
        await bench.finish()

    in_virtual_time(story())

    assert store.most_under_way == 3


def test_durable_never_passes_a_row_that_is_not_written() -> None:
    """After every confirmation, the durable offset is below all unwritten rows."""
    store = Store(seed=3)

    async def story() -> None:
        bench = Bench(store)
        bench.feed(messages(100))
        running = asyncio.create_task(bench.finish())
        while not running.done():
            await asyncio.sleep(0.05)
            written = {int(body) for _, body in store.confirmed}
            durable = bench.lane.durable or 0
            assert set(range(durable)) <= written
        await running

    in_virtual_time(story())


def test_what_s3_never_accepts_is_a_dead_letter_and_the_client_goes_on() -> None:
    """A refused row becomes a dead letter with payload and reason, and later rows of the client follow."""
    store = Store(failing=0)
    store.refused.add("c0/first")

    async def story() -> None:
        bench = Bench(store, key="${clientid}/${payload}")
        bench.feed([kafka_record(0, b"c0", b"first"), kafka_record(1, b"c0", b"second")])
        await bench.finish()
        assert bench.lane.durable == 2
        headers = dict(bench.letters.records[0].headers)
        assert (bench.letters.records[0].value, headers["dead_letter.cause"]) == (b"first", b"key_length")

    in_virtual_time(story())

    assert [key for key, _ in store.confirmed] == ["c0/second"]


def test_a_row_that_cannot_be_rendered_is_a_dead_letter() -> None:
    """A missing value is an error with the policy dead_letter, and always in the bucket."""
    store = Store(failing=0)

    async def story() -> None:
        bench = Bench(store, bucket="${nowhere}")
        bench.feed([kafka_record(0, b"c0", b"x")])
        await bench.finish()
        headers = dict(bench.letters.records[0].headers)
        assert (bench.lane.durable, headers["dead_letter.cause"]) == (1, b"render")

    in_virtual_time(story())

    assert store.confirmed == []


def test_two_rows_with_one_key_are_counted_as_overwritten() -> None:
    """Two rows with one key count as overwritten, and a replay of one record does not."""
    store = Store(failing=0)
    before = OVERWRITTEN.labels("over")._value.get()

    async def story() -> None:
        bench = Bench(store, action="over", key="${clientid}")
        bench.feed([kafka_record(0, b"c0", b"1"), kafka_record(1, b"c0", b"2"), kafka_record(2, b"c1", b"3")])
        await bench.finish()

    in_virtual_time(story())

    assert OVERWRITTEN.labels("over")._value.get() - before == 1


@pytest.mark.parametrize("payload", [b"", b"\xff\x00\xfe", b"not json"])
def test_content_is_the_payloads_very_bytes(payload: bytes) -> None:
    """The content is the exact payload, also if it is empty or binary."""
    store = Store(failing=0)

    async def story() -> None:
        bench = Bench(store)
        bench.feed([kafka_record(0, b"c0", payload)])
        await bench.finish()

    in_virtual_time(story())

    assert [body for _, body in store.confirmed] == [payload]


@pytest.mark.parametrize("seed", range(30))
def test_no_zombie_and_no_replay_puts_an_older_row_over_a_newer_one(seed: int) -> None:
    """Three owners write the same log at once, and the last row of each key stays."""
    store = Store(seed)
    log = messages(60, seed=seed)

    async def story() -> None:
        owners: list[Any] = []
        for _ in range(3):
            bench = Bench(store, key="${clientid}/latest")
            bench.feed(log[store.chance.randrange(30) if owners else 0 :])
            owners.append(asyncio.create_task(bench.finish()))
            await asyncio.sleep(store.chance.random() * 3)
        await asyncio.gather(*owners)

    in_virtual_time(story())

    for client in {record.key for record in log}:
        last = [record.value for record in log if record.key == client][-1]
        assert store.objects[client.decode() + "/latest"][0] == last
        written = [int(body) for key, body in store.confirmed if key == client.decode() + "/latest"]
        assert written == sorted(written)


def test_a_replay_writes_nothing() -> None:
    """A replay recognises every object by its place."""
    store = Store(failing=0)
    log = messages(30)

    async def story() -> None:
        for _ in range(2):
            bench = Bench(store)
            bench.feed(log)
            await bench.finish()

    in_virtual_time(story())

    assert len(store.confirmed) == 30


def test_two_rows_of_one_record_and_one_key_leave_the_second() -> None:
    """For two rows of one record, their order in the record decides."""
    store = Store(failing=0)

    async def story() -> None:
        bench = Bench(store, key="${clientid}", content="${item}")
        bench.rules = RuleSet({"r": 'FOREACH payload.a AS item FROM "t/#"'}, node="n")
        bench.feed([kafka_record(0, b"c0", b'{"a": [1, 2, 3]}')])
        await bench.finish()

    in_virtual_time(story())

    assert store.objects["c0"][0] == b"3"


def test_a_refused_row_holds_the_commit_back() -> None:
    """The offset stays below a refused row until its dead letter is durable."""
    store = Store(failing=0.0)
    bench = Bench(store, content="${text}", missing="dead_letter")
    bench.rules = RuleSet({"r": 'SELECT clientid, id, payload.text AS text FROM "t/#"'}, node="n")
    acknowledged = asyncio.Event()

    class SlowLetters(Letters):
        async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
            await acknowledged.wait()
            await super().send(topic, records)

    async def story() -> None:
        bench.lane._writer.dead_letters = DeadLetters(SlowLetters(), "dead", "d", Attempts("d"))
        run = asyncio.create_task(bench.lane.run())
        bench.feed([kafka_record(0, b"c0", b'{"text": "0"}')])
        await asyncio.sleep(0.01)  # it is on its way; the store takes longer
        bench.feed([kafka_record(1, b"c1", b"{}"), kafka_record(2, b"c2", b'{"text": "2"}')])
        held = 0
        for _ in range(100):
            await asyncio.sleep(0.1)
            held = max(held, bench.lane.durable or 0)
        acknowledged.set()
        bench.lane.drain()
        await run

        assert held == 1
        assert bench.lane.durable == 3

    in_virtual_time(story())
