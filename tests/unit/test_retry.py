"""Waiting before the next try: policies as numbers, and no other way to reckon a wait."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from pipeline import retry
from pipeline.errors import OperatorError, RetryableError
from pipeline.retry import BROKER, RESTART, SINK, Policy

ROOT = Path(__file__).parents[2]
PRODUCT = sorted(path for folder in ("pipeline", "ingress", "agents") for path in (ROOT / folder).rglob("*.py"))
POLICIES = {name: each for name, each in vars(retry).items() if isinstance(each, Policy)}
AWAY = RetryableError("away", reason="timeout")
FORBIDDEN = OperatorError("forbidden", reason="AccessDenied")

# Waits that are no constant and no policy's, by file.
OTHER_WAITS = {
    "ingress/source.py": "until a deadline that is given",
    "pipeline/connectors/s3/multipart.py": "nothing, then one constant",
    "pipeline/demo/main.py": "until a deadline, a tick at most",
    "pipeline/web/working.py": "between two lines of the log",
}
# Chance that is multiplied, by file.
OTHER_CHANCE = {
    "agents/sinks/bucket_check.py": "the setting health_check_interval_jitter",
    "pipeline/demo/fleet.py": "what a device measures",
}


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


def sleeps(tree: ast.AST) -> list[ast.expr]:
    """How long a file sleeps, at each place."""
    names = ("asyncio.sleep", "time.sleep", "sleep")
    return [node.args[0] for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) in names]


def plain(wait: ast.expr) -> bool:
    """Whether a wait is a number, a constant of the file, or a policy's."""
    return (
        isinstance(wait, ast.Constant)
        or (isinstance(wait, ast.Name) and wait.id.isupper())
        or (isinstance(wait, ast.Call) and ast.unparse(wait.func) == "waits.after")
    )


def test_nobody_else_reckons_a_wait() -> None:
    """A process sleeps for a constant or for what a policy says; chance is multiplied nowhere else."""
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in PRODUCT}

    odd = {name for name, tree in trees.items() if not all(map(plain, sleeps(tree)))}
    drawn = {
        name
        for name, tree in trees.items()
        if name != "pipeline/retry.py"
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp) and "random.random()" in ast.unparse(node)
    }

    assert odd == set(OTHER_WAITS)
    assert drawn == set(OTHER_CHANCE)
