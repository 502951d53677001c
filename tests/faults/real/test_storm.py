"""Real workers in a storm: faults of tests/faults/real/storm.py that a seed draws, then the bucket and `verify` are asked.

TIDEGATE_FAULT_SEED gives the seed, a number or a commit; a failure prints the command that repeats it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.faults import checkers
from tests.faults.real.load import SEED, SESSION_SECONDS, Load, Make
from tests.faults.real.storm import (
    LOST_ANSWERS,
    ChangeRule,
    Freeze,
    HealS3,
    Kill,
    Scene,
    Stop,
    Strike,
    Wake,
    drawn,
)
from tests.parts.faulty_s3 import FaultyS3
from tests.parts.part import S3Part
from tests.parts.waiting import let_pass

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
RECORDS_PER_STRIKE = 150


@pytest.fixture
def proxy(s3: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(s3, seed=SEED) as started:
        yield started


def weather(load: Load, scene: Scene, storm: list[Strike]) -> None:
    """Run two workers, and one strike after the other while records arrive; then calm."""
    load.produce(RECORDS_PER_STRIKE)
    scene.alive += [scene.pipeline.worker() for _ in range(2)]
    for fault in storm:
        load.produce(RECORDS_PER_STRIKE)
        fault.strike(scene)
        let_pass(scene.chance.uniform(0.3, SESSION_SECONDS))
        load.check_commits()
    load.produce(RECORDS_PER_STRIKE)
    # Who was frozen last must have lost its partitions when it wakes up.
    let_pass(1.5 * SESSION_SECONDS)
    scene.calm()


def verify(load: Load) -> None:
    """`tidegate verify --deep` has no findings."""
    said = load.pipeline.command("verify", "--deep", "--action", "rows")

    assert said.returncode == 0, f"seed {SEED}\n{said.stdout[-3000:]}{said.stderr[-2000:]}"


def test_a_storm_loses_nothing_and_doubles_nothing(make: Make, proxy: FaultyS3) -> None:
    """Random kills, frozen workers, rebalances, lost answers, throttling and cut connections lose or double no row."""
    chance = random.Random(SEED)
    pipeline = make(proxy.part)
    load, scene = Load(pipeline), Scene(pipeline, proxy, chance)
    storm: list[Strike] = [LOST_ANSWERS, Kill(), *drawn(chance, steps=5)]

    weather(load, scene, storm)

    assert proxy.injected("lose_answer") > 0
    load.check()
    verify(load)


def test_new_rules_under_load_take_effect_at_one_offset(make: Make, proxy: FaultyS3) -> None:
    """With old and new rules side by side, each record's row is stored once, under one rule."""
    chance = random.Random(SEED)
    pipeline = make(proxy.part)
    load, scene = Load(pipeline), Scene(pipeline, proxy, chance)
    storm: list[Strike] = [Freeze(), ChangeRule(), Kill(), LOST_ANSWERS, ChangeRule(), HealS3(), Wake(), Stop()]

    weather(load, scene, storm)

    load.check(new_rules=True)
    rules = {
        (cut.partition[2], cut.fields["version"]) for cut in checkers.cuts(pipeline.objects(f"{pipeline.name}-rows"))
    }
    assert len(rules) > pipeline.partitions, "no rule ever took effect"
