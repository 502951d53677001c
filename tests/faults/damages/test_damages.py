"""`tidegate verify` finds every damage of every kind, in every format, and nothing where nothing is damaged.

The product writes the bucket; one damage at a time is done to it, by a seed; both runs of `verify` look at it, the one that reads
no object and the one that reads all of them. Then the damage is undone, and both find nothing again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable

import pytest

from agents.operate.verify import PartitionDone
from tests.faults.damages.bench import SEEDS, copy_of, damaged, findings, made, scene_of, verified
from tests.faults.damages.entries import LEDGER
from tests.faults.damages.fields import field_damages
from tests.faults.damages.knowing import KNOWING
from tests.faults.damages.made import FORMATS, PARTITIONS, TOPIC
from tests.faults.damages.objects import METADATA, OBJECTS
from tests.faults.damages.scene import Damage


@functools.cache
def field_kinds() -> list[Damage]:
    return list(field_damages(scene_of(made(), "lines", 0, 0)))


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_what_the_product_wrote_is_whole(name: str, deep: bool) -> None:
    """No finding; each record of both partitions is accounted for, and there is something of every kind."""
    reports = verified(copy_of(made()), name, deep=deep)

    assert findings(reports) == []
    done = [report for report in reports if isinstance(report, PartitionDone)]
    assert [(each.partition, each.first, each.next) for each in done] == [(0, 0, 120), (1, 0, 120)]
    for each in done:
        totals = each.totals
        assert min(totals.rows, totals.filtered, totals.dead_lettered, totals.objects - 10, totals.entries - 10) > 0


def test_each_name_of_metadata_is_forged() -> None:
    """The list of the harness has all that the product writes."""
    scene = scene_of(made(), "lines", 0, 0)

    assert set(scene.objects[scene.data_keys()[0]].metadata) <= set(METADATA)


@pytest.mark.parametrize("damage", list(OBJECTS), ids=lambda damage: damage.name)
def test_a_damage_of_objects_is_found(damage: Damage) -> None:
    """In every format, with and without reading the objects; and each other partition is reported as before."""
    places = [(seed, name, (seed + number) % 2) for seed in range(SEEDS) for number, name in enumerate(FORMATS)]

    assert missed(damage, places) == []


@pytest.mark.parametrize("damage", [*LEDGER, *KNOWING], ids=lambda damage: damage.name)
def test_a_damage_of_the_ledger_is_found(damage: Damage) -> None:
    """At the end of a partition that was left in order, and of one that was not."""
    places = [
        (seed, list(FORMATS)[(seed + partition) % 4], partition) for seed in range(SEEDS) for partition in PARTITIONS
    ]

    assert missed(damage, places) == []


def missed(damage: Damage, places: Iterable[tuple[int, str, int]]) -> list[str]:
    """Where, and by which run, a damage is not found, or ends the report."""
    wrong = []
    for seed, name, partition in places:
        store, scene = damaged(damage, name, partition, seed)
        for deep in (False, True):
            reports = verified(store, name, deep=deep)
            if not findings(reports) and (deep or not damage.deep):
                wrong.append(f"{name}/{partition} seed {seed} deep={deep}: {scene.hit}")
            reported = {each.partition for each in reports if isinstance(each, PartitionDone)}
            if 1 - partition not in reported and damage.name != "ledgers_and_rules_gone":
                wrong.append(f"{name}/{partition} seed {seed}: partition {1 - partition} is not reported: {scene.hit}")
    return wrong


def test_every_field_of_the_ledger_counts() -> None:
    """Altered, of another type, gone: at the ledger's beginning, in its first, a middle and its last entry."""
    wrong = []
    for number, damage in enumerate(field_kinds()):
        name = list(FORMATS)[number % len(FORMATS)]
        store, scene = damaged(damage, name, number % 2, number)
        wrong += [
            f"{damage.name} of {name}, deep={deep}: {scene.hit}"
            for deep in (False, True)
            if not findings(verified(store, name, deep=deep))
        ]

    assert len(field_kinds()) > 200
    assert wrong == []


def test_a_damage_stays_where_it_is() -> None:
    """Of a partition that is whole nothing is said, whatever happened to the other one."""
    others = []
    for damage in [*OBJECTS, *LEDGER, *KNOWING]:
        if damage.name.startswith(
            ("rules", "rule_", "ledgers_and_rules", "foreign_beside_the_topics", "foreign_in_the_rules")
        ):
            continue  # those are of all partitions
        store, scene = damaged(damage, "lines", 0, 5)
        others += [
            f"{damage.name}: {each}"
            for each in findings(verified(store, "lines", deep=False))
            if f"{TOPIC}/-/1/" in each.key
        ]
        del scene

    assert others == []
