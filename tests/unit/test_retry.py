"""Policies of waits between tries."""

from __future__ import annotations

import pytest

from pipeline import retry
from pipeline.errors import OperatorError, RetryableError
from pipeline.retry import BROKER, RESTART, SINK, Policy

POLICIES = {name: each for name, each in vars(retry).items() if isinstance(each, Policy)}
AWAY = RetryableError("away", reason="timeout")
FORBIDDEN = OperatorError("forbidden", reason="AccessDenied")


def test_a_wait_doubles_to_its_cap() -> None:
    """The longest wait doubles with each failure up to the cap."""
    waits = Policy(1, 5).waits(lambda: 1.0)

    assert [waits.after(AWAY) for _ in range(5)] == [1, 2, 4, 5, 5]


def test_a_wait_is_spread_over_the_whole_range() -> None:
    """The shortest wait is zero, or the policy's least wait."""
    assert [SINK.waits(lambda: 0.0).after(AWAY), RESTART.waits(lambda: 0.0).after(AWAY)] == [0, 1]


def test_a_least_wait_is_within_the_ceiling() -> None:
    """A least wait shortens the range and does not add to it."""
    waits = RESTART.waits(lambda: 0.5)

    assert [waits.after(None) for _ in range(3)] == [1.5, 2.5, 4.5]


def test_a_person_is_given_time() -> None:
    """A wait for a person is longer than a wait for an outage."""
    waits = BROKER.waits(lambda: 0.0)

    assert [waits.after(FORBIDDEN), waits.after(AWAY), waits.after(FORBIDDEN)] == [4, 0, 4]


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_a_policy_makes_sense(name: str) -> None:
    """The waits of each policy grow, and none is longer than its cap."""
    policy = POLICIES[name]

    assert 0 <= policy.least_seconds <= policy.base_seconds < policy.cap_seconds <= 60
    assert policy.person_seconds <= policy.cap_seconds
    waits = policy.waits(lambda: 1.0)
    assert max(waits.after(AWAY) for _ in range(20)) == policy.cap_seconds
