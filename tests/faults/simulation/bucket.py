"""A bucket in memory that obeys the rules of a conditional store, and fails as stores do; and a worker's way to it.

The verbs are those of pipeline/connectors/s3/store.py, with its errors. What took effect is remembered in order, so that a
test can look at every state that a reader could have seen.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple, TypeVar

from pipeline.connectors.s3.store import PROBE, Head
from pipeline.errors import ConnectorError, RetryableError
from pipeline.upload.headers import METADATA_PREFIX
from tests.faults.faults import Faults

REQUEST_TIMEOUT_SECONDS: Final = 30.0
KEYS_A_PAGE: Final = 3  # of a LIST, so that even these ledgers are too long for one
Result = TypeVar("Result")


class Stored(NamedTuple):
    """An object."""

    body: bytes
    metadata: Mapping[str, str]
    etag: str


_Condition = Callable[[Stored | None], bool]


class Write(NamedTuple):
    """A write that took effect."""

    key: str
    body: bytes


class Bucket:
    """Objects by key."""

    def __init__(self, chance: random.Random, faults: Faults) -> None:
        self.objects: dict[str, Stored] = {}
        self.history: list[Write] = []
        self._writes = 0
        self._recurring = faults.recur
        self.faults = faults  # as they are now: they may heal
        self.refusal: Callable[[str, bytes], ConnectorError | None] = lambda key, body: None  # of a write
        self._chance = chance
        self._under_way: set[asyncio.Future[Any]] = set()

    def under_way(self, request: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Let a request go on, even if nobody waits for it."""
        task = asyncio.create_task(request)
        self._under_way.add(task)
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, request: asyncio.Task[Any]) -> None:
        self._under_way.discard(request)
        if not request.cancelled():
            request.exception()  # who sent it may be gone, and then nobody asks

    async def settle(self) -> None:
        """Wait until every request has arrived."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def contents(self) -> dict[str, bytes]:
        return {key: stored.body for key, stored in self.objects.items()}

    def put_back(self, objects: dict[str, Stored]) -> None:
        """Another time's objects, and no others. What is not there was never written."""
        self.objects = dict(objects)
        self.history = [write for write in self.history if write.key in objects]

    # --- The verbs

    async def conditional(self, bucket: str) -> bool:
        return True

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str | None:
        return await self._write(key, body, headers, lambda there: True)

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        for _ in range(len(body) // part_bytes if part_bytes else 0):
            await self._travel()  # a part; none is seen before all are there
        return await self._write(key, body, headers, lambda there: there is None)

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        return await self._write(key, body, headers, lambda there: there is not None and there.etag == etag)

    async def head(self, bucket: str, key: str) -> Head | None:
        await self._travel()
        found = self.objects.get(key)
        return Head(len(found.body), found.etag, found.metadata) if found else None

    async def get(self, bucket: str, key: str) -> bytes | None:
        await self._travel()
        found = self.objects.get(key)
        return found.body if found else None

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        await self._travel()
        found = [key for key in sorted(self.objects) if key.startswith(prefix) and key > after]
        return found[:KEYS_A_PAGE], len(found) > KEYS_A_PAGE

    # --- The way there and back

    async def _travel(self) -> None:
        faults, chance = self.faults, self._chance
        await asyncio.sleep(chance.random() * faults.delay_seconds)
        if chance.random() < faults.fail_before:
            raise RetryableError("cut before the request arrived", reason="connection")
        if chance.random() < faults.slow_down:
            raise RetryableError("slow down", reason="SlowDown")

    async def _write(self, key: str, body: bytes, headers: Mapping[str, str], holds: _Condition) -> str | None:
        await self._travel()
        faults, chance = self.faults, self._chance
        if chance.random() < faults.hang:
            arrives = chance.choice((0.0, 2 * REQUEST_TIMEOUT_SECONDS * chance.random(), None))
            if arrives is not None:
                self.under_way(self._arrive_late(arrives, key, body, headers, holds))
            await asyncio.sleep(REQUEST_TIMEOUT_SECONDS)
            raise RetryableError("no answer", reason="timeout")
        if (refusal := self.refusal(key, body)) is not None:
            raise refusal
        etag = self._carry_out(key, body, headers, holds)
        await asyncio.sleep(chance.random() * faults.delay_seconds)
        if (etag and faults.lose_every_answer) or chance.random() < faults.lose_answer:
            raise RetryableError("the answer was lost", reason="connection")
        return etag

    async def _arrive_late(
        self, seconds: float, key: str, body: bytes, headers: Mapping[str, str], holds: _Condition
    ) -> None:
        await asyncio.sleep(seconds)
        if self.refusal(key, body) is None:
            self._carry_out(key, body, headers, holds)

    def _carry_out(self, key: str, body: bytes, headers: Mapping[str, str], holds: _Condition) -> str | None:
        if key == PROBE:
            return "e"  # and nobody looks at it again
        if not holds(self.objects.get(key)):
            return None
        metadata = {name.removeprefix(METADATA_PREFIX): value for name, value in headers.items()}
        self.history.append(Write(key, body))
        self._writes += 1
        self.objects[key] = Stored(body, metadata, self._etag(body))
        return self.objects[key].etag

    def _etag(self, body: bytes) -> str:
        """A store whose ETags are hashes, and contents that recur: "on", "off", "on". Checkers still see whose they are."""
        return f"e{body[-1] % 2}" if self._recurring else f"e{self._writes}"


class Link:
    """A process's connection to the bucket. While the process is frozen, it sends no request and gets no answer."""

    def __init__(self, bucket: Bucket, thawed: asyncio.Event) -> None:
        self._bucket = bucket
        self._thawed = thawed

    async def conditional(self, bucket: str) -> bool:
        return await self._bucket.conditional(bucket)

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str | None:
        return await self._call(self._bucket.put(bucket, key, body, headers))

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        return await self._call(self._bucket.create(bucket, key, body, headers, part_bytes=part_bytes))

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        return await self._call(self._bucket.replace(bucket, key, body, headers, etag))

    async def head(self, bucket: str, key: str) -> Head | None:
        return await self._call(self._bucket.head(bucket, key))

    async def get(self, bucket: str, key: str) -> bytes | None:
        return await self._call(self._bucket.get(bucket, key))

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        return await self._call(self._bucket.page(bucket, prefix, after=after))

    async def _call(self, call: Coroutine[Any, Any, Result]) -> Result:
        try:
            await self._thawed.wait()
        except asyncio.CancelledError:
            call.close()
            raise
        try:
            result = await asyncio.shield(self._bucket.under_way(call))  # who sent it may die: it arrives all the same
        except RetryableError:
            await self._thawed.wait()
            raise
        await self._thawed.wait()
        return result
