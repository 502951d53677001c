"""Direct upload: whose object may be replaced, and what an object carries to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from agents.sinks.direct import DirectLane
from pipeline.connectors.s3.store import Head
from pipeline.record import Record
from pipeline.upload.headers import METADATA_BYTES_MAX, METADATA_PREFIX
from tests.faults.simulation.direct_bench import Bench, Store, in_virtual_time, messages
from tests.faults.simulation.world import kafka_record
from tests.parts.waiting import until


@pytest.mark.parametrize("beyond", [0, 1])
def test_metadata_has_two_kilobytes_with_our_own(beyond: int) -> None:
    """As S3 counts them: names and values, as they are sent. A row of more is a dead letter and no request."""
    store = Store(failing=0)
    small = written(store, [kafka_record(0, b"c0", b"y" * 1000)])["c0"][1]
    ours = sum(len(name) - len(METADATA_PREFIX) + len(text) for name, text in small.items()) - 1000
    objects = written(store, [kafka_record(1, b"c0", b"x" * (METADATA_BYTES_MAX - ours + beyond))], letters=beyond)

    assert len(objects) == 1
    assert len(store.confirmed) == 2 - beyond


def written(store: Store, records: list[Record], letters: int = 0) -> dict[str, tuple[bytes, Mapping[str, str], str]]:
    """The objects of some rows, whose payload is metadata too; so many of them are dead letters."""

    async def story() -> None:
        bench = Bench(store, key="${clientid}", metadata={"who": "${payload}"})
        bench.feed(records)
        await bench.finish()
        assert [dict(each.headers)["dead_letter.cause"] for each in bench.letters.records] == [b"render"] * letters

    in_virtual_time(story())
    return store.objects


OTHERS: list[dict[str, str]] = [
    {},
    {f"{METADATA_PREFIX}tidegate-action": "n/other", f"{METADATA_PREFIX}tidegate-place": "mqtt.messages/0/0.0"},
    {f"{METADATA_PREFIX}tidegate-action": "other/d", f"{METADATA_PREFIX}tidegate-place": "mqtt.messages/0/0.0"},
    {f"{METADATA_PREFIX}tidegate-action": "d", f"{METADATA_PREFIX}tidegate-place": "mqtt.messages/0/0"},
    {f"{METADATA_PREFIX}tidegate-place": "mqtt.messages/0/9.0"},
]


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "plain"])
@pytest.mark.parametrize(
    "headers", OTHERS, ids=["nobody's", "another action's", "another pipeline's", "aggregated", "unmarked"]
)
def test_an_object_of_another_stays_and_the_row_is_a_dead_letter(headers: dict[str, str], conditional: bool) -> None:
    """Also one of an action with the same name in another pipeline, and where the store knows no conditions."""
    store = Store(failing=0, conditional=conditional)
    store.objects["c0"] = b"theirs", headers, "e"

    async def story() -> None:
        bench = Bench(store, key="${clientid}")
        bench.feed([kafka_record(0, b"c0", b"ours"), kafka_record(1, b"c1", b"ours")])
        await bench.finish()
        letters = [dict(each.headers) for each in bench.letters.records]
        assert [each["dead_letter.cause"] for each in letters] == [b"foreign_object"]
        assert b"write: overwrite" in letters[0]["dead_letter.error"]
        assert bench.lane.durable == 2

    in_virtual_time(story())

    assert (store.objects["c0"][0], store.objects["c1"][0]) == (b"theirs", b"ours")


@pytest.mark.parametrize("headers", OTHERS)
def test_whoever_asks_for_it_replaces_whatever_is_there(headers: dict[str, str]) -> None:
    """`write: overwrite`: but the ledger's keys, which no row can render."""
    store = Store(failing=0)
    store.objects["c0"] = b"theirs", headers, "e"

    async def story() -> None:
        bench = Bench(store, key="${clientid}", write="overwrite")
        bench.feed([kafka_record(0, b"c0", b"ours"), kafka_record(1, b"_tidegate/a/start.json", b"ours")])
        await bench.finish()
        assert [dict(each.headers)["dead_letter.cause"] for each in bench.letters.records] == [b"render"]

    in_virtual_time(story())

    assert {key: found[0] for key, found in store.objects.items()} == {"c0": b"ours"}


def test_without_the_fence_every_row_is_a_plain_put() -> None:
    """By choice: the later PUT wins. The object is marked as ours all the same, for when the fence is switched on."""
    store = Store(failing=0)

    async def story() -> None:
        for write in ("overwrite", "overwrite", "fenced"):
            bench = Bench(store, key="${clientid}", write=write)
            bench.feed([kafka_record(0, b"c0", b"ours")])
            await bench.finish()
            assert bench.letters.records == []

    in_virtual_time(story())

    assert len(store.confirmed) == 2
    assert store.objects["c0"][1][f"{METADATA_PREFIX}tidegate-action"] == "n/d"


def test_a_store_without_conditions_is_looked_at_before_each_new_key() -> None:
    """A replay writes nothing there either, as long as nobody else writes between the look and the PUT."""
    store = Store(failing=0, conditional=False)
    log = messages(20)

    async def story() -> None:
        for _ in range(2):
            bench = Bench(store)
            bench.feed(log)
            await bench.finish()

    in_virtual_time(story())

    assert len(store.confirmed) == 20


class HashingStore(Store):
    """Equal contents have equal ETags, as the MD5 of S3. Counts its HEAD requests."""

    heads = 0

    async def head(self, bucket: str, key: str) -> Head | None:
        self.heads += 1
        return await super().head(bucket, key)

    async def _write(self, key: str, body: bytes, *others: Any) -> str | None:
        found = await super()._write(key, body, *others)
        if found is not None and key in self.objects:
            self.objects[key] = (*self.objects[key][:2], body.decode())
            return body.decode()
        return found


SWITCH = [kafka_record(offset, b"c0", body) for offset, body in enumerate((b"on", b"off", b"on", b"off", b"on"))]


@pytest.mark.parametrize("conditional", [True, False], ids=["conditional", "plain"])
def test_a_worker_that_was_frozen_replaces_no_later_row_of_the_same_bytes(conditional: bool) -> None:
    """It knows the ETag of "on" at offset 0, and the "on" of offset 4 has the same. So it looks before it replaces."""
    store = HashingStore(failing=0, conditional=conditional)

    async def story() -> None:
        frozen, successor = Bench(store, key="${clientid}"), Bench(store, key="${clientid}")
        frozen.feed(SWITCH[:1])
        running = asyncio.create_task(frozen.lane.run())
        await until(lambda: frozen.lane.durable == 1)
        successor.feed(SWITCH)
        await successor.finish()
        frozen.kafka.owned = False
        frozen.feed(SWITCH[1:4])
        frozen.lane.drain()
        await running

    in_virtual_time(story())

    assert store.objects["c0"][1][f"{METADATA_PREFIX}tidegate-place"] == "mqtt.messages/0/4.0"


def test_a_retry_looks_again_when_the_partition_may_be_lost() -> None:
    """S3 is away while the worker loses its partition: what it tries again afterwards replaces no later row."""
    store, way = HashingStore(failing=0), HashingStore(failing=0)
    way.objects = store.objects  # one store, and the frozen worker's way to it

    async def story() -> None:
        frozen, successor = Bench(way, key="${clientid}"), Bench(store, key="${clientid}")
        frozen.feed(SWITCH[:1])
        running = asyncio.create_task(frozen.lane.run())
        await until(lambda: frozen.lane.durable == 1)
        way.failing = 1
        frozen.feed(SWITCH[1:2])
        await until(lambda: frozen.writer.store._patience.status == "disconnected")  # type: ignore[attr-defined]
        frozen.kafka.owned = False
        successor.feed(SWITCH)
        await successor.finish()
        way.failing = 0
        frozen.lane.drain()
        await running

    in_virtual_time(story())

    assert store.objects["c0"][1][f"{METADATA_PREFIX}tidegate-place"] == "mqtt.messages/0/4.0"


def test_the_owner_of_a_partition_replaces_without_a_look() -> None:
    """One request for each row of a key that it has written before."""
    store = HashingStore(failing=0)

    async def story() -> None:
        bench = Bench(store, key="${clientid}")
        bench.feed(SWITCH)
        await bench.finish()

    in_virtual_time(story())

    assert (len(store.confirmed), store.heads) == (5, 0)


def test_a_lane_that_starts_knows_no_key() -> None:
    """Its partition may have been another worker's meanwhile, with the same bytes under a key at a later place."""
    store = HashingStore(failing=0)

    async def story() -> None:
        bench = Bench(store, key="${clientid}")
        bench.feed(SWITCH[:1])
        await bench.finish()
        other = Bench(store, key="${clientid}")
        other.feed(SWITCH)
        await other.finish()
        bench.lane = DirectLane(bench.lane.partition, lambda: None, bench.writer)
        bench.feed(SWITCH[1:4])
        await bench.finish()

    in_virtual_time(story())

    assert len(store.confirmed) == 5
    assert store.objects["c0"][1][f"{METADATA_PREFIX}tidegate-place"] == "mqtt.messages/0/4.0"
