"""A store that waits: the verbs of S3Store, each of which returns when it is done.

Its patience decides how long it waits. `Attempts` of an action never gives up, and keeps the action's status. `FewAttempts` is
for callers that must come to an end. An error that is raised is final: RefusedError for an object that the store will never
accept, and errors that do not come from the store. Writers of rows use a store `of_row`, which also gives up if the row is the
cause.

A repeated request may have succeeded the first time. `create` and `replace` then return None although the existing object is
ours. The caller compares, as with S3Store.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Protocol, TypeVar

from agents.sinks.suspect import Probes, RowParts, Suspect
from pipeline.connectors.s3.listing import KeyPage, Upload
from pipeline.connectors.s3.store import Head, S3Store
from pipeline.errors import OperatorError, RetryableError
from pipeline.retry import PROOF, PROOF_TRIES_MAX

REQUESTS_AT_ONCE_MAX: Final = 32

Result = TypeVar("Result")


class Patience(Protocol):
    """Decides how often a request is repeated."""

    @property
    def done_at(self) -> float:
        """The time of the last successful request, on the loop's clock."""

    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        """The result of `call`, which is safe to repeat.

        `suspect`: the call is for rows, which may be the cause of a failure.
        """


class SeenObject(Protocol):
    """An object that was read or written before."""

    @property
    def etag(self) -> str:
        """Its ETag."""

    def is_there(self, head: Head | None) -> bool:
        """Whether these are its facts."""


class FewAttempts:
    """A few attempts while the store is briefly away, and a bound on requests under way."""

    def __init__(self) -> None:
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE_MAX)
        self.done_at = 0.0

    async def until_done(self, call: Callable[[], Awaitable[Result]], *, suspect: Suspect | None = None) -> Result:
        """The result of `call`. Raises its last error after all attempts, and an error that cannot be retried at once.
        `suspect` is ignored.
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
    """One store and one patience. All verbs may run in parallel. S3Store documents their results."""

    def __init__(self, store: S3Store, patience: Patience, *, suspect: Suspect | None = None) -> None:
        self._store = store
        self._patience = patience
        self._until_done = partial(patience.until_done, suspect=suspect) if suspect else patience.until_done
        self._probes = Probes(store)

    def of_row(self, decided: RowParts, bucket: str, size_bytes: int, headers: Mapping[str, str]) -> PatientStore:
        """The same store for the requests of one row, which writes `size_bytes` into `bucket`. Its verbs raise
        RefusedError if the row is the cause of a failure. `headers`: those that depend on settings alone.
        """
        probe = partial(self._probes.takes, bucket, size_bytes, headers)
        suspect = Suspect(decided, probe, lambda: self._patience.done_at)
        return PatientStore(self._store, self._patience, suspect=suspect)

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Write an object, and replace an existing one. Returns its ETag."""
        return await self._until_done(lambda: self._store.put(bucket, key, body, headers))

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        """Write an object if its key does not exist.

        Returns its ETag, or None if it exists, perhaps from an earlier try of this call.
        """
        create = self._store.create
        return await self._until_done(lambda: create(bucket, key, body, headers, part_bytes=part_bytes))

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        """Write an object over the one with this ETag. Returns the new ETag, or None if another object or none is there."""
        return await self._until_done(lambda: self._store.replace(bucket, key, body, headers, etag))

    async def replace_known(
        self,
        bucket: str,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        known: SeenObject,
        owns: Callable[[], bool],
    ) -> str | None:
        """Write an object over the known one, as `replace` does.

        Equal contents may have equal ETags. So unless `owns` says that nobody else writes there, the object is looked at
        before each request.
        """

        async def write() -> str | None:
            if not owns() and not known.is_there(await self._store.head(bucket, key)):
                return None
            return await self._store.replace(bucket, key, body, headers, known.etag)

        return await self._until_done(write)

    async def conditional(self, bucket: str) -> bool:
        """Whether the store refuses to create what exists."""
        return await self._until_done(lambda: self._store.conditional(bucket))

    async def head(self, bucket: str, key: str, *, any_key: bool = False) -> Head | None:
        """The facts of an object, or None if it does not exist.

        `any_key`: also None for a key that the store refuses. HEAD answers 400 then, without a reason.
        """
        if any_key:
            return await self._until_done(lambda: _none_for_400(self._store.head(bucket, key)))
        return await self._until_done(lambda: self._store.head(bucket, key))

    async def get(self, bucket: str, key: str) -> bytes | None:
        """The content of an object, or None if it does not exist."""
        return await self._until_done(lambda: self._store.get(bucket, key))

    async def delete(self, bucket: str, key: str) -> None:
        """Remove an object. A missing object is not an error."""
        await self._until_done(lambda: self._store.delete(bucket, key))

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> KeyPage:
        """At most a thousand keys with `prefix` that sort after `after`, in order, and whether more follow."""
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
        """Abort a multipart upload. A missing upload is not an error."""
        await self._until_done(lambda: self._store.abort(bucket, upload))


async def _none_for_400(request: Awaitable[Head | None]) -> Head | None:
    try:
        return await request
    except OperatorError as error:
        if error.reason != "400":
            raise
        return None
