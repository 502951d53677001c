"""`tidegate demo` as a person runs it: it proves what arrived, and leaves no process behind however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.timeout(180), pytest.mark.slow]
COMMAND = [sys.executable, "-m", "pipeline.cli", "demo", "--devices", "12", "--rate", "3"]


def children(pid: int) -> set[int]:
    """All descendants of a process, as Linux tells."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | children(child)
    return found


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and "Z" not in _state(pid)}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def wait_for(true: object, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while not true():  # type: ignore[operator]
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


@pytest.fixture
def demo() -> Iterator[subprocess.Popen[bytes]]:
    """A demo that would run for minutes; it has started its servers and both processes."""
    process = subprocess.Popen(
        [*COMMAND, "--duration", "120"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert wait_for(lambda: len(children(process.pid)) >= 5, 60)
    yield process
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.mark.parametrize("way", [[], ["--listener"]], ids=["broker", "listener"])
def test_it_proves_what_arrived(way: list[str]) -> None:
    """The last line is one JSON object; what was published was stored, filtered or overwritten, and nothing is lost."""
    done = subprocess.run(
        [*COMMAND, *way, "--duration", "4", "--output", "json"], capture_output=True, text=True, timeout=120
    )

    found = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stderr[-2000:]
    assert (found["lost"], found["duplicated"], found["dead_lettered"], found["order_kept"]) == (0, 0, 0, True)
    assert found["published"] == found["stored"] + found["filtered"] + found["overwritten"]
    assert found["messages"] > 100
    assert found["objects"] > 100


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda each: each.name)
def test_no_process_is_left_behind(demo: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Ctrl-C, an orderly end, and the demo itself killed."""
    started = children(demo.pid)

    os.kill(demo.pid, how)

    assert wait_for(lambda: demo.poll() is not None, 40)
    assert wait_for(lambda: not alive(started), 20), f"left: {alive(started)}"
