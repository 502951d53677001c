"""Connectors of the stores that tests use."""

from __future__ import annotations

from pipeline.config import S3Connector
from pipeline.connectors.s3.store import S3Store
from tests.parts.part import S3Part

MIB = 1 << 20


def connector(s3: S3Part, **changes: object) -> S3Connector:
    """A connector of the store, with these settings changed."""
    settings = {
        "host": s3.host,
        "port": s3.port,
        "region": s3.region,
        "access_key_id": s3.access_key_id,
        "secret_access_key": s3.secret_access_key,
        "transport_options": {"ssl": {"enable": False}},
    }
    return S3Connector.model_validate({**settings, **changes})


async def keys_in(store: S3Store, bucket: str, prefix: str = "") -> list[str]:
    """All keys with this prefix, in order."""
    found: list[str] = []
    more = True
    while more:
        page, more = await store.page(bucket, prefix, after=found[-1] if found else "")
        found += page
    return found
