"""How work that waits for Kafka ends when the process is to end: Faust and aiokafka wait for an answer without a limit."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, Protocol

# How long a worker waits for answers of Kafka when it ends: first for the commit, then for leaving the group. Without them
# the next owner waits until the session has expired, and reads again what was not committed.
ANSWER_SECONDS_MAX: Final = 5.0


class StopEvent(Protocol):
    """An event of asyncio, or of mode."""

    async def wait(self) -> object:
        """Wait until it comes."""


async def is_done_before(stop: StopEvent, work: Coroutine[Any, Any, object]) -> bool:
    """Do the work. False if `stop` comes first: the work is cancelled. Raises what the work raises."""
    working, stopping = asyncio.create_task(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        return working.done()
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait({working, stopping})
