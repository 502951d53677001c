"""Whose fault is it that a write fails: the row's, or the store's and the settings'?

A fault of the store or of a person is waited for without end, and nothing is lost. A row that no store will ever take must not be
waited for: behind it stand its client and its partition. The store seldom says which it is, so three things are looked at.

1. What the row decides of the request. Its fields may make the bucket, the key, metadata and tags (their templates read the row).
   What the settings alone have made is never the row's fault.
2. What the answer is about. An answer that names what the row has decided is the row's: at once if it says "never", after
   BUCKET_TRIES_MAX tries for a bucket that is not there or forbidden, after TRIES_MAX for a 4xx that does not say why.
3. What becomes of a *probe*: an object of our own, of the same size, in the same bucket. While that fails too, it is the store.
   A row that has failed for `row_patience`, counting only the time in which probes succeeded, is given up, whatever the store
   answers.

A store that asks for fewer requests, or credentials that have ended, are never a row's fault. In a bucket that the row has chosen
a probe fails for the same reason as the row: there it counts as well that the action has written something elsewhere meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, NamedTuple

from pipeline.connectors.s3.errors import NEVER_A_ROWS
from pipeline.connectors.s3.store import PROBE, S3Store
from pipeline.errors import ConnectorError, OperatorError, Part, RefusedError, RetryableError

TRIES_MAX: Final = 3
BUCKET_TRIES_MAX: Final = 5
# A row's patience takes so many failures at least: a process that was frozen has not tried meanwhile.
PATIENT_TRIES_MIN: Final = 10
# A probe answers for all who ask within this time, and has itself so long to answer.
PROBE_GOOD_SECONDS: Final = 1.0
PROBE_WAIT_SECONDS: Final = 20.0
_WITHOUT_CODE: Final = {"403", "404"}  # whatever stands before a store may answer so, for as long as that is away
_BUCKETS_REMEMBERED_MAX: Final = 1_000

Probe = Callable[[], Awaitable[bool]]
DoneAt = Callable[[], float]  # when a request of the action succeeded last, on the loop's clock


class RowParts(NamedTuple):
    """What of a request the fields of rows decide, and how long a row is tried that is refused while others are taken."""

    parts: frozenset[Part]
    patience_seconds: float


class Suspect:
    """One request, or several after each other, of one row or of rows with one key."""

    __slots__ = ("_began", "_decided", "_done_at", "_failed_seconds", "_fine_at", "_probe", "_tries")

    def __init__(self, decided: RowParts, probe: Probe, done_at: DoneAt) -> None:
        self._decided = decided
        self._probe = probe
        self._done_at = done_at
        self._tries = 0
        self._began: float | None = None  # when it failed first
        self._failed_seconds = 0.0  # how long it has failed while others succeeded
        self._fine_at: float | None = None  # when others succeeded at its last failure

    def judged(self, error: RefusedError) -> RefusedError | OperatorError:
        """A refusal for ever; one of what the settings have made waits for a person."""
        if not error.blames or error.blames & self._decided.parts:
            return error
        return OperatorError(str(error), reason=error.reason)

    async def is_to_blame(self, error: RetryableError | OperatorError) -> bool:
        """Whether it seems to be the row's fault. Raises RefusedError once that is certain enough."""
        parts = self._decided.parts - {"content"}
        if not parts or error.reason in NEVER_A_ROWS:
            return False
        named = error.blames & parts if isinstance(error, OperatorError) else frozenset()
        of_bucket = named == {"bucket"} == error.blames
        if of_bucket and error.reason not in _WITHOUT_CODE:
            return self._tried_in_vain(error, BUCKET_TRIES_MAX)
        now = asyncio.get_running_loop().time()
        self._began = now if self._began is None else self._began
        if not of_bucket and not await self._probe() and not ("bucket" in parts and self._done_at() > self._began):
            self._fine_at = None
            return False
        patience = self._decided.patience_seconds
        if self._fine_at is not None:
            self._failed_seconds += min(now - self._fine_at, patience / PATIENT_TRIES_MIN)
        self._fine_at = now
        if self._failed_seconds >= patience:
            raise self._given_up(error, f"for {self._failed_seconds:.0f} s")
        return self._tried_in_vain(error, TRIES_MAX) if named and not of_bucket else True

    def _tried_in_vain(self, error: ConnectorError, tries_max: int) -> bool:
        self._tries += 1
        if self._tries >= tries_max:
            raise self._given_up(error, f"{self._tries} times")
        return True

    def _given_up(self, error: ConnectorError, how_long: str) -> RefusedError:
        return RefusedError(f"given up, since it failed {how_long} and is the row's own: {error}", reason=error.reason)


class Probes:
    """Asks buckets whether they take an object now. Of many who ask at once, one request is made."""

    def __init__(self, store: S3Store) -> None:
        self._store = store
        self._asked: dict[tuple[str, int], tuple[float, asyncio.Task[bool]]] = {}

    async def takes(self, bucket: str, size_bytes: int, headers: Mapping[str, str]) -> bool:
        """Whether the bucket takes an object of this size, or did so a moment ago. `headers`: those of the settings."""
        name = bucket, size_bytes.bit_length()
        began, probe = self._asked.get(name, (0.0, None))
        now = asyncio.get_running_loop().time()
        if probe is None or (probe.done() and now - began > PROBE_GOOD_SECONDS):
            if len(self._asked) >= _BUCKETS_REMEMBERED_MAX:
                self._asked.clear()
            probe = asyncio.create_task(self._takes(bucket, size_bytes, headers))
            self._asked[name] = now, probe
        return await asyncio.shield(probe)

    async def _takes(self, bucket: str, size_bytes: int, headers: Mapping[str, str]) -> bool:
        try:
            async with asyncio.timeout(PROBE_WAIT_SECONDS):
                await self._store.put(bucket, PROBE, bytes(size_bytes), headers)
        except (ConnectorError, TimeoutError):
            return False
        return True
