"""Runs many coroutines, some at a time, because a cut may have hundreds of thousands of objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final

STORES_AT_ONCE_MAX: Final = 16


async def all_of(calls: Iterator[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines, some side by side. Each is created when its turn comes.

    If one fails, the others are cancelled, no more are created, and its error is raised.
    """

    async def work() -> None:
        for call in calls:
            await call

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(STORES_AT_ONCE_MAX):
                group.create_task(work())
    except ExceptionGroup as errors:  # the restart of the action needs the first error alone
        raise errors.exceptions[0] from None


class Rolls:
    """Stores chunks while reading goes on, with a task for each."""

    def __init__(self, failed: Callable[[], None]) -> None:
        """`failed` is called when one of them fails; `check` then raises its error."""
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None

    def add(self, storing: Coroutine[Any, Any, None]) -> None:
        """Add a chunk's task."""
        task = asyncio.create_task(storing)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def check(self) -> None:
        """Raise the error of a task that failed."""
        if self._failure:
            raise self._failure

    async def done(self) -> None:
        """Wait until all tasks are done. Raises the error of a task that fails."""
        await asyncio.gather(*self._tasks)

    async def stop(self) -> None:
        """Cancel the tasks, and wait for their end, because an upload in parts still has to be aborted."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self._failure = task.exception()
            self._failed()
