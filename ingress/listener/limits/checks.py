"""Checks passwords in threads, 30 ms of CPU each, with fair turns.

Addresses take turns, and so do the users of one address (queueing.py). An address with too many wrong passwords waits
(guesses.py).

This file does not know users, and keeps no password after its check.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from ingress.listener.limits.guesses import Guesses
from ingress.listener.limits.queueing import Queueing

THREADS: Final = 2
# Checks that wait or are under way. A further device is refused as busy, instead of reaching its time limit.
CHECKS_MAX: Final = 256
# The same for one address with too many wrong passwords, so that the last check is still within the time of a login.
CHECKS_OF_GUESSER_MAX: Final = 32
LOOK_SECONDS: Final = 0.01  # the shortest time until the next look whether an address may have its turn

Verify = Callable[[], bool]


class _Check:
    __slots__ = ("address", "answer", "verify")

    def __init__(self, address: str, verify: Verify, answer: asyncio.Future[bool | None]) -> None:
        self.address = address
        self.verify = verify
        self.answer = answer


class Checks:
    """The checks of one listener."""

    def __init__(self, guesses: Guesses) -> None:
        self._guesses = guesses
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        self._running = 0
        self._closed = False
        self._queue: Queueing[_Check] = Queueing(CHECKS_MAX - THREADS)
        self._timer: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Cancel checks that have not begun."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._timer is not None:
            self._timer.cancel()

    async def made(self, address: str, user: str, verify: Verify) -> bool | None:
        """Whether a password is right. None: there is no room, so the device must try again."""
        loop = asyncio.get_running_loop()
        is_guesser = self._guesses.wait_seconds(address, loop.time()) > 0
        check = _Check(address, verify, loop.create_future())
        no_place = self._queue.put(address, user, check, CHECKS_OF_GUESSER_MAX if is_guesser else CHECKS_MAX)
        if no_place is check:
            return None
        if no_place is not None and not no_place.answer.done():
            no_place.answer.set_result(None)
        self._start()
        try:
            return await check.answer
        finally:
            self._queue.remove(address, user, check)

    def _start(self) -> None:
        """Begin the checks that may begin now."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._running < THREADS and not self._closed:
            check = self._queue.take(lambda address: not self._guesses.wait_seconds(address, now))
            if check is None:
                break
            self._running += 1
            loop.run_in_executor(self._pool, check.verify).add_done_callback(partial(self._done, check))
        if self._running < THREADS and self._queue and self._timer is None and not self._closed:
            soonest = min(self._guesses.wait_seconds(address, now) for address in self._queue.addresses())
            self._timer = loop.call_later(max(soonest, LOOK_SECONDS), self._start_again)

    def _start_again(self) -> None:
        self._timer = None
        self._start()

    def _done(self, check: _Check, made: asyncio.Future[bool]) -> None:
        self._running -= 1
        if made.cancelled():
            return
        good = made.result()
        if not good:
            self._guesses.checked(check.address, asyncio.get_running_loop().time())
        if not check.answer.done():
            check.answer.set_result(good)
        self._start()
