"""The effect of SIGTERM and Ctrl-C on a process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
import uvloop

from pipeline.process import signals
from tests.parts.waiting import patient

# A process that takes for ever to stop. `stuck`: its event loop does not come back either.
PROCESS = """
import asyncio, sys, threading
from pipeline import log
from pipeline.process import signals
log.configure(json=True)

async def main():
    stop = asyncio.Event()
    with signals.stopping(stop):
        print("ready", flush=True)
        await stop.wait()
        if "drained" in sys.argv:
            return
        threading.Event().wait() if "stuck" in sys.argv else await asyncio.Event().wait()

if "uvloop" in sys.argv:
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


def run(how: Sequence[str], *numbers: signal.Signals) -> tuple[int, list[str]]:
    """Exit status and log events of a process that gets these signals, each after its reaction to the one before."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, *how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        assert process.stdout.readline() == "ready\n"
        told: list[str] = []
        for number in numbers:
            process.send_signal(number)
            if not told:
                told.append(process.stderr.readline())
        rest = process.communicate(timeout=patient(20))[1]
    finally:
        process.kill()
    return process.returncode, [json.loads(line)["event"] for line in [*told, *rest.splitlines()]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
def test_the_first_signal_stops_in_order(number: signal.Signals) -> None:
    """The first signal stops the process in order, with status 0."""
    assert run(["drained"], number) == (0, ["process.stopping"])


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("how", ["slow", "stuck"])
def test_ctrl_c_while_stopping_ends_at_once(first: signal.Signals, loop: str, how: str) -> None:
    """Ctrl-C while stopping ends the process with status 130, even if the event loop is stuck."""
    assert run([how, loop], first, signal.SIGINT) == (130, ["process.stopping", "process.ended_at_once"])


def test_a_second_sigterm_changes_nothing() -> None:
    """A second SIGTERM has no effect, and Ctrl-C still ends the process."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGTERM, signal.SIGINT)

    assert run(["slow"], *numbers) == (130, ["process.stopping", "process.ended_at_once"])


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_signal_wakes_an_event_loop_that_goes_to_sleep(runner: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    """Python's handler runs when the loop is awake: whatever has no other event would not see the signal."""

    async def main() -> None:
        outside = _wakeup()
        with signals.stopping(asyncio.Event()):
            assert _wakeup() != -1
        assert _wakeup() == outside

    runner(main())


def _wakeup() -> int:
    """The file that is written to when a signal comes; -1 for none."""
    found = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(found)
    return found
