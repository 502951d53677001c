"""The health check of an action's bucket."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from agents.sinks import bucket_check
from agents.sinks.attempts import Attempts
from pipeline.config import S3Action
from pipeline.connectors.s3.store import S3Store
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.part import S3Part
from tests.parts.stores import connector
from tests.parts.waiting import patient, until

SHORT = {"ssl": {"enable": False}, "max_retries": 0}


def action(bucket: str) -> S3Action:
    options = {"health_check_interval": "20ms", "health_check_timeout": "300ms"}
    parameters = {"bucket": bucket, "key": "k"}
    return S3Action.model_validate({"connector": "c", "parameters": parameters, "resource_opts": options})


async def test_status_follows_the_bucket_without_any_rows(s3: S3Part) -> None:
    """The status follows a bucket that is missing, created, cut off, forbidden, hanging, and back."""
    name = f"health-{uuid.uuid4().hex[:12]}"
    stop = asyncio.Event()
    with FaultyS3(s3) as proxy:
        async with S3Store(connector(proxy.part, transport_options=SHORT)) as store, asyncio.TaskGroup() as group:
            attempts = Attempts("health")
            assert attempts.status == "connecting"
            group.create_task(bucket_check.watch(action(name), store, attempts, stop))
            await until(lambda: attempts.status == "disconnected")
            assert name in attempts.status_reason
            await store.create_bucket(name)
            await until(lambda: attempts.status == "connected")
            assert attempts.status_reason == ""
            for fault in (Fault("cut_before"), Fault("hang"), Fault("error")):
                proxy.inject(fault)
                await until(lambda: attempts.status == "disconnected")
                proxy.heal()
                await until(lambda: attempts.status == "connected")
            stop.set()


async def test_a_key_that_may_only_write_is_good_and_a_wrong_secret_is_not(s3: S3Part) -> None:
    """The check distinguishes two kinds of 403: a key that may only write is good, and a wrong secret is not."""
    with FaultyS3(s3) as proxy:
        proxy.inject(Fault("error", methods=("HEAD", "GET"), status=403, code="AccessDenied"))
        async with S3Store(connector(proxy.part, transport_options=SHORT)) as store:
            assert await bucket_check.failure(store, "some-bucket", 5) is None
    if s3.real:
        async with S3Store(connector(s3, secret_access_key="open-sesame")) as store:
            error = await bucket_check.failure(store, "some-bucket", 5)
        assert error is not None
        assert error.reason == "SignatureDoesNotMatch"


@pytest.mark.real
async def test_a_wrong_secret_is_told_and_the_right_one_heals(s3: S3Part, tmp_path: Path) -> None:
    """The action is disconnected with the store's own word, and is connected soon after the file has the right secret."""
    secret = tmp_path / "secret"
    secret.write_text("open-sesame")
    name, stop = f"health-{uuid.uuid4().hex[:12]}", asyncio.Event()
    async with S3Store(connector(s3)) as good:
        await good.create_bucket(name)
    async with S3Store(connector(s3, secret_access_key=f"file://{secret}")) as store, asyncio.TaskGroup() as group:
        attempts = Attempts("wrong-secret")
        group.create_task(bucket_check.watch(action(name), store, attempts, stop))
        # A look at the bucket may be too late on a machine that is busy, and the next one has the store's word.
        await until(lambda: "SignatureDoesNotMatch" in attempts.status_reason, what=lambda: attempts.status_reason)
        assert attempts.status == "disconnected"
        assert "sesame" not in attempts.status_reason
        secret.write_text(s3.secret_access_key)
        await until(lambda: attempts.status == "connected")
        assert attempts.status_reason == ""
        stop.set()


async def test_a_bucket_that_is_a_template_is_not_asked_for(s3: S3Part) -> None:
    """A template of a bucket has no health check."""
    async with S3Store(connector(s3)) as store, asyncio.timeout(patient(5)):
        attempts = Attempts("templated")
        await bucket_check.watch(action("b-${clientid}"), store, attempts, asyncio.Event())

    assert attempts.status == "connecting"
