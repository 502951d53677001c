"""Checks an action's bucket regularly, so that its status is known even if no rows come.

It checks only the action's own bucket, because a key that may write there may not be allowed to list others. If the bucket of a
direct action is a template, there is no check, and its last error is its status. For an aggregated action it checks the bucket
of the ledger. Checks of one action never overlap.
"""

from __future__ import annotations

import asyncio
import math
import random
from contextlib import suppress

from agents.sinks.attempts import Attempts
from pipeline.config import AggregatedParameters, S3Action
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import ConnectorError, RetryableError


def bucket_of(action: S3Action) -> str | None:
    """The bucket to check, or None if rows decide the bucket."""
    parameters = action.parameters
    bucket = parameters.home if isinstance(parameters, AggregatedParameters) else parameters.bucket
    return None if "${" in bucket else bucket


async def watch(action: S3Action, store: S3Store, attempts: Attempts, stop: asyncio.Event) -> None:
    """Check at once, and then every `health_check_interval` until `stop`."""
    options, bucket = action.resource_opts, bucket_of(action)
    while bucket is not None and not stop.is_set():
        attempts.checked(await failure(store, bucket, options.health_check_timeout))
        with suppress(TimeoutError):
            async with asyncio.timeout(
                options.health_check_interval + random.random() * options.health_check_interval_jitter
            ):
                await stop.wait()


async def failure(store: S3Store, bucket: str, timeout_seconds: float) -> ConnectorError | None:
    """The reason why the bucket cannot be used, or None."""
    try:
        async with asyncio.timeout(None if math.isinf(timeout_seconds) else timeout_seconds):
            await store.check(bucket)
    except ConnectorError as error:
        return error
    except TimeoutError:
        message = f"{store.endpoint}: no answer about bucket {bucket} within {timeout_seconds:g} s"
        return RetryableError(message, reason="timeout")
    return None
