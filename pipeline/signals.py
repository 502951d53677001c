"""What SIGTERM and Ctrl-C do, the same in both processes: the first one stops in order, a second Ctrl-C ends at once.

A second SIGTERM changes nothing: a supervisor may send one while a person's Ctrl-C is under way already, and one that insists
sends SIGKILL. The handlers are Python's own and not the event loop's, so that Ctrl-C ends a process whose loop is stuck.

This file does not know what stopping means.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from pipeline.log import get_logger

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

log = get_logger("tidegate.process")


@contextmanager
def stopping(stop: asyncio.Event) -> Iterator[None]:
    """In the block, the first signal sets `stop`; Ctrl-C after that ends the process with status 130.

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
            end_at_once(number)

    before = [(each, signal.signal(each, on_signal)) for each in SIGNALS]
    try:
        yield
    finally:
        for each, action in before:
            signal.signal(each, action)


def end_at_once(number: int) -> None:
    """End the process here and now, with the status that a shell gives a process killed by signal `number`.

    Not by the signal itself: as the first process of a container it would not be killed.
    """
    try:
        log.warning("process.ended_at_once", signal=signal.Signals(number).name)
    finally:
        os._exit(128 + number)
