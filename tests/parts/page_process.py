"""The API and its page on a real port, with the configuration and the reports in memory: for tests of the page alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pipeline.web.server import WebDoor, run
from tests.parts.rest import Api


class PageProcess:
    """An API with the people of `Api`. It can stop and start again on the same port, with the configuration that it had."""

    def __init__(self) -> None:
        self.api = Api()
        self.api.clock.now_ms = time.time_ns() // 1_000_000
        self._port = 0
        self._stop = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """Of the page."""
        return f"http://127.0.0.1:{self._port}/"

    async def start(self) -> None:
        """Listen, and serve."""
        door = WebDoor(port=self._port)
        listening = door.opened()
        self._port = listening.getsockname()[1]
        self._stop, self.api.services.closing = asyncio.Event(), asyncio.Event()
        self._serving = asyncio.create_task(run(self.api.services, door, listening, self._stop))

    async def stop(self) -> None:
        """End as a process does that is told to, and free the port."""
        self._stop.set()
        if self._serving is not None:
            await self._serving


@asynccontextmanager
async def served() -> AsyncIterator[PageProcess]:
    """Such a process, until the block ends."""
    process = PageProcess()
    await process.start()
    try:
        async with process.api:
            yield process
    finally:
        await process.stop()
