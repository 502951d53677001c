"""The mutants of `make mutation`, and the seeds of the storms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.faults import seed
from tests.mutation.__main__ import SUBJECTS
from tests.mutation.mutants import mutants
from tests.mutation.trial import ROOT


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x < 1", ["x <= 1", "x < 2"]),
        ("a and b", ["a or b", "b", "a"]),
        ("1 < a <= b", ["1 <= a <= b", "1 < a < b", "2 < a <= b"]),
        ("x += f(y)", ["pass"]),
        ("A: Final = 2000", []),
        ("zip(a, b, strict=True)", ["pass"]),
        ("while not x:\n    break", ["while not not x:\n    break", "while x:\n    break", "while not x:\n    pass"]),
        (
            "def f(a: int=0) -> X[1]:\n    return -a",
            [f"def f(a: int={n}) -> X[1]:\n    return {a}" for n, a in ((1, "-a"), (0, "a"))],
        ),
    ],
)
def test_each_mutant_is_one_small_change(source: str, expected: list[str]) -> None:
    """A mutant changes one comparison, `and`, `or`, number, sign or statement, and never a text or annotation."""
    assert sorted(each.source for each in mutants(source)) == sorted(expected)


def test_what_is_mutated_exists_and_has_tests() -> None:
    """Every file that is mutated exists and has tests."""
    missing = [
        path for subject, tests in SUBJECTS.items() for path in (subject, *tests) if not Path(ROOT, path).exists()
    ]

    assert not missing


@pytest.mark.parametrize(
    ("text", "found"), [("7", 7), ("123456", 123456), ("1234567", 0x1234567), ("c0ffee00", 0xC0FFEE00)]
)
def test_a_seed_is_a_number_or_a_commit(text: str, found: int) -> None:
    """A seed is a number or a commit's hash, which may consist of digits only."""
    assert seed(text) == found
