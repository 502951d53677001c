"""The store has an action's settings of objects, in one request and in parts, and a connector's headers."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.action.headers import RowHeaders, headers_of
from pipeline.config import AggregatedParameters, DirectParameters
from pipeline.connectors.s3.store import S3Store
from tests.parts.part import S3Part
from tests.parts.stores import MIB, connector

SETTINGS: dict[str, Any] = {
    "acl": "bucket_owner_full_control",
    "content_type": "text/x-rows",
    "headers": {"Cache-Control": "max-age=60"},
    "metadata": {"Plant": "seven", "Town": "Köln"},
    "tags": {"team": "plant 7", "kind": "a=b"},
    "storage_class": "STANDARD_IA",
    "server_side_encryption": "aws:kms",
    "sse_kms_key_id": "arn:aws:kms:us-east-1:123456789012:key/1",
}


@pytest.fixture
async def store(moto: S3Part) -> AsyncIterator[S3Store]:
    options = {"ssl": {"enable": False}, "headers": {"X-Amz-Meta-Via": "connector", "Content-Type": "text/connector"}}
    async with S3Store(connector(moto, transport_options=options)) as opened:
        yield opened


@pytest.fixture
async def bucket(store: S3Store) -> str:
    name = f"objects-{uuid.uuid4().hex[:12]}"
    await store.create_bucket(name)
    return name


@pytest.mark.parametrize("size_bytes", [100, 6 * MIB])
async def test_the_store_has_every_setting_of_an_object(
    store: S3Store, moto: S3Part, bucket: str, size_bytes: int
) -> None:
    """One PUT, and an upload in parts, both carry every setting."""
    parameters = AggregatedParameters.model_validate({"mode": "aggregated", "bucket": bucket, "key": "k", **SETTINGS})
    await store.create(
        bucket, "k", b"x" * size_bytes, headers_of(parameters, {"content-type": "d"}), part_bytes=5 * MIB
    )

    head = moto.client().head_object(Bucket=bucket, Key="k")
    tags = moto.client().get_object_tagging(Bucket=bucket, Key="k")
    assert head["ContentType"] == "text/x-rows"
    assert head["CacheControl"] == "max-age=60"
    assert head["StorageClass"] == "STANDARD_IA"
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", SETTINGS["sse_kms_key_id"])
    assert head["Metadata"] == {"plant": "seven", "town": "=?UTF-8?B?S8O2bG4=?=", "via": "connector"}
    assert {each["Key"]: each["Value"] for each in tags["TagSet"]} == SETTINGS["tags"]


async def test_a_connector_s_headers_give_way_to_the_action_s(store: S3Store, moto: S3Part, bucket: str) -> None:
    """A header of the action replaces the connector's header."""
    await store.put(bucket, "by-connector", b"", {})
    await store.put(bucket, "by-action", b"", {"content-type": "text/action"})

    types = [moto.client().head_object(Bucket=bucket, Key=key)["ContentType"] for key in ("by-connector", "by-action")]
    assert types == ["text/connector", "text/action"]


async def test_metadata_and_tags_of_direct_uploads_are_templates(store: S3Store, moto: S3Part, bucket: str) -> None:
    """Metadata and tags are rendered, and a line break in a value adds no header."""
    settings = {"metadata": {"who": "${clientid}"}, "tags": {"client": "c/${n}"}}
    headers = RowHeaders(DirectParameters.model_validate({"bucket": bucket, "key": "k", **settings}))
    for key, clientid in (("plain", "dev-1"), ("odd", "a\r\nx-amz-acl: public-read")):
        await store.put(bucket, key, b"", headers.render({"clientid": clientid, "n": 7}))  # type: ignore[arg-type]

    plain = await store.head(bucket, "plain")
    odd = moto.client().head_object(Bucket=bucket, Key="odd")
    tags = moto.client().get_object_tagging(Bucket=bucket, Key="plain")
    assert plain is not None
    assert plain.metadata["who"] == "dev-1"
    assert odd["Metadata"]["who"].startswith("=?UTF-8?B?")
    assert tags["TagSet"] == [{"Key": "client", "Value": "c/7"}]


@pytest.mark.real
async def test_a_real_store_takes_type_metadata_and_tags(s3: S3Part) -> None:
    """A store that checks signatures accepts them, in parts too."""
    kept = {name: SETTINGS[name] for name in ("content_type", "headers", "metadata", "tags")}
    parameters = AggregatedParameters.model_validate({"mode": "aggregated", "bucket": "sink", "key": "k", **kept})
    options = {"ssl": {"enable": False}, "headers": {"X-Amz-Meta-Via": "connector"}}
    name = f"objects-{uuid.uuid4().hex[:12]}"
    async with S3Store(connector(s3, transport_options=options)) as store:
        await store.create_bucket(name)
        for size_bytes in (100, 6 * MIB):
            await store.create(name, f"k{size_bytes}", b"x" * size_bytes, headers_of(parameters), part_bytes=5 * MIB)
            head = s3.client().head_object(Bucket=name, Key=f"k{size_bytes}")
            tags = s3.client().get_object_tagging(Bucket=name, Key=f"k{size_bytes}")

            assert head["ContentType"] == "text/x-rows"
            assert head["Metadata"] == {"plant": "seven", "town": "=?UTF-8?B?S8O2bG4=?=", "via": "connector"}
            assert {each["Key"]: each["Value"] for each in tags["TagSet"]} == SETTINGS["tags"]
