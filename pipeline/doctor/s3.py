"""Checks each bucket that an action writes to: the rights to write, read and remove, and conditional writes.

Aggregated upload needs all of these except the right to remove. Direct upload works without conditional writes. The probe lies
beside the ledger, under `_tidegate/`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from pipeline.config import AggregatedParameters, Config
from pipeline.connectors.s3.store import S3Store
from pipeline.doctor import Check
from pipeline.errors import ConnectorError, RetryableError
from pipeline.upload.ledger import ROOT

BODY: Final = b"tidegate doctor"
SECONDS_MAX: Final = 60.0


async def check(config: Config) -> AsyncIterator[Check]:
    """One check for each bucket of each action: the bucket of its objects and, if different, that of its ledger."""
    for name, action in config.actions.s3.items():
        connector, parameters = config.connectors.s3[action.connector], action.parameters
        strict = isinstance(parameters, AggregatedParameters)
        buckets = (
            [parameters.bucket, parameters.home]
            if isinstance(parameters, AggregatedParameters)
            else [parameters.bucket]
        )
        for bucket in dict.fromkeys(buckets):
            title = f"s3:{name} bucket {bucket}"
            if not (action.enable and connector.enable):
                yield Check(title, "skipped", "the action or its connector is switched off")
            elif "${" in bucket:
                yield Check(title, "skipped", "the bucket is a template")
            else:
                async with S3Store(connector) as store:
                    yield await _bucket(title, store, bucket, strict=strict)


async def _bucket(title: str, store: S3Store, bucket: str, *, strict: bool) -> Check:
    key = f"{ROOT}/doctor-{secrets.token_hex(6)}"
    doing = "look at the bucket"
    try:
        async with asyncio.timeout(SECONDS_MAX):
            await store.check(bucket)
            doing = f"write {key}"
            await store.put(bucket, key, BODY, {})
            doing = f"read {key}"
            if await store.get(bucket, key) != BODY:
                found = "what was written is not what is read"
                return Check(title, "bad", found, "a store that is consistent after a write", "use another store")
            doing = f"remove {key}"
            await store.delete(bucket, key)
            doing = f"create {key}"
            return await _conditions(title, store, bucket, key, strict=strict)
    except (ConnectorError, TimeoutError) as error:
        found = f"cannot {doing}: {error or f'no answer within {SECONDS_MAX:g} s'}"
        return _failure(title, found, doing, error, strict=strict)
    finally:
        with suppress(ConnectorError, TimeoutError):
            async with asyncio.timeout(SECONDS_MAX):
                await store.delete(bucket, key)


async def _conditions(title: str, store: S3Store, bucket: str, key: str, *, strict: bool) -> Check:
    first, second = [await store.create(bucket, key, BODY, {}) for _ in range(2)]
    if first is not None and second is None and await store.conditional(bucket):
        return Check(title, "ok", f"{store.endpoint} writes, reads, removes, and refuses to create what exists")
    found = "the store has no conditional create (If-None-Match)"
    if strict:
        advice = "use a store with conditional writes (AWS, MinIO, versitygw, R2), or direct upload"
        return Check(title, "bad", found, "it, for exactly once rests on it", advice)
    advice = "nothing, if an old row over a newer one is no harm after a replay; else a store with conditional writes"
    return Check(title, "warn", found, "it, so that no older row replaces a newer one", advice)


def _failure(title: str, found: str, doing: str, error: Exception, *, strict: bool) -> Check:
    if doing.startswith("look") or isinstance(error, (RetryableError, TimeoutError)):
        advice = "check host, port, credentials and ssl of the connector, and that the bucket exists"
        return Check(title, "bad", found, "a bucket that answers", advice)
    if doing.startswith("remove"):
        advice = "let the key remove under _tidegate/, for `tidegate verify --sweep`; remove the probe by hand"
        return Check(title, "warn", found, "the right to remove", advice)
    if not strict:
        advice = "nothing, if the key may write where the action does; conditions could not be looked at"
        return Check(title, "warn", found, "the right to write and read under _tidegate/", advice)
    return Check(
        title, "bad", found, "the right to write and read under _tidegate/, for the ledger", "give it to the key"
    )
