"""A store that waits: the verbs of S3Store, each of which comes back when it is done.

How long it waits is its patience's. `Attempts` of an action never gives up, and tells the action's status; `FewAttempts` is for
whoever has to come to an end. An error that comes through all the same is final: RefusedError for an object that the store will
never take, and whatever is not the store's.

A request that is made again may have been carried out the first time: `create` and `replace` then answer None although what is
there is ours. The caller compares, as with S3Store.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeVar

from pipeline.connectors.s3.listing import Upload
from pipeline.connectors.s3.store import Head, S3Store
from pipeline.errors import OperatorError, RefusedError, RetryableError
from pipeline.retry import PROOF, PROOF_TRIES_MAX

REQUESTS_AT_ONCE_MAX: Final = 32

Result = TypeVar("Result")
# Whether a person's change of settings can end a refusal, which is then waited for.
Mendable = Callable[[RefusedError], bool]


class Patience(Protocol):
    """How often a request is made."""

    async def until_done(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `call`, which is safe to repeat."""


class FewAttempts:
    """A few attempts while the store is briefly away, and a bound to the requests under way."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE_MAX)

    async def until_done(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """The result of `call`. Raises its last error when all attempts failed, or what cannot be tried again at once."""
        waits = PROOF.waits(random.random)
        for _ in range(PROOF_TRIES_MAX - 1):
            try:
                async with self._gate:
                    return await call()
            except RetryableError as error:
                await asyncio.sleep(waits.after(error))
        async with self._gate:
            return await call()


class PatientStore:
    """One store and one patience. All verbs may run in parallel; what they answer is said in S3Store."""

    def __init__(self, store: S3Store, patience: Patience) -> None:
        self._store = store
        self._until_done = patience.until_done

    async def put(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, mendable: Mendable | None = None
    ) -> str:
        """Write an object, replacing what is there; its ETag."""
        put = self._store.put
        if mendable is None:
            return await self._until_done(lambda: put(bucket, key, body, headers))
        return await self._until_done(lambda: _waiting_for_settings(put(bucket, key, body, headers), mendable))

    async def create(
        self,
        bucket: str,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        part_bytes: int = 0,
        mendable: Mendable | None = None,
    ) -> str | None:
        """Write an object if its key is free; its ETag. None: something is there, perhaps by an earlier try of this call."""
        create = self._store.create
        if mendable is None:
            return await self._until_done(lambda: create(bucket, key, body, headers, part_bytes=part_bytes))
        return await self._until_done(
            lambda: _waiting_for_settings(create(bucket, key, body, headers, part_bytes=part_bytes), mendable)
        )

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        """Write an object over the one with this ETag; the new ETag. None: another one is there, or none."""
        return await self._until_done(lambda: self._store.replace(bucket, key, body, headers, etag))

    async def conditional(self, bucket: str) -> bool:
        """Whether the store refuses to create what exists."""
        return await self._until_done(lambda: self._store.conditional(bucket))

    async def head(self, bucket: str, key: str, *, any_key: bool = False) -> Head | None:
        """What is known of an object; None if there is none.

        `any_key`: nor is there one under a key that the store does not take. HEAD answers that with 400 and does not say why.
        """
        if any_key:
            return await self._until_done(lambda: _none_for_400(self._store.head(bucket, key)))
        return await self._until_done(lambda: self._store.head(bucket, key))

    async def get(self, bucket: str, key: str) -> bytes | None:
        """An object's content; None if there is none."""
        return await self._until_done(lambda: self._store.get(bucket, key))

    async def delete(self, bucket: str, key: str) -> None:
        """Remove an object; one that is not there is fine."""
        await self._until_done(lambda: self._store.delete(bucket, key))

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        """Keys with `prefix` that sort after `after`, in order, a thousand at most; and whether there are more."""
        return await self._until_done(lambda: self._store.page(bucket, prefix, after=after))

    async def keys(self, bucket: str, prefix: str, *, after: str = "") -> AsyncIterator[str]:
        """All keys with `prefix` that sort after `after`, in order."""
        more = True
        while more:
            found, more = await self.page(bucket, prefix, after=after)
            for after in found:
                yield after

    async def uploads(self, bucket: str, prefix: str) -> list[Upload]:
        """Multipart uploads under way of keys with `prefix`."""
        return await self._until_done(lambda: self._store.uploads(bucket, prefix))

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Forget a multipart upload and its parts; one that is not there is fine."""
        await self._until_done(lambda: self._store.abort(bucket, upload))


async def _waiting_for_settings(request: Awaitable[Result], mendable: Mendable) -> Result:
    """What a request answers. A refusal that settings can end is an error that waits for a person."""
    try:
        return await request
    except RefusedError as error:
        if not mendable(error):
            raise
        raise OperatorError(str(error), reason=error.reason) from error


async def _none_for_400(request: Awaitable[Head | None]) -> Head | None:
    try:
        return await request
    except OperatorError as error:
        if error.reason != "400":
            raise
        return None
