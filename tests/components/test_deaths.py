"""If a test process dies, the run names its test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts.waiting import patient

ROOT = Path(__file__).parents[2]
KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
CRASH = "import ctypes; ctypes.string_at(0)"


def run(folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    """Run the files as tests, in two processes, as `make test` does."""
    for number, text in enumerate(files):
        (folder / f"test_{number}.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    options = ["-n", "2", "--dist", "loadfile", "--max-worker-restart", "0", "-p", "no:cacheprovider"]
    # Hypothesis and other plugins, which have no part in this, are most of the time that pytest takes to start.
    plugins = ["-p", "xdist.plugin", "-p", "pytest_asyncio", "-p", "tests.parts.deaths"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=patient(60),
    )


@pytest.mark.parametrize(
    ("how", "end"),
    [(KILL, "SIGKILL"), (CRASH, "SIGSEGV"), ("import os; os._exit(9)", "status 9")],
    ids=["kill", "crash", "exit"],
)
def test_a_test_process_that_dies_names_its_test(tmp_path: Path, how: str, end: str) -> None:
    """The run fails, and its end names the test and what ended its process."""
    dying = f"def test_good():\n    pass\n\ndef test_bad():\n    {how}\n"

    done = run(tmp_path, dying, "def test_other(): pass\n")

    assert done.returncode == 1, done.stdout
    said = done.stdout[done.stdout.rindex("test process gw") :]
    assert end in said.splitlines()[0]
    assert "while it ran test_0.py::test_bad" in said
    assert ("Segmentation fault" in said and "test_bad" in said) == (how == CRASH)


def test_a_process_that_dies_between_tests_fails_the_run(tmp_path: Path) -> None:
    """The run fails even if every test had passed, although xdist alone reports success."""
    dying = (
        f"import atexit\n\ndef test_good():\n    atexit.register(lambda: None)\n\ndef teardown_module():\n    {KILL}\n"
    )

    done = run(tmp_path, dying, "def test_other(): pass\n")

    assert done.returncode == 1, done.stdout
    assert "ended by SIGKILL while it ran test_0.py::test_good" in done.stdout


def test_when_pytest_itself_fails_each_process_is_told_of(tmp_path: Path) -> None:
    """An INTERNALERROR shows what each process was doing."""
    (tmp_path / "conftest.py").write_text("def pytest_runtest_logreport(report):\n    raise OSError('broken')\n")

    done = run(tmp_path, "def test_one(): pass\n", "def test_other(): pass\n")

    assert done.returncode == 3, done.stdout
    assert "test process gw0" in done.stdout
    assert "test process gw1" in done.stdout
