"""Several processes of one command, with a small program in the place of a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.worker import with_port
from pipeline.config.load import load
from pipeline.errors import CommandError
from tests.parts.config_log import BASE
from tests.parts.logs import log_lines
from tests.parts.waiting import patient, wait_until

# The parent runs two processes of this same program. `how` says what a child does.
PROGRAM = """
import asyncio, os, signal, sys, time
from pipeline import log
from pipeline.process import several
from pipeline.process.signals import stopping

how, number = sys.argv[1], several.own_number()
if how == "unready" and number:  # SIGTERM ends it, as it ends Python while it starts
    time.sleep(600)
log.configure(json=True, process=number)

async def child():
    stop = asyncio.Event()
    with stopping(stop):
        log.get_logger("tidegate.test").info("child.ready")
        await stop.wait()

async def parent():
    patience = float(sys.argv[2])
    return await several.Several(several.this_command(), 2, stop_seconds=patience).run()

if not number:
    sys.exit(asyncio.run(parent()))
several.stop_with_parent()
if how == "wrong-stubborn" and number == 2:
    open(sys.argv[0] + ".first").close()  # a pipe, which opens once the first is stubborn
    sys.exit(2)
if "stubborn" in how:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if how.startswith("wrong"):
        open(sys.argv[0] + ".first", "w").close()
    log.get_logger("tidegate.test").info("child.ready")
    time.sleep(600)
if how == "wrong" and number == 2:
    sys.exit(2)
asyncio.run(child())
"""


class Family:
    """The parent and what its log says."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of an event."""
        return [line for line in log_lines(self._log) if line["event"] == name]

    def wait_for(self, name: str, count: int) -> list[dict[str, Any]]:
        """The lines of an event, when there are `count`."""
        wait_until(lambda: len(self.events(name)) >= count, 30, lambda: str(self.events(name)))
        return self.events(name)

    def pids(self) -> dict[int, int]:
        """The present pid of each child, by its number."""
        return {line["number"]: line["pid"] for line in self.events("process.started")}

    def end(self) -> int:
        """The exit status of the parent. All children are gone with it."""
        status = self.process.wait(patient(30))
        wait_until(lambda: not any(map(runs, self.pids().values())), 30, lambda: "a child goes on")
        return status


def runs(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def family(tmp_path: Any, how: str = "good", stop_seconds: float = 60) -> Iterator[Family]:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM)
    log = tmp_path / "log"
    with log.open("wb") as end:
        process = subprocess.Popen([sys.executable, str(file), how, str(stop_seconds)], stderr=end)
        try:
            yield Family(process, log)
        finally:
            process.kill()
            process.wait()


def test_a_process_that_dies_is_named_and_started_again(tmp_path: Any) -> None:
    """The others go on, and each line of a process names it."""
    with family(tmp_path) as found:
        ready = found.wait_for("child.ready", 2)
        assert sorted(line["process"] for line in ready) == [1, 2]
        before = found.pids()

        os.kill(before[2], signal.SIGKILL)
        found.wait_for("child.ready", 3)

        (ended,) = found.events("process.ended")
        assert (ended["number"], ended["pid"], ended["status"]) == (2, before[2], 137)
        assert "process" not in ended
        after = found.pids()
        assert after[1] == before[1]
        assert after[2] != before[2]
        found.process.terminate()
        assert found.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_the_first_signal_stops_all_in_order(tmp_path: Any, number: signal.Signals) -> None:
    """A signal to the parent alone reaches all, and 0 says that all stopped in order."""
    with family(tmp_path) as found:
        found.wait_for("child.ready", 2)
        found.process.send_signal(number)

        assert found.end() == 0
        assert len(found.events("process.stopping")) == 3


def test_a_second_ctrl_c_ends_all_at_once(tmp_path: Any) -> None:
    """Also those that do not react to any signal."""
    with family(tmp_path, "stubborn") as found:
        found.wait_for("child.ready", 2)
        found.process.send_signal(signal.SIGINT)
        found.wait_for("process.stopping", 1)
        found.process.send_signal(signal.SIGINT)

        assert found.end() == 130


def test_a_process_that_does_not_stop_is_killed(tmp_path: Any) -> None:
    """The log names it, and the status is that of a killed process."""
    with family(tmp_path, "stubborn", stop_seconds=0.1) as found:
        found.wait_for("child.ready", 2)
        found.process.terminate()

        assert found.end() == 137
        assert {line["number"] for line in found.events("process.killed")} == {1, 2}


def test_what_a_person_has_to_correct_ends_all(tmp_path: Any) -> None:
    """Status 2 of one process is that of the command: to start it again would not help."""
    with family(tmp_path, "wrong") as found:
        assert found.end() == 2
        assert found.events("process.ended") == []


def test_what_a_person_has_to_correct_counts_more_than_a_process_that_was_killed(tmp_path: Any) -> None:
    """137 would be taken for an accident, and the command started again."""
    os.mkfifo(tmp_path / "program.py.first")
    with family(tmp_path, "wrong-stubborn", stop_seconds=0.1) as found:
        assert found.end() == 2
        assert [line["number"] for line in found.events("process.killed")] == [1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_a_process_that_does_not_listen_yet_stops_in_order(tmp_path: Any, number: signal.Signals) -> None:
    """It has begun nothing. A restart in the first second is no failure."""
    with family(tmp_path, "unready") as found:
        found.wait_for("process.started", 2)
        found.process.send_signal(number)

        assert found.end() == 0


def test_the_processes_stop_if_the_parent_is_killed(tmp_path: Any) -> None:
    """Nobody would start them again or stop them."""
    with family(tmp_path) as found:
        found.wait_for("child.ready", 2)
        found.process.kill()

        found.end()
        assert len(found.events("process.stopping")) == 2


def test_the_page_of_each_process_has_a_port_of_its_own() -> None:
    """The first has that of the configuration, and the others the next ones. Without a page there is none for anybody."""
    ports = [with_port(load({**BASE, "metrics": {"worker_port": 9464}}), number) for number in (0, 1, 2, 3)]

    assert [each.metrics.worker_port for each in ports] == [9464, 9464, 9465, 9466]
    assert with_port(load(BASE), 3).metrics.worker_port == 0
    with pytest.raises(CommandError, match=r"metrics\.worker_port: the page of process 3 has no port"):
        with_port(load({**BASE, "metrics": {"worker_port": 65534}}), 3)
