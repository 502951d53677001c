"""Waiting before the next try: policies as numbers."""

from __future__ import annotations

import pytest

from pipeline import retry
from pipeline.errors import OperatorError, RetryableError
from pipeline.retry import BROKER, RESTART, SINK, Policy

POLICIES = {name: each for name, each in vars(retry).items() if isinstance(each, Policy)}
AWAY = RetryableError("away", reason="timeout")
FORBIDDEN = OperatorError("forbidden", reason="AccessDenied")


def test_a_wait_doubles_to_its_cap() -> None:
    """With the worst luck each wait is twice the one before, up to the cap."""
    waits = Policy(1, 5).waits(lambda: 1.0)

    assert [waits.after(AWAY) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_wait_is_spread_over_the_whole_range() -> None:
    """Full jitter: with the best luck nobody waits, unless the policy has a least wait."""
    assert [SINK.waits(lambda: 0.0).after(AWAY), RESTART.waits(lambda: 0.0).after(AWAY)] == [0, 1]


def test_a_least_wait_is_within_the_ceiling() -> None:
    """It shortens the range from below, and does not add to it."""
    waits = RESTART.waits(lambda: 0.5)

    assert [waits.after(None) for _ in range(3)] == [1.5, 2.5, 4.5]


def test_a_person_is_given_time() -> None:
    """What a person has to mend is not asked for ten times a second; what passes by itself may be."""
    waits = BROKER.waits(lambda: 0.0)

    assert [waits.after(FORBIDDEN), waits.after(AWAY), waits.after(FORBIDDEN)] == [4, 0, 4]


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_makes_sense(name: str) -> None:
    """Its waits grow, and none is longer than its cap."""
    policy = POLICIES[name]

    assert 0 <= policy.least_seconds <= policy.base_seconds < policy.cap_seconds <= 60
    assert policy.person_seconds <= policy.cap_seconds
    waits = policy.waits(lambda: 1.0)
    assert max(waits.after(AWAY) for _ in range(20)) == policy.cap_seconds
