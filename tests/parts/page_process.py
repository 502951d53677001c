"""The API and its page on a real port, with the configuration and the reports in memory: for tests of the page alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.web.server import WebDoor, run
from tests.parts.rest import Api


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Api, str]]:
    """An API with the people of `Api`, and the address of its page, until the block ends."""
    api, door, stop = Api(), WebDoor(port=0), asyncio.Event()
    api.clock.now_ms = time.time_ns() // 1_000_000
    with door.opened() as listening:
        host, port = listening.getsockname()[:2]
        task = asyncio.create_task(run(api.services, door, listening, stop))
        try:
            async with api:
                yield api, f"http://{host}:{port}/"
        finally:
            stop.set()
            await task
