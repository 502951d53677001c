"""The seeds that tests run, and the command that repeats a failing one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

FIRST_SEED: Final = int(os.environ.get("TIDEGATE_SIMULATION_FIRST_SEED", "0"))


def seeds(usual: int, *known: int) -> Sequence[int]:
    """The usual number of seeds and those `known` to have failed once, or the range from the environment."""
    asked = os.environ.get("TIDEGATE_SIMULATION_SEEDS")
    found = range(FIRST_SEED, FIRST_SEED + int(asked or usual))
    return found if asked else [*found, *known]


def report(seed: int, test: str, wrong: list[str]) -> str:
    """The message for a failing seed."""
    return (
        f"seed {seed}: {len(wrong)} wrong\n"
        + "\n".join(wrong[:20])
        + f"\nagain: TIDEGATE_SIMULATION_FIRST_SEED={seed} TIDEGATE_SIMULATION_SEEDS=1"
        + f" make test TEST_ARGS=tests/faults/simulation/{test}"
    )
