"""Stores without conditional writes: the rest of the fence, and that nothing is lost."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator

import orjson
import pytest

from pipeline.connectors.s3.store import S3Store
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.lanes import ROWS, aggregated_lane, direct_lane, write
from tests.parts.part import S3Part
from tests.parts.stores import connector, keys_in

WAYS = {
    "ignores conditions": [Fault("ignore_condition", methods=("PUT",))],
    "refuses conditions": [
        Fault("error", header=header, status=501, code="NotImplemented") for header in ("if-none-match", "if-match")
    ],
}


@pytest.fixture
def proxy(moto: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(moto) as started:
        yield started


@pytest.fixture
async def bucket(moto: S3Part) -> str:
    name = f"plain-{uuid.uuid4().hex[:12]}"
    async with S3Store(connector(moto)) as opened:
        await opened.create_bucket(name)
    return name


@pytest.fixture(params=WAYS)
async def plain(request: pytest.FixtureRequest, proxy: FaultyS3) -> AsyncIterator[S3Store]:
    """A store without conditional writes, in one of two ways."""
    proxy.inject(*WAYS[request.param])
    async with S3Store(connector(proxy.part)) as opened:
        yield opened


async def test_direct_upload_is_plain_puts(plain: S3Store, bucket: str, proxy: FaultyS3) -> None:
    """The lack is found once for a bucket, then each row is one PUT, and each client's last value stays."""
    lane = direct_lane(plain, bucket)
    await write(lane)

    assert not await plain.conditional(bucket)
    assert lane.durable == ROWS
    assert [await plain.get(bucket, f"k/c{client}") for client in range(5)] == [
        b"%d" % n for n in range(ROWS - 5, ROWS)
    ]
    assert len([each for each in proxy.seen if each.method == "PUT" and "/k/" in each.path]) == ROWS


async def test_aggregated_upload_looks_before_it_writes(plain: S3Store, bucket: str) -> None:
    """A HEAD finds an object that was written before a kill, and each row is in one object."""
    for _ in range(2):
        lane = aggregated_lane(plain, bucket)
        await write(lane)
        assert lane.durable == ROWS

    content = [await plain.get(bucket, key) for key in await keys_in(plain, bucket, "x/")]
    found = sorted(orjson.loads(line)["n"] for each in content for line in (each or b"").splitlines())
    assert found == list(range(ROWS))
    assert await plain.create(bucket, "taken", b"1", {}) is not None
    assert await plain.create(bucket, "taken", b"2", {}) is None
    assert await plain.get(bucket, "taken") == b"1"
