"""Uploads that fail, hang or are abandoned at any step leave no object and no parts, and can be repeated."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from agents.lanes.lane import Fetched
from agents.sinks.aggregated import AggregatedLane
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import RetryableError
from pipeline.rule.rule_set import RuleSet
from tests.faults.simulation.world import kafka_record
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.lanes import aggregated_lane
from tests.parts.part import S3Part
from tests.parts.stores import MIB, connector, keys_in
from tests.parts.waiting import until

STEPS = {
    "start": Fault("error", methods=("POST",), path="uploads", status=500, code="InternalError"),
    "part": Fault("error", methods=("PUT",), path="partNumber=2", status=500, code="InternalError"),
    "complete": Fault("error", methods=("POST",), path="uploadId", status=500, code="InternalError"),
    "put": Fault("error", methods=("PUT",), path="/small", status=500, code="InternalError"),
}
SHORT = {"ssl": {"enable": False}, "max_retries": 0}


@pytest.fixture
def proxy(s3: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(s3) as started:
        yield started


@pytest.fixture
async def store(proxy: FaultyS3) -> AsyncIterator[S3Store]:
    async with S3Store(connector(proxy.part, transport_options=SHORT)) as opened:
        yield opened


@pytest.fixture
async def bucket(store: S3Store) -> str:
    name = f"uploads-{uuid.uuid4().hex[:12]}"
    await store.create_bucket(name)
    assert await store.conditional(name)
    return name


async def until_seen(proxy: FaultyS3, kind: str) -> None:
    await until(lambda: any(each.fault == kind for each in proxy.seen), 20, lambda: str(proxy.seen))


@pytest.mark.parametrize("step", STEPS)
async def test_a_step_that_fails_leaves_nothing(store: S3Store, bucket: str, proxy: FaultyS3, step: str) -> None:
    """The error is raised, no object and no parts are left, and the next try writes the object."""
    key, body = ("small", b"1") if step == "put" else ("big", os.urandom(11 * MIB))
    proxy.inject(STEPS[step])

    with pytest.raises(RetryableError) as caught:
        await store.create(bucket, key, body, {}, part_bytes=5 * MIB)

    assert caught.value.reason == "InternalError"
    assert await store.get(bucket, key) is None
    assert await store.uploads(bucket, "") == []
    proxy.heal()
    assert await store.create(bucket, key, body, {}, part_bytes=5 * MIB) is not None
    assert await store.get(bucket, key) == body


async def test_an_abort_that_fails_leaves_parts_that_can_be_swept(store: S3Store, bucket: str, proxy: FaultyS3) -> None:
    """The first error is raised, and `verify --sweep` aborts the upload later."""
    proxy.inject(STEPS["part"], Fault("error", methods=("DELETE",), status=500, code="NotToday"))

    with pytest.raises(RetryableError) as caught:
        await store.create(bucket, "big", os.urandom(11 * MIB), {}, part_bytes=5 * MIB)

    assert caught.value.reason == "InternalError"
    assert await store.get(bucket, "big") is None
    (left,) = await store.uploads(bucket, "")
    proxy.heal()
    await store.abort(bucket, left)
    assert await store.uploads(bucket, "") == []


async def test_a_put_that_is_abandoned_leaves_no_object(store: S3Store, bucket: str, proxy: FaultyS3) -> None:
    """A PUT whose caller stops before its end leaves no object."""
    proxy.inject(Fault("hang", methods=("PUT",)))
    creating = asyncio.create_task(store.create(bucket, "k", b"1", {}))
    await until_seen(proxy, "hang")
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)

    assert await store.get(bucket, "k") is None


def offer(lane: AggregatedLane) -> bytes:
    """Two rows of more than six million bytes, which are one object of three parts; its content."""
    rules = RuleSet({"r": 'SELECT payload.n AS n, payload.text AS text FROM "t/#"'}, node="n")
    text = "x" * (6 * MIB)
    records = [kafka_record(n, b"c", b'{"n": %d, "text": "%s"}' % (n, text.encode())) for n in range(2)]
    lane.reserve(Fetched(0, 2, 1))
    lane.offer(rules.evaluate(records))
    lane.drain()
    return b"".join(b'{"n":%d,"text":"%s"}\n' % (n, text.encode()) for n in range(2))


async def test_an_action_that_is_stopped_in_mid_upload_aborts_it_and_goes_on_when_it_is_back(
    store: S3Store, bucket: str, proxy: FaultyS3
) -> None:
    """A stop leaves no parts, and the next start writes the whole object."""
    statements = {"r": 'SELECT payload.n AS n, payload.text AS text FROM "t/#"'}
    proxy.inject(Fault("hang", path="partNumber=3"))
    lane = aggregated_lane(store, bucket, statements)
    offer(lane)
    running = asyncio.create_task(lane.run())
    await until_seen(proxy, "hang")
    assert len(await store.uploads(bucket, "")) == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    assert await store.uploads(bucket, "") == []
    assert await keys_in(store, bucket, "x/") == []

    proxy.heal()
    again = aggregated_lane(store, bucket, statements)
    content = offer(again)
    async with asyncio.timeout(30):
        await again.run()
    (key,) = await keys_in(store, bucket, "x/")
    assert await store.get(bucket, key) == content
    assert await store.uploads(bucket, "") == []
