"""Aggregated upload under every interleaving that a seed can think of."""

from __future__ import annotations

import asyncio
import json
import os
import random
from typing import Any

import pytest

from agents.chain import FenceLostError
from pipeline.config import AggregatedParameters
from pipeline.record import Record
from tests.faults import checkers
from tests.faults.simulation.world import Faults, VirtualLoop, World, kafka_record

SEEDS = int(os.environ.get("TIDEGATE_SIMULATION_SEEDS", "150"))
FIRST_SEED = int(os.environ.get("TIDEGATE_SIMULATION_FIRST_SEED", "0"))
PLACE = ("a", "mqtt.messages", 0)


def make_log(seed: int, records: int = 120) -> list[Record]:
    """Records of three groups; a quarter is filtered."""
    chance = random.Random(seed)
    return [
        kafka_record(
            offset,
            b"c%d" % chance.randrange(3),
            json.dumps({"n": offset, "g": chance.choice("ABC"), "keep": chance.random() < 0.75}).encode(),
        )
        for offset in range(records)
    ]


def parameters(**changes: Any) -> AggregatedParameters:
    """A small chunk, a short interval."""
    aggregation = {"time_interval": "5s", "max_records": 5}
    return AggregatedParameters.model_validate(
        {"mode": "aggregated", "bucket": "b", "key": "${g}/x.jsonl", "aggregation": aggregation, **changes}
    )


async def story(world: World, *, rule_changes: bool) -> None:
    """Owners come, freeze, wake up and die; the last one finishes."""
    writers: set[asyncio.Task[None]] = set()
    for _ in range(25):
        if not writers or world.chance.random() < world.bucket.faults.replace:
            writers.add(asyncio.create_task(world.own(pace_seconds=4.0)))
        if writers and world.chance.random() < world.bucket.faults.kill:
            world.chance.choice(sorted(writers, key=id)).cancel()
        if rule_changes and world.chance.random() < 0.05:
            world.statements = {"r": world.statements["r"] + " -- changed\n"}
        await asyncio.sleep(world.chance.random() * 8)
        for task in [each for each in writers if each.done()]:
            writers.discard(task)
            if not task.cancelled() and task.exception() and not isinstance(task.exception(), FenceLostError):
                raise task.exception()  # type: ignore[misc]
    await finish(world)
    await asyncio.gather(*writers, return_exceptions=True)  # zombies wake up at the very end


async def finish(world: World) -> None:
    """Clean owners until the log is durable. One may lose its fence to a zombie that is still at it."""
    for _ in range(20):
        try:
            await world.own(pace_seconds=1.0)
        except FenceLostError:
            continue
        if world.committed == len(world.log):
            return
    raise AssertionError(f"not durable: committed {world.committed} of {len(world.log)}")


def run(seed: int, faults: Faults, *, rule_changes: bool = False) -> World:
    """One seed's story, in virtual time."""
    world = World(seed, make_log(seed), parameters(), faults)
    loop = VirtualLoop()
    try:
        loop.run_until_complete(asyncio.wait_for(story(world, rule_changes=rule_changes), timeout=100_000))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    return world


def wrongs(world: World) -> list[str]:
    bucket = world.bucket.contents()
    kept = [record.offset for record in world.log if json.loads(record.value)["keep"]]
    return [
        *checkers.unbroken_chain(bucket, PLACE, 0, len(world.log)),
        *checkers.conservation(bucket),
        *checkers.whole_objects(bucket),
        *checkers.exactly_once(bucket, kept, "n"),
        *checkers.no_orphans(bucket),
    ]


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_every_row_is_in_one_object(seed: int) -> None:
    """Whatever owners, zombies, kills and lost answers: the ledger is one chain and its objects hold each row once.

    A failing seed is repeated with TIDEGATE_SIMULATION_FIRST_SEED=<seed> TIDEGATE_SIMULATION_SEEDS=1.
    """
    world = run(seed, Faults())

    assert wrongs(world) == []
