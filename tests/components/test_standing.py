"""What the API says of a running pipeline: a worker between a real Kafka and a real S3 server, and what stands in its way."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx
import pytest

from pipeline.config import Config
from pipeline.config.load import load
from pipeline.control.reporter import reported
from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, Pipeline, direct, message
from tests.parts.api_process import running, sign_in_first
from tests.parts.part import S3Part
from tests.parts.waiting import patient, pause

pytestmark = pytest.mark.real
RECORDS = 40


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic holds a reference; the processes have the variable."""
    monkeypatch.setenv("TIDEGATE_TEST_SECRET", S3Part.secret_access_key)


async def standing(client: httpx.AsyncClient, path: str, status: str) -> dict[str, Any]:
    """Wait until an object has this status, and return the answer."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(patient(20)):
        while found.get("status") != status:
            found = (await client.get(path)).json()
            await pause(0.1)
    return found


async def written(client: httpx.AsyncClient, count: int) -> dict[str, Any]:
    """Wait until so many rows are durable, and return the metrics of the action."""
    found: dict[str, Any] = {"latency": {"count": -1}}
    async with asyncio.timeout(patient(20)):
        while found["latency"]["count"] < count:
            found = (await client.get("/actions/s3:rows/metrics")).json()
            await pause(0.1)
    return found


@pytest.mark.timeout(120)
async def test_the_api_says_how_a_worker_stands(make: Make) -> None:
    """Connected, with the time from arrival to durable of each row; inconsistent beside one that fails; disconnected, and why."""
    pipeline = make(control=True)
    bucket = "standing"
    pipeline.actions["rows"] = direct(bucket, "d/${n}")
    pipeline.rules["r"] = ('SELECT payload.n AS n FROM "t/#"', ["rows"])
    settings = await asyncio.to_thread(prepared, pipeline, bucket)
    async with running(settings) as api:
        await sign_in_first(api)
        await standing(api.client, "/connectors/s3:lake", "connected")
        began = time.time()
        records = [message(f"c{number % 5}", b'{"n": %d}' % number) for number in range(RECORDS)]
        await asyncio.to_thread(pipeline.produce, records)
        found = await written(api.client, RECORDS)
        at_most = time.time() - began

        latency, counted = found["latency"], found["metrics"]
        assert (latency["count"], latency["buckets"]["+Inf"]) == (RECORDS, RECORDS)
        assert 0 < latency["mean_seconds"] <= at_most
        assert list(latency["buckets"].values()) == sorted(latency["buckets"].values())
        assert latency["p50_seconds"] <= latency["p95_seconds"] <= latency["p99_seconds"]
        assert (counted["matched"], counted["success"], counted["failed"]) == (RECORDS, RECORDS, 0)

        fails = {"actions": {"s3:rows": {"status": "disconnected", "status_reason": "no route", "consumer_group": "g"}}}
        async with reported("worker", settings, lambda: fails, lambda: settings, dict):
            assert "no route" in (await standing(api.client, "/connectors/s3:lake", "inconsistent"))["status_reason"]

        closed = {**(await api.client.get("/connectors/s3:lake")).json(), "port": free_port()}
        assert (await api.client.put("/connectors/s3:lake", json=closed)).status_code == 200
        reason = (await standing(api.client, "/connectors/s3:lake", "disconnected"))["status_reason"]
        assert str(closed["port"]) in reason
        assert S3Part.secret_access_key not in reason


def prepared(pipeline: Pipeline, bucket: str) -> Config:
    """Apply the configuration, start a worker, and return what the file of the API process says."""
    pipeline.prepare(bucket)
    revision = pipeline.apply()
    pipeline.worker(revision=revision)
    return load(pipeline.settings())
