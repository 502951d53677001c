"""A store that waits: the verbs of S3Store, each of which comes back when it is done.

How long it waits is its patience's. `Attempts` of an action never gives up, and tells the action's status; `FewAttempts` is for
whoever has to come to an end. An error that comes through all the same is final: RefusedError for an object that the store will
never take, and whatever is not the store's. Whoever writes rows asks for a store `of_row`, which also gives up what is the row's
own fault.

A request that is made again may have been carried out the first time: `create` and `replace` then answer None although what is
there is ours. The caller compares, as with S3Store.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

from agents.sinks.suspect import Probes, RowParts, Suspect
from pipeline.connectors.s3.listing import Upload
from pipeline.connectors.s3.store import Head, S3Store
from pipeline.errors import OperatorError, RetryableError
from pipeline.retry import PROOF, PROOF_TRIES_MAX

REQUESTS_AT_ONCE_MAX: Final = 32

Result = TypeVar("Result")


class Patience(Protocol):
    """How often a request is made."""

    @property
    def done_at(self) -> float:
        """When a request succeeded last, on the loop's clock."""

    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        """The result of `call`, which is safe to repeat. `suspect`: it is made for rows, which may be to blame."""


class FewAttempts:
    """A few attempts while the store is briefly away, and a bound to the requests under way."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE_MAX)
        self.done_at = 0.0

    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        """The result of `call`. Raises its last error when all attempts failed, or what cannot be tried again at once: nobody
        waits here for what a row is to blame for.
        """
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

    def __init__(self, store: S3Store, patience: Patience, *, suspect: Suspect | None = None) -> None:
        self._store = store
        self._patience = patience
        self._until_done = partial(patience.until_done, suspect=suspect) if suspect else patience.until_done
        self._probes = Probes(store)

    def of_row(self, decided: RowParts, bucket: str, size_bytes: int, headers: Mapping[str, str]) -> PatientStore:
        """The same store for the requests of one row, which writes `size_bytes` into `bucket`. Its verbs raise RefusedError for
        what is the row's own fault. `headers`: those that the settings alone have made.
        """
        probe = partial(self._probes.takes, bucket, size_bytes, headers)
        suspect = Suspect(decided, probe, lambda: self._patience.done_at)
        return PatientStore(self._store, self._patience, suspect=suspect)

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Write an object, replacing what is there; its ETag."""
        return await self._until_done(lambda: self._store.put(bucket, key, body, headers))

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        """Write an object if its key is free; its ETag. None: something is there, perhaps by an earlier try of this call."""
        create = self._store.create
        return await self._until_done(lambda: create(bucket, key, body, headers, part_bytes=part_bytes))

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


async def _none_for_400(request: Awaitable[Head | None]) -> Head | None:
    try:
        return await request
    except OperatorError as error:
        if error.reason != "400":
            raise
        return None
