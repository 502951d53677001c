"""An action that changes while its lanes run: each object is of one version, and nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import structlog

from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.row_place import place_of
from tests.faults import checkers
from tests.faults.simulation.direct_bench import Bench as DirectBench
from tests.faults.simulation.direct_bench import Store, in_virtual_time, messages
from tests.parts.actions import ALL, aggregated, direct
from tests.parts.bench import Bench, bucket, record, told
from tests.parts.waiting import until

LATER = {"r": 'SELECT payload.n AS n, 2 AS v FROM "t/#"'}
HOUR = {"time_interval": "1h", "max_records": 1000}


def test_a_lane_that_holds_nothing_turns_at_once() -> None:
    """After a cut, the entry of the turn comes without a record; rows of the old rules that wait are made again."""
    store = bucket()

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": "5s", "max_records": 5})
        bench.offer([record(offset) for offset in range(5)])
        await asyncio.sleep(10)
        assert bench.lane.durable == 5

        bench.writer.action = aggregated("a", LATER, aggregation=HOUR)
        bench.lane.turn()
        await asyncio.sleep(5)
        assert bench.lane.version is bench.writer.action

        bench.offer([record(offset) for offset in range(5, 8)])  # evaluated under the rules before
        await bench.stop()
        assert bench.lane.durable == 8

    told(story)
    objects = checkers.data_objects(store.contents())
    found = [[row.get("v") for row in checkers.rows_of(body)] for body in objects.values()]
    assert sorted(found, key=str) == [[2, 2, 2], [None] * 5]
    assert checkers.unbroken_chain(store.contents(), ("a", "mqtt.messages", 0), 0, 8, "id") == []


def test_a_lane_without_a_chain_waits_for_its_first_record() -> None:
    """A turn before the first record writes nothing, and the first rows are of the new version."""
    store = bucket()

    async def story() -> None:
        bench = Bench(store, aggregation=HOUR)
        await asyncio.sleep(1)
        bench.writer.action = aggregated("a", LATER, aggregation=HOUR)
        bench.lane.turn()
        await asyncio.sleep(1)
        assert store.contents() == {}

        bench.offer([record(0)])
        await bench.stop()

    told(story)
    (body,) = checkers.data_objects(store.contents()).values()
    assert [row["v"] for row in checkers.rows_of(body)] == [2]


def test_a_lane_that_waits_for_a_revision_goes_on_when_the_action_has_it() -> None:
    """A worker that is behind is woken by its supervisor; no time passes for it, and nothing is asked of S3 meanwhile."""
    store = bucket()

    async def story() -> None:
        ahead = Bench(store, aggregation=HOUR)
        ahead.writer.action = replace(ahead.writer.action, revision=7)
        ahead.offer([record(offset) for offset in range(5)])
        await ahead.stop()

        behind = Bench(store, aggregation=HOUR)
        behind.kafka.end = 5
        await asyncio.sleep(60)
        assert not behind.lane.ready
        behind.writer.action = replace(behind.writer.action, revision=7)
        behind.lane.turn()
        await until(lambda: behind.lane.ready, 30)
        await behind.stop()

    told(story)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("changed", ["rules", "key", "content"])
def test_a_direct_action_turns_between_two_batches(seed: int, changed: str) -> None:
    """Rows that are under way are written as they were rendered; all later ones under the new version, in order, none lost."""
    store, log = Store(seed), messages(300, seed=seed)
    before: dict[str, Any] = {"key": "1/${id}", "content": "${clientid} 1"}
    after = {
        "rules": (LATER, {"key": "${v}/${n}", "content": "${v}"}),
        "key": (None, before | {"key": "2/${id}"}),
        "content": (None, before | {"content": "${clientid} 2"}),
    }[changed]

    async def story() -> None:
        bench = DirectBench(store, **before)
        statements = {"r": 'SELECT *, 2 AS v, payload AS n FROM "t/#"'} if after[0] else {"r": 'SELECT * FROM "t/#"'}
        bench.feed(log[:150])
        rules = bench.rules
        running = asyncio.create_task(bench.lane.run())
        await until(lambda: len(store.confirmed) >= 60, 600)
        bench.lane._writer.turn_to(direct("d", statements, node="n", **after[1]))
        bench.lane.turn()
        bench.feed(log[150:200], rules)  # evaluated under the rules before, and still on its way
        bench.feed(log[200:])
        bench.lane.drain()
        await running
        assert bench.lane.durable == 300

    in_virtual_time(story())

    assert len(store.objects) == 300
    of_version = {True: 0, False: 0}
    for key, (body, headers, _) in store.objects.items():
        place = place_of({name.removeprefix(METADATA_PREFIX): value for name, value in headers.items()})
        assert place is not None
        is_later = place.offset >= 150
        of_version[is_later] += 1
        if is_later:
            assert key.startswith("2/") if changed != "content" else body.endswith(b" 2")
    assert min(of_version.values()) > 0


def test_a_ledger_of_another_pipeline_is_named_once() -> None:
    """Whoever goes on from an entry of another pipeline says whose it is. An entry of its own old rules says nothing."""
    store = bucket()
    logs: list[list[str]] = []

    async def life(pipeline: str, rules: Mapping[str, str], offset: int) -> None:
        with structlog.testing.capture_logs() as lines:
            bench = Bench(store, aggregation=HOUR, node=pipeline, rules=rules)
            bench.kafka.end = offset
            await asyncio.sleep(1)
            bench.offer([record(offset)])
            await bench.stop()
        told = [line for line in lines if line["event"] == "ledger.of_another_pipeline"]
        logs.append([f"{line['pipeline']} goes on after {line['ledger']}" for line in told])

    async def story() -> None:
        for offset, (pipeline, rules) in enumerate((("a", ALL), ("a", LATER), ("b", LATER), ("b", ALL), ("a", ALL))):
            await life(pipeline, rules, offset)

    told(story)
    assert logs == [[], [], ["b goes on after a"], [], ["a goes on after b"]]
