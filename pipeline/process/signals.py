"""The effect of SIGTERM and Ctrl-C, the same in both processes: the first stops in order, a second Ctrl-C ends at once.

A second SIGTERM changes nothing, because a supervisor may send one after a person's Ctrl-C. A supervisor that cannot wait sends
SIGKILL. The handlers are Python's own and not the event loop's, so Ctrl-C ends a process even if its loop is stuck.

This file does not know how a process stops.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from pipeline.log import get_logger

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

log = get_logger("tidegate.process")


def end_at_once(number: int) -> None:
    """End the process at once, with the status that a shell gives a process killed by signal `number`.

    The signal itself is not used, because it does not kill the first process of a container.
    """
    try:
        log.warning("process.ended_at_once", signal=signal.Signals(number).name)
    finally:
        os._exit(128 + number)


@contextmanager
def stopping(stop: asyncio.Event, at_once: Callable[[int], None] = end_at_once) -> Iterator[None]:
    """In the block, the first signal sets `stop`; for Ctrl-C after that, `at_once` ends the process with status 130.

    Call it on the main thread, inside the running event loop.
    """
    loop = asyncio.get_running_loop()
    came = False

    def begin(number: int) -> None:
        log.info("process.stopping", signal=signal.Signals(number).name)
        stop.set()

    def on_signal(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if not came:
            came = True
            loop.call_soon_threadsafe(begin, number)
        elif number == signal.SIGINT:
            at_once(number)

    before = [(each, signal.signal(each, on_signal)) for each in SIGNALS]
    try:
        with _waking(loop):
            yield
    finally:
        for each, action in before:
            signal.signal(each, action)


@contextmanager
def _waking(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """In the block, a signal wakes the event loop.

    Python runs a handler between two of its own steps. A signal that comes just before the loop goes to sleep would wait until
    something else wakes it. uvloop is woken by itself.
    """
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        if before != -1:
            signal.set_wakeup_fd(before)
            yield
            return
        loop.add_reader(reading, reading.recv, 4096)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            loop.remove_reader(reading)
