"""Objects that the store does not give, such as archived ones: `tidegate verify` names them, and goes on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agents.operate.verify import PartitionDone
from pipeline.errors import OperatorError
from tests.faults.damages.bench import copy_of, findings, kinds, made, scene_of, verified, verified_direct
from tests.faults.damages.made import DIRECT
from tests.faults.damages.scene import Scene

PARTS: dict[str, Callable[[Scene], str]] = {
    "start": Scene.start_key,
    "first entry": lambda scene: scene.entry_keys()[0],
    "last entry": lambda scene: scene.entry_keys()[-1],
    "rules": lambda scene: scene.rules_keys()[0],
    "object": lambda scene: scene.data_keys()[0],
}


@pytest.mark.parametrize("part", PARTS)
def test_what_the_store_does_not_give_is_named(part: str) -> None:
    """Each part of a ledger, and an object if its bytes are wanted; the other partition is reported as ever."""
    store = copy_of(made())
    key = PARTS[part](scene_of(store, "lines", 0, 1))
    store.archived = {key}

    reports = verified(store, "lines", deep=True, sweep=True)

    assert [each.key for each in findings(reports) if each.kind == "unread"] == [key]
    assert 1 in {each.partition for each in reports if isinstance(each, PartitionDone) and each.totals.rows}
    assert store.removed == []


def test_a_fast_proof_reads_no_objects() -> None:
    """A lake whose objects are archived and whose ledger is not is proven as far as listings go."""
    store = copy_of(made())
    store.archived = set(scene_of(store, "lines", 0, 1).data_keys())

    assert findings(verified(store, "lines", deep=False)) == []


def test_an_archived_row_of_direct_upload_is_named() -> None:
    """It cannot be read, and the others are."""
    store = copy_of(made())
    store.archived = {next(key for _, key in store.objects if key.startswith(f"{DIRECT}/"))}

    assert kinds(verified_direct(store, deep=True)) == {"unread"}
    assert kinds(verified_direct(store, deep=False)) == set()


def test_a_bucket_that_cannot_be_read_is_an_error() -> None:
    """Nothing is proven then, and that is not a finding."""
    store = copy_of(made())
    store.away = True

    with pytest.raises(OperatorError):
        verified(store, "lines", deep=True)
