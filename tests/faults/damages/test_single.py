"""`tidegate verify` of direct uploads: what the bucket can prove is found, and what it cannot is said."""

from __future__ import annotations

import asyncio

import pytest

from agents.operate.verify_direct import OF_MANY_BUCKETS, UNPROVEN, DirectDone, Note
from tests.faults.damages.bench import SEEDS, copy_of, damaged, kinds, made, verified_direct
from tests.faults.damages.made import DIRECT, log, write_direct
from tests.faults.damages.scene import Damage
from tests.faults.damages.single import METADATA, SINGLE

# Whoever forgets the metadata of a copy, too, leaves an object of nobody.
COPIES = ("copied", "copied_with_a_suffix", "copied_as_of_another_action")


@pytest.mark.parametrize("deep", [False, True])
def test_what_the_product_wrote_is_whole(deep: bool) -> None:
    """Each object is counted, nothing is found, and the last line says what is not proven."""
    reports = verified_direct(copy_of(made()), deep=deep)

    assert kinds(reports) == set()
    done = next(report for report in reports if isinstance(report, DirectDone))
    assert (done.objects, done.unmarked) == (40, 0)
    assert reports[-1] == Note(UNPROVEN)


def test_each_name_of_metadata_is_forged() -> None:
    """The list of the harness has all that the product writes."""
    key = next(key for key in made().objects if key[1].startswith(f"{DIRECT}/"))

    assert set(made().objects[key].metadata) <= {*METADATA, "tidegate-action"}


@pytest.mark.parametrize("damage", list(SINGLE), ids=lambda damage: damage.name)
def test_a_damage_is_found(damage: Damage) -> None:
    """Without reading the objects, unless only their bytes tell; and always by reading them."""
    for seed in range(3 * SEEDS):
        store, scene = damaged(damage, DIRECT, 0, seed)

        found = [kinds(verified_direct(store, deep=deep)) for deep in (False, True)]

        assert found[1], scene.hit
        assert found[0] or damage.deep, scene.hit


def test_a_row_in_two_objects_is_found() -> None:
    """Also where each of them is whole: a key template was changed, and the rows were read again."""
    store = copy_of(made())
    asyncio.run(write_direct(store, log(1, 0)[:5], key=f"{DIRECT}/again/${{clientid}}/${{n}}.json"))  # type: ignore[arg-type]

    assert kinds(verified_direct(store, deep=True, key=f"{DIRECT}/again/${{clientid}}")) == set()
    assert kinds(verified_direct(store, deep=True)) == {"twice"}


@pytest.mark.parametrize("damage", [each for each in SINGLE if each.name in COPIES], ids=lambda damage: damage.name)
def test_a_copy_in_the_folder_is_found(damage: Damage) -> None:
    """Also if the fixed text of the key goes on behind the folder, and the copy begins otherwise."""
    store, scene = damaged(damage, DIRECT, 0, 1)

    assert kinds(verified_direct(store, deep=False, key=f"{DIRECT}/c${{clientid}}/${{n}}.json")), scene.hit


def test_what_cannot_be_known_is_said() -> None:
    """Buckets that rows name; and objects that say nothing, under a key without a prefix of its own."""
    store = copy_of(made())
    store.place("lake", "holiday.jpg", b"x", {})

    assert verified_direct(store, deep=False, bucket="${site}") == [Note(OF_MANY_BUCKETS)]
    reports = verified_direct(store, deep=False, key="${clientid}.jpg")
    assert kinds(reports) == set()
    assert any(isinstance(each, Note) and "1 objects say nothing of themselves" in each.text for each in reports)
