"""The order of test files."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.parts.turns import in_turns

ROOT = Path("/checkout")


def files_of(**counts: int) -> list[list[Any]]:
    """Tests of files by name: `unit_x` computes, `components_x` waits."""
    return [
        [SimpleNamespace(path=ROOT / "tests" / name.replace("_", "/"), number=number) for number in range(count)]
        for name, count in counts.items()
    ]


def test_files_that_wait_and_files_that_compute_take_turns() -> None:
    """All tests are there, those of a file together and in order, and the last file is one that computes."""
    found = in_turns(files_of(components_a=2, components_b=1, unit_few=1, unit_many=3, unit_some=2), ROOT)

    names = [f"{item.path.name}{item.number}" for item in found]  # type: ignore[attr-defined]
    assert names == ["a0", "a1", "many0", "many1", "many2", "some0", "some1", "b0", "few0"]
