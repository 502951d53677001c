"""Runs this command as several processes, so that one command uses all cores of a machine.

1. Start each process: the same command again, with its number, from 1 on, in the environment (TIDEGATE_PROCESS).
2. A process that ends is named in the log, and started again. The wait before that grows while it keeps ending.
3. A process that ends with status 2 has found what a person has to correct. Then all stop, and 2 is the status of the command.
4. A signal or Ctrl-C stops all in order. Whoever takes longer than STOP_SECONDS is killed. A second Ctrl-C ends all at once.
5. The processes also stop in order if this one is gone, because then their standard input ends.

The status of the command is 2 if a process ended with it, otherwise the highest of all: 0 if all stopped in order. A process
that our SIGTERM ends before it listens for signals has begun nothing, so it stopped in order too. This file does not know what
the processes do.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from pipeline.log import get_logger
from pipeline.process.signals import end_at_once, stopping
from pipeline.retry import RESTART, RESTART_STABLE_SECONDS

NUMBER: Final = "TIDEGATE_PROCESS"
PERSONS: Final = 2  # the exit status of a process that a person has to help
STOP_SECONDS: Final = 30.0  # longer than a worker takes to drain

log = get_logger("tidegate.process")


def own_number() -> int:
    """The number of this process among several, or 0 if it is alone."""
    return int(os.environ.get(NUMBER, "0"))


def this_command() -> Sequence[str]:
    """The command of this process, for the same interpreter."""
    return [sys.executable, *sys.orig_argv[1:]]


def stop_with_parent() -> None:
    """Stop this process in order, as SIGTERM does, when its standard input ends."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="parent", daemon=True).start()


class Several:
    """Processes of one command. `run` them once."""

    def __init__(self, command: Sequence[str], count: int, *, stop_seconds: float = STOP_SECONDS) -> None:
        self._command = command
        self._count = count
        self._stop_seconds = stop_seconds
        self._stop = asyncio.Event()
        self._running: set[Process] = set()
        self._status = 0

    async def run(self) -> int:
        """Run the processes until a signal comes or one of them needs a person. Returns the exit status of the command."""
        with stopping(self._stop, self._end_at_once):
            async with asyncio.TaskGroup() as group:
                for number in range(1, self._count + 1):
                    group.create_task(self._keep(number))
        return self._status

    async def _keep(self, number: int) -> None:
        """Start a process again and again, until all shall stop."""
        waits, clock = RESTART.waits(random.random), asyncio.get_running_loop().time
        while not self._stop.is_set():
            began = clock()
            pid, status = await self._run_once(number)
            if self._stop.is_set() or status == PERSONS:
                self._status = PERSONS if PERSONS in (self._status, status) else max(self._status, status)
                self._stop.set()
                return
            if clock() - began > RESTART_STABLE_SECONDS:
                waits = RESTART.waits(random.random)
            wait = round(waits.after(None), 1)
            log.error("process.ended", number=number, pid=pid, status=status, again_in_seconds=wait)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stop.wait()

    async def _run_once(self, number: int) -> tuple[int, int]:
        """Run a process to its end, and stop it when all shall stop. Returns its pid and its exit status, as a shell gives it."""
        environment = {**os.environ, NUMBER: str(number)}
        process = await asyncio.create_subprocess_exec(*self._command, stdin=PIPE, env=environment)
        self._running.add(process)
        log.info("process.started", number=number, pid=process.pid)
        ending = asyncio.create_task(process.wait())
        stopping_all = asyncio.create_task(self._stop.wait())
        await asyncio.wait({ending, stopping_all}, return_when=asyncio.FIRST_COMPLETED)
        stopping_all.cancel()
        asked = not ending.done()
        if asked:
            _signal(process, signal.SIGTERM)
            await asyncio.wait({ending}, timeout=self._stop_seconds)
        if not ending.done():
            log.error("process.killed", number=number, pid=process.pid, after_seconds=self._stop_seconds)
            _signal(process, signal.SIGKILL)
        status = await ending
        self._running.remove(process)
        if asked and status == -signal.SIGTERM:
            status = 0
        return process.pid, status if status >= 0 else 128 - status

    def _end_at_once(self, number: int) -> None:
        for process in self._running:
            _signal(process, signal.SIGKILL)
        end_at_once(number)


def _signal(process: Process, number: int) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(number)
