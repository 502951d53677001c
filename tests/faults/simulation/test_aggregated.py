"""Aggregated upload with every interleaving that seeds can make."""

from __future__ import annotations

import pytest

from tests.faults.faults import Faults
from tests.faults.simulation.aggregated import AggregatedWorld
from tests.faults.simulation.clock import tell
from tests.faults.simulation.seeds import report, seeds


@pytest.mark.parametrize("seed", seeds(1200))
def test_every_row_is_in_one_object(seed: int) -> None:
    """Owners, zombies, kills, stops, lost answers, new rules: the ledger is one chain and its objects hold each row once.

    No commit is beyond the ledger, nothing is ever written over, and everything is committed in the end.
    """
    world = AggregatedWorld(seed, Faults.drawn(seed))

    tell(seed, world.tell())

    assert not (wrong := world.wrongs()), report(seed, "test_aggregated.py", wrong)


# 985: an entry was forged while a worker was about to begin the ledger, which another one had begun meanwhile.
@pytest.mark.parametrize("seed", seeds(600, 985))
def test_what_is_lost_outside_is_read_again_or_named(seed: int) -> None:
    """Buckets put back, entries that are gone, groups that are reset, records that Kafka deletes, topics that are made again.

    Each topic's ledger is one chain all the same, which accounts for each offset; what it calls missing Kafka has deleted.
    """
    world = AggregatedWorld(seed, Faults.drawn(seed).with_losses(seed))

    tell(seed, world.tell())

    assert not (wrong := world.wrongs()), report(seed, "test_aggregated.py", wrong)


@pytest.mark.parametrize("seed", seeds(150))
def test_a_configuration_changes_while_workers_run(seed: int) -> None:
    """Lanes turn at a cut or while they hold nothing, and workers that are behind meet objects of later revisions.

    Each entry has the rows of one version, and no revision falls.
    """
    world = AggregatedWorld(seed, Faults.drawn(seed).with_reloads())

    tell(seed, world.tell())

    assert not (wrong := world.wrongs()), report(seed, "test_aggregated.py", wrong)


@pytest.mark.parametrize("seed", seeds(100))
def test_columns_are_kept_whoever_writes(seed: int) -> None:
    """Columns and their types go on over kills, stops and zombies, and each object can be made again to the byte."""
    world = AggregatedWorld(seed, Faults.drawn(seed).with_kinds())

    tell(seed, world.tell())

    assert not (wrong := world.wrongs()), report(seed, "test_aggregated.py", wrong)


def test_a_story_is_the_same_each_time() -> None:
    """A seed gives the same writes at the same virtual times in every run."""
    histories = []
    for _ in range(2):
        world = AggregatedWorld(12, Faults.drawn(12))
        tell(12, world.tell())
        histories.append(world.bucket.history)

    assert histories[0] == histories[1]
