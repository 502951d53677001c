"""Decides why a write fails: because of the row, or because of the store or the settings.

If the store or a person is the cause, the worker waits without end, and nothing is lost. But it must not wait for a row that no
store will ever accept, because the row's client and partition would wait too. The store seldom gives the cause, so three things
count:

1. The parts of the request that the row decides. Its fields may make the bucket, the key, metadata and tags (their
   templates read the row). A part that depends on settings alone is never the row's fault.
2. The subject of the answer. If the answer names a part that the row decides, the row is the cause: at once if the answer says
   "never", after BUCKET_TRIES_MAX tries for a missing or forbidden bucket, after TRIES_MAX for a 4xx without a reason.
3. The result of a *probe*: an object of our own with the same size in the same bucket. While probes fail too, the store is the
   cause. A row that has failed for `row_patience`, counting only the time in which probes succeeded, is given up, whatever the
   store answers.

Throttling and expired credentials are never a row's fault. In a bucket that the row has chosen, a probe fails for the same
reason as the row. There, a successful write of the action elsewhere counts like a successful probe.
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
# A row is given up after this number of failures at the earliest, because a frozen process has not tried meanwhile.
PATIENT_TRIES_MIN: Final = 10
# The result of a probe counts for this time, and a probe may take this time.
PROBE_GOOD_SECONDS: Final = 1.0
PROBE_WAIT_SECONDS: Final = 20.0
_WITHOUT_CODE: Final = {"403", "404"}  # a proxy in front of the store may answer so while the store is away
_BUCKETS_REMEMBERED_MAX: Final = 1_000

Probe = Callable[[], Awaitable[bool]]
DoneAt = Callable[[], float]  # the time of the action's last successful request, on the loop's clock


class RowParts(NamedTuple):
    """The parts of a request that fields of rows decide, and how long a row is tried that fails while others succeed."""

    parts: frozenset[Part]
    patience_seconds: float


class Suspect:
    """One request, or several in order, for one row or for rows with one key."""

    __slots__ = ("_began", "_decided", "_done_at", "_failed_seconds", "_fine_at", "_probe", "_tries")

    def __init__(self, decided: RowParts, probe: Probe, done_at: DoneAt) -> None:
        self._decided = decided
        self._probe = probe
        self._done_at = done_at
        self._tries = 0
        self._began: float | None = None  # time of the first failure
        self._failed_seconds = 0.0  # time in which it failed while others succeeded
        self._fine_at: float | None = None  # time of the others' success at its last failure

    def judged(self, error: RefusedError) -> RefusedError | OperatorError:
        """The error for a final refusal. If settings are the cause, it waits for a person."""
        if not error.blames or error.blames & self._decided.parts:
            return error
        return OperatorError(str(error), reason=error.reason)

    async def is_to_blame(self, error: RetryableError | OperatorError) -> bool:
        """Whether the row seems to be the cause. Raises RefusedError when that is certain enough."""
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
        return RefusedError(f"given up, since it failed {how_long} because of the row: {error}", reason=error.reason)


class Asked(NamedTuple):
    """A probe: the time of its start, and its answer."""

    at: float
    answer: asyncio.Task[bool]


class Probes:
    """Tests whether buckets accept an object now. Several callers at once share one request."""

    def __init__(self, store: S3Store) -> None:
        self._store = store
        self._asked: dict[tuple[str, int], Asked] = {}  # by bucket and the length of the size in bits

    async def takes(self, bucket: str, size_bytes: int, headers: Mapping[str, str]) -> bool:
        """Whether the bucket accepts an object of this size, or did so a moment ago. `headers`: those of the settings."""
        name = bucket, size_bytes.bit_length()
        asked = self._asked.get(name)
        now = asyncio.get_running_loop().time()
        if asked is None or (asked.answer.done() and now - asked.at > PROBE_GOOD_SECONDS):
            if len(self._asked) >= _BUCKETS_REMEMBERED_MAX:
                self._asked.clear()
            asked = Asked(now, asyncio.create_task(self._takes(bucket, size_bytes, headers)))
            self._asked[name] = asked
        return await asyncio.shield(asked.answer)

    async def _takes(self, bucket: str, size_bytes: int, headers: Mapping[str, str]) -> bool:
        try:
            async with asyncio.timeout(PROBE_WAIT_SECONDS):
                await self._store.put(bucket, PROBE, bytes(size_bytes), headers)
        except (ConnectorError, TimeoutError):
            return False
        return True
