"""Follows the configuration in Kafka for a process: each change once, after a second in which others may come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import Snapshot

# Changes that come within this time are one.
COALESCE_SECONDS: Final = 1.0


async def follow(log: ConfigLog, become: Callable[[Snapshot], Awaitable[None]]) -> None:
    """Call `become` with what the topic says now, and with what it says after changes, until cancelled."""
    while True:
        snapshot = log.snapshot
        await become(snapshot)
        await log.changed(snapshot.revision)
        await asyncio.sleep(COALESCE_SECONDS)


async def opened(log: ConfigLog, stop: asyncio.Event) -> bool:
    """Enter the log, however long Kafka is away. False if `stop` comes first."""
    entering = asyncio.create_task(log.__aenter__())
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({entering, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not entering.done():
            entering.cancel()
            await asyncio.wait({entering})
    if entering.cancelled():
        return False
    entering.result()
    return True
