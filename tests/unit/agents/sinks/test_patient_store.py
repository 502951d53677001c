"""A store that waits: which errors it waits for, which it raises, and how few attempts work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import structlog

from agents.sinks.attempts import Attempts
from agents.sinks.patient_store import REQUESTS_AT_ONCE_MAX, FewAttempts, PatientStore
from agents.sinks.suspect import RowParts
from pipeline.connectors.s3.store import Head
from pipeline.errors import OperatorError, RefusedError, RetryableError
from pipeline.retry import PROOF_TRIES_MAX
from tests.faults.simulation.clock import tell


class Store:
    """Fails with these errors, one a request, and then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked = self.under_way = self.most_under_way = 0

    async def _answer(self, found: Any) -> Any:
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        if self.errors:
            raise self.errors.pop(0)
        return found

    async def get(self, bucket: str, key: str) -> bytes:
        return await self._answer(f"{bucket}/{key}".encode())

    async def head(self, bucket: str, key: str) -> Head:
        return await self._answer(Head(1, "e", {}))

    async def put(self, bucket: str, key: str, body: bytes, headers: dict[str, str]) -> str:
        return await self._answer("e")

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        following = {"": ["a", "b"], "b": ["c"]}
        return await self._answer((following[after], after == ""))


def away() -> RetryableError:
    return RetryableError("the store is away", reason="connection")


def told(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with structlog.testing.capture_logs():
        tell(1, story())


def test_what_can_be_tried_again_is_waited_for_with_the_status_told() -> None:
    """The store waits through an outage or a wrong setting, reports its status, and then gives the answer."""

    async def story() -> None:
        attempts = Attempts("waiting")
        store = Store(away(), OperatorError("forbidden", reason="403"), away())
        assert await PatientStore(store, attempts).get("b", "k") == b"b/k"  # type: ignore[arg-type]
        assert (store.asked, attempts.status) == (4, "connected")

    told(story)


def test_each_page_of_keys_is_waited_for() -> None:
    """An outage in the middle of a listing neither ends nor restarts the listing."""

    async def story() -> None:
        store = Store(away(), away())
        waiting = PatientStore(store, FewAttempts())  # type: ignore[arg-type]
        assert [key async for key in waiting.keys("b", "")] == ["a", "b", "c"]
        assert store.asked == 4

    told(story)


def test_a_refusal_comes_through_unless_settings_can_end_it() -> None:
    """A refusal is raised, unless the caller says that settings can end it; then the store waits for a person."""

    async def story() -> None:
        refused = RefusedError("too long", reason="KeyTooLong", blames={"key"})
        attempts = Attempts("refused")
        for decided, comes_through in ((None, True), ({"key"}, True), ({"bucket", "content"}, False), (set(), False)):
            store = PatientStore(Store(refused), attempts)  # type: ignore[arg-type]
            if decided is not None:
                store = store.of_row(RowParts(frozenset(decided), 60.0), "b", 0, {})
            if comes_through:
                with pytest.raises(RefusedError):
                    await store.put("b", "k", b"", {})
            else:
                assert await store.put("b", "k", b"", {}) == "e"

    told(story)


def test_a_key_that_the_store_does_not_take_can_be_asked_for() -> None:
    """With `any_key`, a refused key has no object, and every other 4xx is waited for."""

    async def story() -> None:
        bad = OperatorError("bad request", reason="400")
        store = PatientStore(Store(OperatorError("forbidden", reason="403"), bad), Attempts("any"))  # type: ignore[arg-type]
        assert await store.head("b", "k", any_key=True) is None
        assert await store.head("b", "k") == Head(1, "e", {})

    told(story)


def test_few_attempts_end_with_the_last_error() -> None:
    """With few attempts, an outage raises the last error after some tries, and a wrong setting raises at once."""

    async def story() -> None:
        store = Store(*[away() for _ in range(PROOF_TRIES_MAX)])
        with pytest.raises(RetryableError):
            await PatientStore(store, FewAttempts()).get("b", "k")  # type: ignore[arg-type]
        assert store.asked == PROOF_TRIES_MAX
        once = Store(OperatorError("forbidden", reason="403"))
        with pytest.raises(OperatorError):
            await PatientStore(once, FewAttempts()).get("b", "k")  # type: ignore[arg-type]
        assert once.asked == 1

    told(story)


def test_few_attempts_bound_the_requests_under_way() -> None:
    """The number of requests under way is bounded, however many are asked for at once."""

    async def story() -> None:
        store = Store()
        waiting = PatientStore(store, FewAttempts())  # type: ignore[arg-type]
        await asyncio.gather(*[waiting.get("b", "k") for _ in range(100)])
        assert store.most_under_way == REQUESTS_AT_ONCE_MAX

    told(story)
