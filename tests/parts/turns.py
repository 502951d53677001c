"""The order of test files: those that wait for real parts and those that compute take turns.

Tests run in several processes, each of which takes the next file when it has done one. Files of real parts mostly wait. If they
came first, all processes would wait at the same time, and then all compute.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

# Folders whose tests mostly wait, those with the longest files first.
WAITING: Final = ("tests/faults/real/", "tests/browser/", "tests/components/")
# The share of a run after which no file of real parts begins, because one of these alone would be the end of the run.
LAST_WAIT: Final = 0.8


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files in turns. The tests of a file stay together and in their order."""
    root = config.rootpath
    items[:] = in_turns([list(of_file) for _, of_file in groupby(items, key=lambda item: item.path)], root)


def in_turns(files: Iterable[list[pytest.Item]], root: Path) -> list[pytest.Item]:
    """The tests of all files. Files that compute come with the most tests first."""
    waiting: list[list[pytest.Item]] = []
    computing: list[list[pytest.Item]] = []
    for each in files:
        (computing if _folder(each, root) is None else waiting).append(each)
    waiting.sort(key=lambda each: _folder(each, root) or 0)
    computing.sort(key=len, reverse=True)
    placed = [*_spread(waiting, LAST_WAIT), *_spread(computing, 1.0)]
    return [item for _, of_file in sorted(placed, key=lambda one: one[0]) for item in of_file]


def _folder(of_file: list[pytest.Item], root: Path) -> int | None:
    """The number of the file's folder in WAITING, or None if its tests compute."""
    path = of_file[0].path.relative_to(root).as_posix()
    return next((number for number, folder in enumerate(WAITING) if path.startswith(folder)), None)


def _spread(files: Sequence[list[pytest.Item]], until: float) -> list[tuple[float, list[pytest.Item]]]:
    """Each file with its place between the begin of the run, 0, and `until`."""
    return [(until * number / len(files), each) for number, each in enumerate(files)]
