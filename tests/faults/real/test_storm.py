"""Real workers in a storm: faults of tests/faults/real/storm.py that a seed draws, then the bucket and `verify` are asked.

TIDEGATE_FAULT_SEED gives the seed, a number or a commit; a failure prints the command that repeats it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping

import pytest

from tests.components.pipeline_parts import Offsets, Pipeline
from tests.faults import checkers
from tests.faults.real import losses
from tests.faults.real.load import SEED, SESSION_SECONDS, Load, Make
from tests.faults.real.losses import Snapshot
from tests.faults.real.storm import (
    LOST_ANSWERS,
    ChangeRule,
    Felt,
    Freeze,
    HealS3,
    Kill,
    Outage,
    Scene,
    Stop,
    Strike,
    Wake,
    drawn,
)
from tests.parts.faulty_s3 import FaultyS3
from tests.parts.part import S3Part
from tests.parts.waiting import let_pass, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
RECORDS_PER_STRIKE = 150


@pytest.fixture
def proxy(s3: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(s3, seed=SEED) as started:
        yield started


def weather(load: Load, scene: Scene, storm: list[Strike], *, losses_of_all: bool = False) -> None:
    """Run two workers, and one strike after the other while records arrive; then calm.

    With `losses_of_all` a commit may be beyond the ledger: the group or the bucket was changed.
    """
    load.produce(RECORDS_PER_STRIKE)
    scene.alive += [scene.pipeline.worker() for _ in range(2)]
    for fault in storm:
        load.produce(RECORDS_PER_STRIKE)
        fault.strike(scene)
        let_pass(scene.chance.uniform(0.3, SESSION_SECONDS))
        if not losses_of_all:
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
    storm: list[Strike] = [LOST_ANSWERS, Felt("lose_answer"), Kill(), *drawn(chance, steps=5)]

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


def test_what_a_storm_loses_outside_is_read_again_or_named(make: Make, proxy: FaultyS3) -> None:
    """Between kills and lost answers the bucket is put back, entries expire, the group is reset, and Kafka deletes records.

    Each row is in the ledger once, except those that it calls missing. What lies beside it,
    `verify` names.
    """
    chance = random.Random(SEED)
    pipeline = make(proxy.part)
    bucket = f"{pipeline.name}-rows"
    load, scene = Load(pipeline), Scene(pipeline, proxy, chance)
    snapshots: list[Snapshot] = []
    storm: list[Strike] = [
        LOST_ANSWERS,
        Outage(lambda of: snapshots.append(Snapshot.of(of, bucket))),
        Outage(lambda of: losses.reset_group(of, "rows", _anywhere(of, chance))),
        Outage(lambda of: snapshots[0].put_back(of)),
        Outage(lambda of: losses.delete_records(of, {0: _anywhere(of, chance)[0]})),
        Outage(lambda of: losses.expire_last_entries(of, bucket)),
        HealS3(),
    ]

    weather(load, scene, storm, losses_of_all=True)

    # Not the group's lag: the group was set to any offset, also beyond the ledger's.
    wait_until(lambda: _lost(pipeline.objects(bucket), load) == [], 60, lambda: f"seed {SEED}: {pipeline.tails()}")
    for worker in scene.alive:
        worker.stop()
    found = pipeline.objects(bucket)
    named, missing = checkers.named_objects(found), _missing(found)
    assert _lost(found, load) == [], f"seed {SEED}"
    said = pipeline.command("verify", "--output", "jsonl", "--action", "rows")
    findings = [json.loads(line) for line in said.stdout.splitlines() if '"finding"' in line]
    beside = checkers.data_objects(found).keys() - named.keys()
    assert {each["key"] for each in findings if each["finding"] == "orphan"} == beside, f"seed {SEED}"
    assert {each["finding"] for each in findings} <= {"orphan", "gone"}
    assert (said.returncode == 1) == bool(missing or beside)


def _missing(bucket: Mapping[str, bytes]) -> set[tuple[int, int]]:
    """The partition and offset of each record that the ledger calls missing."""
    return {
        (cut.partition[2], offset)
        for cut in checkers.cuts(bucket)
        for first, following in cut.fields["missing"]
        for offset in range(first, following)
    }


def _lost(bucket: Mapping[str, bytes], load: Load) -> list[str]:
    """The rows that are not once in the objects of the ledger, except those that it calls missing."""
    named, missing = checkers.named_objects(bucket), _missing(bucket)
    rows = {key: body for key, body in bucket.items() if key in named}
    expected = [n for place, n in load.places.items() if place not in missing and n % 3]
    return [wrong for wrong in checkers.exactly_once(rows, expected, "n") if not wrong.startswith("unexpected")]


def _anywhere(pipeline: Pipeline, chance: random.Random) -> Offsets:
    """An offset of each partition that Kafka has."""
    return {number: chance.randint(*log) for number, log in pipeline.logs().items()}
