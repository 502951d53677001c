"""The faulty proxy passes bytes unchanged, and each fault has the effect that it names."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from pipeline.connectors.s3.store import S3Store
from pipeline.errors import ConnectorError, RetryableError
from tests.parts.faulty_s3 import Fault, FaultyS3, Kind
from tests.parts.part import S3Part
from tests.parts.stores import connector, keys_in

PLAIN = {"ssl": {"enable": False}}
SHORT = {**PLAIN, "request_timeout": "500ms"}  # of requests that hang; what is not broken may take its time


@pytest.fixture
def proxy(s3: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(s3, seed=1) as started:
        yield started


@pytest.fixture
async def store(proxy: FaultyS3) -> AsyncIterator[S3Store]:
    async with S3Store(connector(proxy.part, transport_options=PLAIN)) as opened:
        yield opened


@pytest.fixture
async def bucket(store: S3Store) -> str:
    name = f"faulty-{uuid.uuid4().hex[:12]}"
    await store.create_bucket(name)
    return name


async def test_passes_bytes_unchanged_in_both_directions(store: S3Store, bucket: str, proxy: FaultyS3) -> None:
    """Small and large objects, odd keys, lists and HEAD pass unchanged."""
    body = os.urandom(3_000_000)
    await store.put(bucket, "a b/é+&", body, {"x-amz-meta-who": "me"})

    head = await store.head(bucket, "a b/é+&")
    assert head is not None
    assert (head.size_bytes, head.metadata["who"]) == (len(body), "me")
    assert await store.get(bucket, "a b/é+&") == body
    assert await keys_in(store, bucket) == ["a b/é+&"]
    assert all(each.fault is None for each in proxy.seen)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("cut_before", False),
        ("cut_midway", False),
        ("lose_answer", True),
        ("cut_answer", True),
        ("hang", False),
        ("hang_after", True),
        ("error", False),
        ("cut_sent", None),
        ("refuse", None),
    ],
)
async def test_a_broken_request_is_an_error_and_has_the_effect_it_says(
    store: S3Store, bucket: str, proxy: FaultyS3, kind: Kind, written: bool | None
) -> None:
    """What the client sees is a failure; whether the object is there depends on where the request was broken.

    What breaks on a kept connection is sent once more, so the fault stays until the client gives up.
    """
    async with S3Store(connector(proxy.part, transport_options=SHORT)) as fresh:  # `refuse` breaks new connections
        proxy.inject(Fault(kind, methods=("PUT",)))
        with pytest.raises(RetryableError):
            await fresh.put(bucket, "k", b"1" * 1000, {})
    proxy.heal()

    assert proxy.injected(kind) >= 1
    if written is not None:
        assert await store.get(bucket, "k") == (b"1" * 1000 if written else None)


@pytest.mark.parametrize("kind", ["delay", "trickle"])
async def test_a_slow_answer_is_an_answer(store: S3Store, bucket: str, proxy: FaultyS3, kind: Kind) -> None:
    """A slow answer within the time limit is accepted."""
    proxy.inject(Fault(kind, seconds=0.1))
    await store.put(bucket, "k", b"1", {})

    assert proxy.injected(kind) == 1


async def test_one_seed_breaks_the_same_requests_again(s3: S3Part, bucket: str) -> None:
    """The seed and the order of arrival decide which requests break."""
    runs = []
    for _ in range(2):
        with FaultyS3(s3, seed=7) as proxy:
            async with S3Store(connector(proxy.part, transport_options=PLAIN)) as store:
                proxy.inject(Fault("error", chance=0.5, methods=("PUT",)))
                for number in range(20):
                    try:
                        await store.put(bucket, f"k{number}", b"", {})
                    except ConnectorError as error:
                        assert error.reason == "SlowDown"  # noqa: PT017 - either outcome is fine here
            runs.append([each.fault for each in proxy.seen])

    assert runs[0] == runs[1]
    assert {None, "error"} == set(runs[0])
