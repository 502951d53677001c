"""Requests that the client of a store never sends."""

from __future__ import annotations

import pytest

from pipeline.config import S3Connector
from pipeline.connectors.s3.store import S3Store
from pipeline.connectors.s3.wire import Wire
from pipeline.errors import OperatorError, RefusedError, RetryableError

NOBODY = {"host": "127.0.0.1", "port": 1, "access_key_id": "a", "secret_access_key": "b"}
ONCE = {"ssl": {"enable": False}, "max_retries": 0}


def store(method: str) -> S3Store:
    """A store at a port where nobody listens: a request that is made is an error of another kind."""
    return S3Store(S3Connector.model_validate({**NOBODY, "access_method": method, "transport_options": ONCE}))


@pytest.mark.parametrize("method", ["path", "vhost"])
@pytest.mark.parametrize(
    "bucket",
    [
        "",
        "..",
        "BUCKET",
        "bucket-3/sub",
        "bucket-3/_tidegate/hot",
        "u@host/",
        "evil.example/",
        "x?policy",
        "a b",
        "a\nb",
    ],
)
async def test_no_url_is_made_of_what_is_no_buckets_name(method: str, bucket: str) -> None:
    """No verb makes a URL from an invalid bucket name, because it would lead to another host or bucket."""
    async with store(method) as opened:
        for attempt in (
            opened.put(bucket, "k", b"", {}),
            opened.create(bucket, "k", b"", {}),
            opened.replace(bucket, "k", b"", {}, "e"),
            opened.head(bucket, "k"),
            opened.get(bucket, "k"),
            opened.delete(bucket, "k"),
            opened.page(bucket, ""),
            opened.check(bucket),
            opened.conditional(bucket),
        ):
            with pytest.raises(RefusedError) as refused:
                await attempt
            assert refused.value.reason == "bucket"


@pytest.mark.parametrize("key", ["", "a/", "../a", "a/./b", "a\x00b", "a\ud800", "x" * 1025])
async def test_nothing_is_written_under_a_key_that_leads_elsewhere(key: str) -> None:
    """A key that leads elsewhere cannot be written, but can be read and removed."""
    async with store("path") as opened:
        with pytest.raises(RefusedError) as refused:
            await opened.put("bucket", key, b"", {})
        with pytest.raises(RetryableError):
            await opened.head("bucket", "a/")

    assert refused.value.reason == "key"


async def test_only_the_request_has_the_value_of_a_secret_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured header is resolved for the request, once; what a row renders is sent as it is, whatever it looks like."""
    monkeypatch.setenv("TOKEN", "sesame")
    headers = {"x-auth-token": "${TOKEN}"}
    opened = Wire(S3Connector.model_validate({**NOBODY, "transport_options": {**ONCE, "headers": headers}}))

    assert opened._headers["object"] == {"x-auth-token": "${TOKEN}"}
    assert opened._opened("x-auth-token", opened._headers["object"]["x-auth-token"]) == "sesame"
    assert opened._opened("x-amz-meta-row", "${TOKEN}") == "${TOKEN}"


@pytest.mark.parametrize(("value", "words"), [("a\nb", "characters that HTTP"), ("", "TOKEN is not set")])
async def test_a_header_that_cannot_be_sent_is_for_a_person(
    value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value that would break the request, or that nobody can read, is an operator's error, and never shown."""
    if value:
        monkeypatch.setenv("TOKEN", value)
    opened = Wire(S3Connector.model_validate({**NOBODY, "transport_options": {**ONCE, "headers": {"x-t": "${TOKEN}"}}}))

    with pytest.raises(OperatorError, match=words):
        opened._opened("x-t", opened._headers["object"]["x-t"])
