"""`tidegate verify --sweep` removes copies only: whatever was done to the bucket, each row is still there afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import pytest

from tests.faults.damages import rows
from tests.faults.damages.bench import copy_of, damaged, made, scene_of, verified
from tests.faults.damages.entries import LEDGER
from tests.faults.damages.knowing import KNOWING
from tests.faults.damages.made import BUCKET
from tests.faults.damages.objects import OBJECTS
from tests.faults.damages.scene import Damage, Scene
from tests.faults.damages.store import Stored

ACTION = "lines"


def rows_in(objects: Mapping[tuple[str, str], Stored]) -> set[str]:
    """All rows of the action's objects that can be read, under whatever name."""
    found = set[str]()
    for (_, key), stored in objects.items():
        if key.startswith(f"{ACTION}/"):
            with suppress(ValueError):
                found |= {repr(row) for row in rows.read(ACTION, stored.body)}
    return found


@pytest.mark.parametrize("damage", [*OBJECTS, *LEDGER, *KNOWING], ids=lambda damage: damage.name)
def test_no_row_is_swept_away(damage: Damage) -> None:
    """For each damage, at the end of a partition that was left in order, and of one that was not."""
    for partition in (0, 1):
        store, scene = damaged(damage, ACTION, partition, 7)
        before = rows_in(store.objects)

        verified(store, ACTION, deep=True, sweep=True)

        assert rows_in(store.objects) == before, (scene.hit, store.removed)


@pytest.mark.parametrize("damage", [*OBJECTS, *LEDGER], ids=lambda damage: damage.name)
def test_a_copy_is_kept_if_its_original_is_damaged(damage: Damage) -> None:
    """Somebody had copied each object beside it; then the originals, or what the ledger says of them, were damaged."""

    def twice(scene: Scene) -> None:
        for number, key in enumerate(scene.data_keys()):
            scene.write(f"{key.rpartition('/')[0]}/x-9-{number}-9.{ACTION}", *scene.objects[key])
        damage.do(scene)

    for partition in (0, 1):
        store, scene = damaged(Damage(damage.name, twice), ACTION, partition, 7)
        before = rows_in(store.objects)

        verified(store, ACTION, deep=True, sweep=True)

        assert rows_in(store.objects) == before, (scene.hit, store.removed)


@pytest.mark.parametrize("has_another", [False, True], ids=["only rows of the ledger", "and one more"])
def test_what_a_frozen_worker_wrote_goes_only_if_all_of_it_is_there(has_another: bool) -> None:
    """It wakes up under a rule that has ended, and writes rows of offsets that are entered already."""
    store = copy_of(made())
    scene = scene_of(store, ACTION, 1, 7)
    first, *_, last = scene.data_keys_by_offset()
    older, newer = scene.objects[first].metadata, scene.objects[last].metadata
    body = scene.objects[last].body + (b'{"n":"nowhere else"}\n' if has_another else b"")
    key = f"{last.rpartition('/')[0]}/x-9-9-9.{ACTION}"
    store.place(BUCKET, key, body, {**newer, **{name: older[name] for name in ("tidegate-epoch", "tidegate-version")}})

    verified(store, ACTION, deep=True, sweep=True)

    assert older["tidegate-epoch"] != newer["tidegate-epoch"]
    assert store.removed == ([] if has_another else [key])
