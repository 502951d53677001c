"""The numbers of now as server-sent events: made once a second for all pages that listen, and only while one does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import orjson

LIVE_SECONDS: Final = 1.0

Numbers = Callable[[], Awaitable[dict[str, Any]]]


class Live:
    """The one maker of one process."""

    def __init__(self) -> None:
        self.made = 0
        self._listeners = 0
        self._making: asyncio.Task[None] | None = None
        self._now = b""
        self._next = asyncio.Event()  # set when `_now` is made again

    async def events(self, numbers: Numbers, closing: asyncio.Event) -> AsyncIterator[bytes]:
        """The stream of one page until `closing`. A comment keeps the connection, and tells the server that the page is gone."""
        self._listeners += 1
        making = self._making = self._making or asyncio.create_task(self._make(numbers))
        before = b""
        try:
            while not closing.is_set():
                following = self._next
                if self._now:
                    yield b": \n\n" if self._now == before else b"data: " + self._now + b"\n\n"
                    before = self._now
                await _first(making, following.wait(), closing.wait())
                if making.done():
                    making.result()  # raises: the page asks again
                    return
        finally:
            self._listeners -= 1
            if (not self._listeners or making.done()) and self._making is making:
                making.cancel()
                self._making, self._now = None, b""

    async def _make(self, numbers: Numbers) -> None:
        while True:
            self._now = orjson.dumps(await numbers())
            self.made += 1
            made, self._next = self._next, asyncio.Event()
            made.set()
            await asyncio.sleep(LIVE_SECONDS)


async def _first(making: asyncio.Task[None], *waits: Any) -> None:
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait({making, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()
