"""Reads one object for a proof: an object that the store does not give is a finding, and the proof goes on.

An object may be archived, or its own access rules or a fault of the store may keep it. If the bucket itself cannot be read,
nothing can be proven, and that is an error.
"""

from __future__ import annotations

from typing import NamedTuple

from agents.sinks.patient_store import PatientStore
from pipeline.connectors.s3.store import Head
from pipeline.errors import ConnectorError
from pipeline.upload.ledger_check import Finding


class GivenObject(NamedTuple):
    """The content of an object, or None if it does not exist. `unread`: the finding, if the store does not give it."""

    content: bytes | None
    unread: list[Finding]


async def read(store: PatientStore, bucket: str, key: str) -> GivenObject:
    """Read an object. Raises a ConnectorError if the bucket cannot be read."""
    try:
        return GivenObject(await store.get(bucket, key), [])
    except ConnectorError as error:
        return GivenObject(None, [await not_given(store, bucket, key, error)])


async def look(store: PatientStore, bucket: str, key: str) -> Head | Finding | None:
    """The facts of an object, None if it does not exist, or the finding that the store does not give them.

    Raises a ConnectorError if the bucket cannot be read.
    """
    try:
        return await store.head(bucket, key)
    except ConnectorError as error:
        return await not_given(store, bucket, key, error)


async def not_given(store: PatientStore, bucket: str, key: str, error: ConnectorError) -> Finding:
    """The finding about an object that the store does not give. Raises a ConnectorError if the bucket cannot be read."""
    await store.page(bucket, key)
    return Finding("unread", key, str(error))
