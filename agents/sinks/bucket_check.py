"""Asking for an action's bucket now and then, so that its status is known before a row comes and while none comes.

Only the action's own bucket is asked for, since a key that may write there need not be allowed to list others. A direct action
whose bucket is a template has none to ask for: its last error is its status. Of an aggregated
action it is the ledger's bucket. Checks of one action never overlap.
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
    """The bucket to ask for; None if it is another one for each row."""
    parameters = action.parameters
    bucket = parameters.home if isinstance(parameters, AggregatedParameters) else parameters.bucket
    return None if "${" in bucket else bucket


async def watch(action: S3Action, store: S3Store, attempts: Attempts, stop: asyncio.Event) -> None:
    """Check at once and then every `health_check_interval`, until told to stop."""
    options, bucket = action.resource_opts, bucket_of(action)
    while bucket is not None and not stop.is_set():
        attempts.checked(await failure(store, bucket, options.health_check_timeout))
        with suppress(TimeoutError):
            async with asyncio.timeout(
                options.health_check_interval + random.random() * options.health_check_interval_jitter
            ):
                await stop.wait()


async def failure(store: S3Store, bucket: str, timeout_seconds: float) -> ConnectorError | None:
    """Why the bucket cannot be used; None if it can."""
    try:
        async with asyncio.timeout(None if math.isinf(timeout_seconds) else timeout_seconds):
            await store.check(bucket)
    except ConnectorError as error:
        return error
    except TimeoutError:
        message = f"{store.endpoint}: no answer about bucket {bucket} within {timeout_seconds:g} s"
        return RetryableError(message, reason="timeout")
    return None
