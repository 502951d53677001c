"""The demo as a person runs it: it proves itself, and leaves no process behind however it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_DEMO = [sys.executable, "-m", "pipeline.cli", "demo", "--devices", "6"]
_PROCESSES = {
    "Tansu": "tansu",
    "moto": "embedded s3",
    "rumqttd": "embedded mqtt",
    "ingress": "ingress",
    "worker": "worker",
}

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def test_the_demo_proves_that_nothing_was_lost() -> None:
    """With --output json the last line of standard output is the proof, and the status is 0 when it holds."""
    command = [*_DEMO, "--duration", "4", "--output", "json"]

    done = subprocess.run(command, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr
    proof = json.loads(done.stdout.splitlines()[-1])
    assert proof["published"] == proof["stored"] + proof["filtered"] + proof["dead_lettered"] + proof["overwritten"] > 0
    assert (proof["lost"], proof["duplicated"], proof["order_kept"]) == (0, 0, True)
    assert proof["objects"] >= proof["messages"] + proof["events"] - proof["overwritten"]
    assert proof["seconds"] >= 4


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_an_interrupted_demo_stops_everything(number: signal.Signals) -> None:
    """After Ctrl-C, and the signals that are like it, no process and no folder of the demo is left."""
    with _running("publishing") as (demo, children):
        folder = _folder(children)

        demo.send_signal(number)

        assert demo.wait(30) == 130
        _until(lambda: not _alive(children))
        assert not folder.exists()


@linux
def test_a_killed_demo_takes_everything_along() -> None:
    """After SIGKILL of the demo no process that it started is left."""
    with _running("publishing") as (demo, children):
        demo.kill()
        demo.wait(10)

        _until(lambda: not _alive(children))


@linux
def test_a_worker_that_dies_ends_the_demo_with_its_log() -> None:
    """When a process of the stack ends by itself, the demo says which and why, and stops the others."""
    with _running("publishing") as (demo, children):
        worker = next(pid for pid in children if "worker" in _command(pid))
        os.kill(worker, signal.SIGKILL)
        _, errors = demo.communicate(timeout=30)

        assert demo.returncode == 1
        assert "tidegate worker ended with status -9" in errors
        _until(lambda: not _alive(children))


@linux
def test_a_kept_demo_says_how_to_go_on() -> None:
    """With --keep the stack runs on after the proof, and the directions work as they are printed."""
    with _running("Ctrl-C stops it", "--keep", "--duration", "2") as (demo, children):
        lines = _read_until(demo, "  logs")
        publish = next(line.partition("or")[2] for line in lines if line.startswith("  or "))
        objects = next(line.partition("objects")[2] for line in lines if line.startswith("  objects "))

        subprocess.run(publish, shell=True, check=True, timeout=30)

        def listed() -> str:
            return subprocess.run(objects, shell=True, check=True, timeout=30, capture_output=True, text=True).stdout

        _until(lambda: "msgs/me_" in listed())
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
        _until(lambda: not _alive(children))


@contextmanager
def _running(word: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """A demo that has printed `word`, and the processes that it has started; all of them ended afterwards."""
    command = [*_DEMO, *(options or ("--duration", "60")), "--output", "json"]
    children: list[int] = []
    folder = Path("not-known-yet")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        try:
            _read_until(demo, word)
            children = _descendants(demo.pid)
            folder = _folder(children)
            commands = " ".join(map(_command, children))
            assert all(each in commands for each in _PROCESSES.values()), commands
            yield demo, children
        finally:
            for pid in [demo.pid, *children] if demo.poll() is None else children:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(folder, ignore_errors=True)


def _read_until(demo: subprocess.Popen[str], word: str) -> list[str]:
    """The lines of standard error up to the one with the word. The test's time limit bounds it."""
    assert demo.stderr is not None
    lines = []
    for line in demo.stderr:
        lines.append(line.rstrip("\n"))
        if word in line:
            return lines
    raise AssertionError(f"the demo ended before it printed {word!r}: {lines}")


def _descendants(pid: int) -> list[int]:
    """All processes below this one, from Linux's own list of children."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *_descendants(child)]
    return found


def _folder(pids: list[int]) -> Path:
    """The demo's folder: its worker is told the configuration in it."""
    found = re.search(r"\S+/tidegate-demo-[^/]+", " ".join(map(_command, pids)))
    assert found is not None
    return Path(found[0])


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def _alive(pids: list[int]) -> list[int]:
    """Those that still run; a process that has ended and waits to be collected has no command line."""
    return [pid for pid in pids if _command(pid)]


def _until(true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
