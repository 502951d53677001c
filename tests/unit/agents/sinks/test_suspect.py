"""Whose fault a failing write is: the row's, which becomes a dead letter, or the store's and the settings', which waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import pytest
import structlog

from agents.sinks.attempts import Attempts
from agents.sinks.patient_store import PatientStore
from agents.sinks.suspect import BUCKET_TRIES_MAX, PATIENT_TRIES_MIN, PROBE_GOOD_SECONDS, TRIES_MAX, RowParts, Suspect
from pipeline.connectors.s3.errors import classify
from pipeline.connectors.s3.store import PROBE
from pipeline.errors import ConnectorError, Part, RefusedError, RetryableError
from tests.faults.simulation.clock import tell

PATIENCE: Final = 120.0
LONG: Final = 3600.0
KEY: Final = frozenset[Part]({"key", "content"})
BUCKET: Final = frozenset[Part]({"bucket", "content"})
HEADERS: Final = frozenset[Part]({"headers", "content"})
NOTHING: Final = frozenset[Part]({"content"})


def answer(status: int, code: str = "") -> ConnectorError:
    """What a store means with this answer."""
    return classify(status, code, "because", "PUT bucket/key")


def cut() -> RetryableError:
    return RetryableError("cut", reason="connection")


class Store:
    """Answers with an error to every row, and to probes too while it is `away`."""

    def __init__(self, error: ConnectorError, *, away: bool = False, away_until: float = 0.0) -> None:
        self.error = error
        self.away = away
        self.away_until = away_until
        self.rows = self.probes = 0
        self.probed_bytes = 0

    async def put(self, bucket: str, key: str, body: bytes, headers: object) -> str:
        await asyncio.sleep(0.01)
        if key == PROBE:
            self.probes += 1
            self.probed_bytes = len(body)
            if self.away or asyncio.get_running_loop().time() < self.away_until:
                raise self.error
            return "e"
        if key == "fine":
            return "e"
        self.rows += 1
        raise self.error


def told(
    store: Any, parts: frozenset[Part], *, beside: Callable[[PatientStore], Any] | None = None
) -> tuple[RefusedError | None, float, Attempts]:
    """The dead letter of a row, if there is one within an hour; after how many seconds; what became of the action."""
    attempts = Attempts("suspect", cap_seconds=20.0)
    found: list[tuple[RefusedError | None, float]] = []

    async def story() -> None:
        patient = PatientStore(store, attempts)
        others = asyncio.create_task(beside(patient)) if beside else None
        try:
            async with asyncio.timeout(LONG):
                await patient.of_row(RowParts(parts, PATIENCE), "bucket", 1000, {}).put(
                    "bucket", "key", b"x" * 1000, {}
                )
        except TimeoutError:
            found.append((None, LONG))
        except RefusedError as error:
            found.append((error, asyncio.get_running_loop().time()))
        if others:
            others.cancel()

    with structlog.testing.capture_logs():
        tell(1, story())
    ((error, seconds),) = found
    return error, seconds, attempts


AT_ONCE = [
    (400, "DirectoryObjectContainsData", KEY),
    (400, "KeyTooLongError", KEY),
    (400, "InvalidURI", KEY),
    (409, "ObjectParentIsFile", KEY),
    (414, "", KEY),
    (400, "InvalidBucketName", BUCKET),
    (400, "MetadataTooLarge", HEADERS),
    (400, "RequestHeaderSectionTooLarge", HEADERS),
    (431, "", HEADERS),
    (400, "InvalidTag", HEADERS),
    (400, "EntityTooLarge", NOTHING),
    (413, "", NOTHING),
]


@pytest.mark.parametrize(("status", "code", "parts"), AT_ONCE)
def test_what_is_said_of_what_the_row_has_made_is_the_rows_at_once(
    status: int, code: str, parts: frozenset[Part]
) -> None:
    """The store says never, and what it is about."""
    store = Store(answer(status, code))

    error, _, attempts = told(store, parts)

    assert error is not None
    assert (error.reason, store.rows, store.probes) == (code or str(status), 1, 0)
    assert attempts.reason == ""


@pytest.mark.parametrize(("status", "code", "parts"), AT_ONCE[:-2])
def test_the_same_of_what_the_settings_have_made_waits_for_a_person(
    status: int, code: str, parts: frozenset[Part]
) -> None:
    """The row has decided everything else."""
    others = frozenset[Part]({"bucket", "key", "headers"}) - parts | {"content"}

    error, _, attempts = told(Store(answer(status, code), away=True), others)

    assert error is None
    assert (attempts.status, attempts.reason) == ("disconnected", code or str(status))


@pytest.mark.parametrize(
    ("status", "code"), [(400, ""), (400, "400"), (405, "MethodNotAllowed"), (405, ""), (400, "XOdd")]
)
@pytest.mark.parametrize("parts", [KEY, HEADERS, BUCKET | KEY])
def test_a_4xx_that_does_not_say_why_is_the_rows_after_some_tries(
    status: int, code: str, parts: frozenset[Part]
) -> None:
    """While the bucket takes an object of the same size. The action stays connected, and others go on."""
    store = Store(answer(status, code))

    error, seconds, attempts = told(store, parts)

    assert error is not None
    assert "3 times" in str(error)
    assert (store.rows, attempts.reason) == (TRIES_MAX, "")
    assert store.probed_bytes == 1000
    assert seconds < 10


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchBucket"), (403, "AccessDenied"), (403, "AllAccessDisabled")])
def test_a_bucket_that_the_row_has_chosen_is_tried_so_often(status: int, code: str) -> None:
    """It is asked for a few times, since a person may just be making it."""
    store = Store(answer(status, code), away=True)

    error, seconds, attempts = told(store, BUCKET)

    assert error is not None
    assert (error.reason, store.rows, attempts.reason) == (code, BUCKET_TRIES_MAX, "")
    assert seconds < 20


@pytest.mark.parametrize("status", [403, 404])
def test_without_a_code_it_may_be_a_proxy_whose_store_is_away(status: int) -> None:
    """A bucket that the row has chosen is tried for as long as a row is, then."""
    error, seconds, _ = told(Store(answer(status), away=True), BUCKET)

    assert error is not None
    assert PATIENCE <= seconds < 2 * PATIENCE


@pytest.mark.parametrize("parts", [KEY, HEADERS, NOTHING])
@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "NoSuchBucket"), (403, "AccessDenied"), (403, ""), (404, ""), (403, "SignatureDoesNotMatch"), (401, ""), (400, ""),
     (403, "InvalidAccessKeyId"), (405, ""), (500, "InternalError"), (502, ""), (501, "NotImplemented"), (507, "QuotaExceeded")],
)  # fmt: skip
def test_a_fault_of_the_store_or_of_a_person_is_waited_for_without_end(
    status: int, code: str, parts: frozenset[Part]
) -> None:
    """The bucket of the settings is not there, a wrong secret, an outage, a full disk: probes fail as rows do."""
    store = Store(answer(status, code), away=True)

    error, _, attempts = told(store, parts)

    assert error is None
    assert (attempts.status, attempts.reason) == ("disconnected", code or str(status))
    assert store.probes <= store.rows


@pytest.mark.parametrize(
    "code", ["SlowDown", "ServiceUnavailable", "RequestTimeTooSkewed", "ExpiredToken", "503", "429"]
)
def test_a_store_that_is_busy_is_never_the_rows_fault(code: str) -> None:
    """However long it throttles this one key and no other."""
    store = Store(answer(int(code) if code.isdecimal() else 503, "" if code.isdecimal() else code))

    error, _, attempts = told(store, BUCKET | KEY)

    assert error is None
    assert (attempts.reason, store.probes) == (code, 0)


@pytest.mark.parametrize(
    "error",
    [
        answer(500, "InternalError"),
        answer(501, "NotImplemented"),
        answer(502),
        cut(),
        answer(403, "AccessDenied"),
        answer(403),
    ],
    ids=lambda error: error.reason,
)
def test_the_last_resort_is_a_row_that_fails_while_the_bucket_takes_others(error: ConnectorError) -> None:
    """For some minutes without a break, whatever the store says."""
    store = Store(error)

    given_up, seconds, attempts = told(store, KEY)

    assert given_up is not None
    assert given_up.reason == error.reason
    assert "given up" in str(given_up)
    assert PATIENCE <= seconds < 2 * PATIENCE
    assert attempts.reason == ""


def test_the_time_of_an_outage_does_not_count() -> None:
    """Only time in which the bucket took others does."""
    store = Store(answer(500, "InternalError"), away_until=1000.0)

    error, seconds, _ = told(store, KEY)

    assert error is not None
    assert 1000 + PATIENCE <= seconds < 1000 + 2 * PATIENCE


def test_a_process_that_was_frozen_has_not_tried_meanwhile() -> None:
    """Two failures an hour apart are two, and not an hour of them."""
    probes = 0

    async def probe() -> bool:
        nonlocal probes
        probes += 1
        return True

    async def story() -> None:
        suspect = Suspect(RowParts(KEY, PATIENCE), probe, lambda: 0.0)
        for _ in range(PATIENT_TRIES_MIN):
            assert await suspect.is_to_blame(cut())
            await asyncio.sleep(LONG)
        with pytest.raises(RefusedError):
            await suspect.is_to_blame(cut())

    tell(1, story())

    assert probes == PATIENT_TRIES_MIN + 1


def test_a_row_that_decides_nothing_but_its_content_waits() -> None:
    """Its key is the settings', and so is whatever is wrong with it."""
    error, _, attempts = told(Store(answer(500, "InternalError")), NOTHING)

    assert error is None
    assert attempts.reason == "InternalError"


@pytest.mark.parametrize("others_go_on", [True, False])
def test_a_host_that_a_bucket_does_not_have_is_the_rows_when_others_are_written(others_go_on: bool) -> None:
    """A probe goes to the same host. With an access method that puts buckets into host names, a bucket is a name of DNS."""

    async def beside(patient: PatientStore) -> None:
        while others_go_on:
            await asyncio.sleep(30)
            await patient.put("bucket", "fine", b"", {})

    store = Store(RetryableError("no such host", reason="dns"), away=True)
    error, seconds, _ = told(store, BUCKET, beside=beside)

    assert (error is not None) == others_go_on
    assert not others_go_on or PATIENCE <= seconds < 2 * PATIENCE


def test_many_rows_that_fail_at_once_ask_together() -> None:
    """An outage is not made worse by probes: one a second in each bucket, and one at a time."""
    store = Store(answer(500, "InternalError"), away=True)
    attempts = Attempts("suspects", cap_seconds=2.0)

    async def story() -> None:
        patient: Any = PatientStore(store, attempts)  # type: ignore[arg-type]
        rows = [
            asyncio.create_task(
                patient.of_row(RowParts(KEY, PATIENCE), "bucket", 600 + n, {}).put("bucket", "key", b"", {})
            )
            for n in range(100)
        ]
        await asyncio.sleep(60)
        for row in rows:
            row.cancel()
        await asyncio.gather(*rows, return_exceptions=True)

    with structlog.testing.capture_logs():
        tell(1, story())

    assert store.probes <= 60 / PROBE_GOOD_SECONDS + 1
    assert store.rows > 10 * store.probes
