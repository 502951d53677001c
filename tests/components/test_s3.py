"""The S3 connector on a real store, and on moto for features that the real one lacks."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from pipeline.config import S3Connector
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import OperatorError, RefusedError, RetryableError
from pipeline.upload.headers import checked
from tests.parts.part import S3Part
from tests.parts.stores import MIB, connector, keys_in


@pytest.fixture
async def store(s3: S3Part) -> AsyncIterator[S3Store]:
    async with S3Store(connector(s3)) as opened:
        yield opened


@pytest.fixture
async def bucket(store: S3Store) -> str:
    name = f"s3-{uuid.uuid4().hex[:12]}"
    await store.create_bucket(name)
    return name


async def test_what_is_put_is_what_comes_back(store: S3Store, bucket: str) -> None:
    """Bytes, content type and metadata come back unchanged."""
    body = os.urandom(1000)
    await store.put(bucket, "a/b.bin", body, checked({"Content-Type": "x/y", "x-amz-meta-Who": "me"}))

    head = await store.head(bucket, "a/b.bin")
    assert await store.get(bucket, "a/b.bin") == body
    assert head is not None
    assert (head.size_bytes, head.metadata["who"]) == (1000, "me")


async def test_create_takes_a_key_once(store: S3Store, bucket: str) -> None:
    """Of sixteen creates at once, one succeeds and its content stays."""
    assert await store.conditional(bucket)
    wrote = await asyncio.gather(*(store.create(bucket, "k", b"%d" % n, {}) for n in range(16)))

    winners = [n for n, etag in enumerate(wrote) if etag is not None]
    assert len(winners) == 1
    assert await store.get(bucket, "k") == b"%d" % winners[0]


async def test_replace_needs_the_object_that_was_seen(store: S3Store, bucket: str) -> None:
    """With an old ETag, or for a deleted object, a replace changes nothing."""
    first = await store.create(bucket, "k", b"1", {})
    assert first is not None
    second = await store.replace(bucket, "k", b"2", {}, first)

    assert second not in {None, first}
    assert await store.replace(bucket, "k", b"3", {}, first) is None
    assert await store.replace(bucket, "gone", b"3", {}, first) is None
    assert await store.get(bucket, "k") == b"2"


async def test_large_objects_go_up_in_parts_and_only_once(store: S3Store, bucket: str) -> None:
    """The parts make the exact bytes, and a second create fails and leaves no parts."""
    body = os.urandom(11 * MIB)

    assert await store.create(bucket, "big", body, {"content-type": "x/y"}, part_bytes=5 * MIB) is not None
    assert await store.create(bucket, "big", b"x" * 6 * MIB, {}, part_bytes=5 * MIB) is None
    assert await store.get(bucket, "big") == body
    assert await store.uploads(bucket, "") == []


async def test_an_abandoned_upload_is_aborted(store: S3Store, bucket: str) -> None:
    """A worker that stops in the middle of an upload leaves no parts."""
    creating = asyncio.create_task(store.create(bucket, "big", os.urandom(24 * MIB), {}, part_bytes=5 * MIB))
    async with asyncio.timeout(30):
        while not creating.done():
            if await store.uploads(bucket, ""):
                break
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)

    assert await store.uploads(bucket, "") == []


@pytest.mark.parametrize("key", ["é☃/#?%+&=:@ x", "a b/~-_.!*'()", "x" * 200])
async def test_odd_keys_are_kept_as_they_are(store: S3Store, bucket: str, key: str) -> None:
    """A key with odd characters is kept unchanged."""
    await store.put(bucket, key, b"1", {})

    assert await keys_in(store, bucket) == [key]
    assert await store.get(bucket, key) == b"1"


async def test_a_key_that_no_store_takes_is_refused(store: S3Store, bucket: str) -> None:
    """A refused key is an error of its object."""
    with pytest.raises(RefusedError, match="1025"):
        await store.put(bucket, "x" * 1025, b"", {})


async def test_a_missing_bucket_is_for_a_person(store: S3Store) -> None:
    """Writing, creating and checking raise an OperatorError that names the bucket."""
    for attempt in (
        store.put("not-there-1", "k", b"", {}),
        store.check("not-there-1"),
        store.create("not-there-1", "k", b"", {}),
    ):
        with pytest.raises(OperatorError, match="not-there-1"):
            await attempt


@pytest.mark.real
async def test_a_wrong_secret_is_for_a_person_and_is_not_told(s3: S3Part, bucket: str) -> None:
    """The reason is the store's own word, and the message has no secret."""
    async with S3Store(connector(s3, secret_access_key="open-sesame")) as wrong:
        with pytest.raises(OperatorError) as caught:
            await wrong.put(bucket, "k", b"", {})

    assert caught.value.reason == "SignatureDoesNotMatch"
    assert "sesame" not in str(caught.value)


async def test_a_store_that_is_away_is_tried_again(s3: S3Part) -> None:
    """A closed port is a RetryableError."""
    async with S3Store(connector(s3, port=1)) as away:
        with pytest.raises(RetryableError):
            await away.put("b-1", "k", b"", {})
        with pytest.raises(RetryableError):
            await away.check("b-1")


async def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    """A server that accepts and stays silent gives a time-out."""
    async with AsyncExitStack() as stack:
        silent = await stack.enter_async_context(
            await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        )
        port = silent.sockets[0].getsockname()[1]
        options = {"ssl": {"enable": False}, "request_timeout": "200ms"}
        config = S3Connector.model_validate(
            {
                "host": "127.0.0.1",
                "port": port,
                "access_key_id": "a",
                "secret_access_key": "b",
                "transport_options": options,
            }
        )
        async with S3Store(config) as store:
            with pytest.raises(RetryableError) as caught:
                await store.put("b-1", "k", b"", {})

    assert caught.value.reason == "timeout"


async def test_without_credentials_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any credentials, the error is an OperatorError."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    async with S3Store(S3Connector(host="127.0.0.1", port=1)) as store:
        with pytest.raises(OperatorError, match="no credentials"):
            await store.put("b-1", "k", b"", {})


async def test_credentials_of_the_environment_are_used(
    s3: S3Part, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials of the environment are used, as with every AWS tool."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.secret_access_key)
    async with S3Store(connector(s3, access_key_id=None, secret_access_key=None)) as store:
        await store.put(bucket, "k", b"1", {})
        assert await store.get(bucket, "k") == b"1"
