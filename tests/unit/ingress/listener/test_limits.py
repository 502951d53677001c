"""How much of a listener one client or one address may take, as values: no clock, no socket."""

from __future__ import annotations

import pytest

from ingress.listener.limits.allowance import BURST_SECONDS, OVER_SECONDS_MAX, Allowance
from ingress.listener.limits.topics import TOPICS_MAX, TOPICS_OF_ONE_MAX, TOPICS_OF_ONE_MIN, TopicCount

# --- Packets without a message


def test_a_burst_is_free_and_what_is_beyond_it_has_to_wait() -> None:
    """A client may send ten seconds' worth at once, and then waits."""
    allowance = Allowance(10, now=0.0)

    waits = [allowance.spend(int(10 * BURST_SECONDS), 0.0), allowance.spend(5, 0.0), allowance.spend(10, 0.5)]

    assert waits == [0.0, 0.5, 1.0]
    assert not allowance.is_used_up


@pytest.mark.parametrize(("silence", "expected"), [(0.0, True), (5.0, False)])
def test_who_goes_on_too_long_has_used_it_up(silence: float, expected: bool) -> None:
    """A client that is held back for half a minute has used up its limit, and a pause starts a new count."""
    allowance, now = Allowance(10, now=0.0), 0.0
    used_up = []
    while now < OVER_SECONDS_MAX * 2:
        now += allowance.spend(150, now) + silence
        used_up.append(allowance.is_used_up)

    assert any(used_up) is expected


# --- Remembered topics


def test_a_client_forgets_its_topics_when_it_or_all_have_many() -> None:
    """A client keeps many topics alone, and a few while all clients together have too many."""
    topics = TopicCount()
    alone = [topics.is_enough(own) for own in (0, TOPICS_OF_ONE_MAX - 1, TOPICS_OF_ONE_MAX)]
    topics.count = TOPICS_MAX
    crowded = [topics.is_enough(own) for own in (0, TOPICS_OF_ONE_MIN - 1, TOPICS_OF_ONE_MIN)]

    assert alone == [False, False, True]
    assert crowded == [False, False, True]
