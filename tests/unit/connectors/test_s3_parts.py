"""Uploads in parts: the sizes of the parts, and the state after a step fails."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pipeline.connectors.s3 import multipart
from pipeline.connectors.s3.http.answers import Answer
from pipeline.connectors.s3.multipart import create_in_parts, part_size
from pipeline.errors import RetryableError

MIB = 1 << 20
BEGUN = b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"


@pytest.mark.parametrize(
    ("size_bytes", "least", "most", "expected"),
    [
        (6 * MIB, 5 * MIB, 5 << 30, 5 * MIB),
        (10_000 * 5 * MIB, 5 * MIB, 5 << 30, 5 * MIB),
        (10_000 * 5 * MIB + 1, 5 * MIB, 5 << 30, 5 * MIB + 1),
        (10_000 * 9 * MIB, 5 * MIB, 8 * MIB, 8 * MIB),
    ],
)
def test_parts_grow_only_where_there_would_be_too_many(size_bytes: int, least: int, most: int, expected: int) -> None:
    """Parts grow only if an object would have more than 10,000, and stay within the setting."""
    assert part_size(size_bytes, least, most) == expected


async def test_a_completion_that_fails_behind_a_200_is_aborted_and_can_be_tried_again() -> None:
    """A completion with status 200 and an error document is aborted and can be repeated."""
    methods = []

    async def request(
        method: str, *, body: bytes, headers: Mapping[str, str], query: Mapping[str, str], **_: str
    ) -> Answer:
        methods.append(method)
        error = method == "POST" and "uploadId" in query
        return Answer(200, {"etag": "e"}, b"<Error><Code>InternalError</Code></Error>" if error else BEGUN)

    with pytest.raises(RetryableError) as caught:
        await create_in_parts(request, b"x" * 11, {}, {}, 5)

    assert caught.value.reason == "InternalError"
    assert methods == ["POST", "PUT", "PUT", "PUT", "POST", "DELETE"]


async def test_a_part_under_way_may_arrive_behind_the_abort_so_it_is_aborted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second abort removes a part that arrives after the first one."""
    monkeypatch.setattr(multipart, "ABORT_AGAIN_SECONDS", 0.0)
    methods = []

    async def request(
        method: str, *, body: bytes, headers: Mapping[str, str], query: Mapping[str, str], **_: str
    ) -> Answer:
        methods.append(method)
        if method != "POST":
            raise RetryableError("cut", reason="connection")
        return Answer(200, {}, BEGUN)

    with pytest.raises(RetryableError, match="cut"):
        await create_in_parts(request, b"x", {}, {}, 5)

    assert methods == ["POST", "PUT", "DELETE", "DELETE"]


async def test_an_answer_without_an_upload_is_tried_again() -> None:
    """If a proxy answers instead of the store, no part is sent, and the error quotes the answer."""
    methods = []

    async def request(method: str, **parts: object) -> Answer:
        methods.append(method)
        return Answer(200, {}, b"<html>welcome</html>")

    with pytest.raises(RetryableError, match="expected an UploadId, found '<html>welcome</html>'"):
        await create_in_parts(request, b"x" * 11, {}, {}, 5)

    assert methods == ["POST"]
