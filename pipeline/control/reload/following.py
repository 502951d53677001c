"""Follows the configuration in Kafka for a process: each change once, after a second in which others may come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import Snapshot

# Changes that come within this time are one.
COALESCE_SECONDS: Final = 1.0


async def opened(log: ConfigLog, stop: asyncio.Event) -> bool:
    """Enter the log, however long Kafka is away. False if `stop` comes first."""
    return await _done_before(stop, log.__aenter__())


async def follow(log: ConfigLog, become: Callable[[Snapshot], Awaitable[None]], stop: asyncio.Event) -> None:
    """Call `become` with what the topic says now, and with what it says after changes, until `stop`."""
    await _done_before(stop, _follow(log, become))


async def _follow(log: ConfigLog, become: Callable[[Snapshot], Awaitable[None]]) -> None:
    while True:
        snapshot = log.snapshot
        await become(snapshot)
        await log.changed(snapshot.revision)
        await asyncio.sleep(COALESCE_SECONDS)


async def _done_before(stop: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
    """Whether `work` was done before `stop`; otherwise it is cancelled. Raises what it raises."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
    if working.cancelled():
        return False
    working.result()
    return True
