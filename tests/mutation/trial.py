"""One mutant in its own process: the imported module is the mutant, and pytest says whether a test fails."""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest
from hypothesis import settings

ROOT: Final = Path(__file__).parents[2]
# Passed, failed, and failed while collecting.
STATUSES: Final = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant when its module is imported."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return (
            importlib.util.spec_from_loader(fullname, self, origin=str(self._path)) if fullname == self._name else None
        )

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = str(self._path)
        exec(compile(self._source, str(self._path), "exec"), module.__dict__)


def run(name: str, path: Path, source: str, tests: list[str], shown: bool) -> None:
    """Run the tests on the mutant in this process, and exit with pytest's status. `shown`: with what pytest prints."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    sys.meta_path.insert(0, _Changed(name, path, source))
    if not shown:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
    settings.register_profile("patient", deadline=None)  # as tests/conftest.py does, which is not loaded here
    settings.load_profile("patient")
    options = ["-n", "0", "-x", "-q", "-p", "no:cacheprovider", "--noconftest", "--hypothesis-seed=1"]
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of plugins that this process has imported before
    sys.exit(int(pytest.main([*options, *tests])))
