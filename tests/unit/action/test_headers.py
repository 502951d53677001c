"""Settings of an action become the headers of its objects, or are refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.action.headers import RowHeaders, headers_of, ledger_headers
from pipeline.config import DirectParameters, S3Connector
from pipeline.errors import RenderError
from pipeline.upload.headers import tagging, with_parts
from tests.parts.actions import aggregated


def direct(**settings: Any) -> DirectParameters:
    return DirectParameters.model_validate({"bucket": "sink", "key": "k", **settings})


def test_names_are_in_lower_case_and_an_acl_has_hyphens() -> None:
    """Headers have the form that S3 expects."""
    assert headers_of(direct(headers={"Content-Type": "text/csv"}, acl="public_read")) == {
        "content-type": "text/csv",
        "x-amz-acl": "public-read",
    }


def test_the_ledger_has_what_a_bucket_s_policy_may_demand_and_no_more() -> None:
    """Objects of the ledger get encryption and ACL, and no storage class, which would cost more for small objects."""
    settings = direct(
        acl="private",
        server_side_encryption="AES256",
        bucket_key_enabled=True,
        storage_class="GLACIER",
        tags={"a": "b"},
    )

    assert ledger_headers(settings) == {
        "x-amz-acl": "private",
        "x-amz-server-side-encryption": "AES256",
        "x-amz-server-side-encryption-bucket-key-enabled": "true",
    }


def test_parts_have_only_what_s3_takes_of_them() -> None:
    """A customer's key goes with each request of an upload, and descriptions of the object only with the first."""
    key = "x-amz-server-side-encryption-customer-key"
    assert with_parts({"x-amz-acl": "private", "content-type": "a/b", key: "k", "x-trace": "1"}) == {
        key: "k",
        "x-trace": "1",
    }


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"sse_kms_key_id": "k"}, "server_side_encryption"),
        ({"server_side_encryption": "rot13"}, "server_side_encryption"),
        ({"tags": {str(n): "" for n in range(11)}}, "found 11"),
        ({"storage_class": "a b"}, "storage_class"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], match: str) -> None:
    """Loading a configuration refuses settings that contradict each other."""
    with pytest.raises(ValidationError, match=match):
        direct(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"metadata": {"a b": "c"}},
        {"metadata": {"tidegate-place": "x"}},
        {"tags": {"": "x"}},
        {"tags": {"a<b": "x"}},
        {"tags": {"AWS:name": "x"}},
        {"metadata": {"Who": "a", "who": "b"}},
        {"headers": {"If-None-Match": "*"}},
        {"metadata": {"a": "x" * 2048}},
        {"metadata": {"a": "ä" * 800, "b": "${x}"}},
    ],
)
def test_names_that_s3_or_http_cannot_take_are_refused(settings: dict[str, Any]) -> None:
    """Both modes refuse names that S3 or HTTP cannot carry."""
    with pytest.raises(ValueError, match=r"header|metadata|tag"):
        headers_of(direct(**settings))
    with pytest.raises(ValueError, match=r"header|metadata|tag"):
        RowHeaders(direct(**settings))


def test_a_row_whose_tag_s3_would_refuse_is_a_dead_letter() -> None:
    """A tag that S3 would refuse is an error of its row, before any request."""
    headers = RowHeaders(direct(tags={"a": "${n}"}))

    with pytest.raises(RenderError, match="256"):
        headers.render({"n": "x" * 257})  # type: ignore[arg-type]
    with pytest.raises(RenderError, match="'<'"):
        headers.render({"n": "<"})  # type: ignore[arg-type]


def test_tags_are_escaped() -> None:
    """An ampersand and an equals sign in a tag's value are escaped."""
    assert tagging({"k=": "a b/ü"}) == "k%3D=a%20b%2F%C3%BC"


def test_settings_of_objects_are_no_new_version() -> None:
    """Settings that change neither bytes nor keys do not change the digest."""
    more = {"tags": {"a": "b"}, "storage_class": "GLACIER", "metadata": {"a": "b"}, "content_type": "x/y"}

    assert aggregated().digest == aggregated(**more).digest


def test_all_fields_of_a_connector_in_emqx_are_accepted() -> None:
    """A connector accepts all fields of EMQX, and the help of a field without effect says so."""
    options = {
        "ssl": {"enable": False},
        "ipv6_probe": True,
        "connect_timeout": "15s",
        "pool_size": 8,
        "pool_type": "hash",
        "headers": {"a": "b"},
        "max_retries": 2,
        "request_timeout": "30s",
        "enable_pipelining": 100,
    }
    connector = S3Connector.model_validate({"host": "h", "transport_options": options})

    fields = type(connector.transport_options).model_fields
    without = {name for name, field in fields.items() if (field.description or "").startswith("Without effect")}
    assert without == {"ipv6_probe", "pool_type", "enable_pipelining"}
