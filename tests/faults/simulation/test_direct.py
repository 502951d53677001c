"""Direct upload with every interleaving that seeds can make."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.faults import Faults
from tests.faults.simulation.clock import tell
from tests.faults.simulation.direct import DirectWorld
from tests.faults.simulation.seeds import report, seeds


@pytest.mark.parametrize("seed", seeds(300))
def test_nothing_is_lost_and_no_client_goes_back(seed: int) -> None:
    """Owners, zombies, kills, stops and lost answers: each client's objects appear in order, and its latest one never
    goes back.

    No commit is beyond what is stored or a dead letter; the last values stay; and to read it all again writes nothing.
    """
    world = DirectWorld(seed, Faults.drawn(seed))

    tell(seed, world.tell_and_read_again())

    assert not (wrong := world.wrongs()), report(seed, "test_direct.py", wrong)


@pytest.mark.parametrize("seed", seeds(150))
def test_contents_that_recur_do_not_hide_a_later_row(seed: int) -> None:
    """Rows with the same bytes have the same ETag. A worker that lost its partition meanwhile never replaces the later one."""
    world = DirectWorld(seed, Faults.drawn(seed).with_recurring())

    tell(seed, world.tell_and_read_again())

    assert not (wrong := world.wrongs()), report(seed, "test_direct.py", wrong)


@pytest.mark.parametrize("seed", seeds(150))
def test_the_rows_of_a_topic_that_was_made_again_are_there(seed: int) -> None:
    """The topic is deleted and made again under the workers: no object and no commit of the one before fences its rows.

    Whoever was frozen with rows of the one before writes none of them over an object of the new one.
    """
    faults = replace(Faults.drawn(seed), replace_topic=0.1)
    world = DirectWorld(seed, faults)

    tell(seed, world.tell_and_read_again())

    assert not (wrong := world.wrongs()), report(seed, "test_direct.py", wrong)


@pytest.mark.parametrize("seed", seeds(80))
def test_the_newest_row_of_a_key_stays_where_others_are_left_out(seed: int) -> None:
    """`conflate`: each latest object has the same row in the end, whatever was left out; it never goes back on the way.

    Old rows are sent again, and rows are refused while others wait with them. To read it all again writes nothing.
    """
    world = DirectWorld(seed, Faults.drawn(seed), conflate=True)

    tell(seed, world.tell_and_read_again())

    assert not (wrong := world.wrongs()), report(seed, "test_direct.py", wrong)
