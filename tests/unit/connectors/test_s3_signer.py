"""Our signature is botocore's, and answers of S3 become the right errors."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import S3Connector
from pipeline.connectors.s3.errors import classify, describe
from pipeline.connectors.s3.signer import Signer, query_text, quote_key
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import OperatorError, RefusedError, RetryableError
from pipeline.upload.headers import checked

NOW = 1_745_308_323.5
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=20)
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def botocore_signature(url: str, method: str, headers: dict[str, str], body: bytes, token: str | None) -> str:
    """The Authorization header that botocore makes of the same request at the same time."""
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    request.context["payload_signing_enabled"] = True
    instant = datetime.fromtimestamp(NOW, UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", return_value=instant):
        S3SigV4Auth(Credentials("AKID", "s3cr3t", token), "s3", "eu-central-1").add_auth(request)
    return str(request.headers["Authorization"])


def told(headers: str) -> dict[str, str]:
    """Headers by their names, as a server reads their lines."""
    return {name: value.strip() for name, _, value in (line.partition(":") for line in headers.splitlines())}


@given(
    key=TEXT,
    body=st.binary(max_size=50),
    metadata=st.dictionaries(TOKENS, VALUES, max_size=3),
    query=st.dictionaries(TOKENS, TEXT, max_size=2),
    token=st.sampled_from([None, "session-token"]),
)
def test_signs_as_botocore_does(
    key: str, body: bytes, metadata: dict[str, str], query: dict[str, str], token: str | None
) -> None:
    """Our signature equals botocore's for any key, header, query and body."""
    extra = {f"x-amz-meta-{name}": value for name, value in metadata.items()}
    path, text = "/bucket/" + quote_key(key), query_text(query)

    digest = hashlib.sha256(body).hexdigest()
    ours = Signer("AKID", "s3cr3t", token, "eu-central-1").headers(NOW, "PUT", "s3.test", path, text, extra, digest)

    url = f"https://s3.test{path}{'?' + text if text else ''}"
    assert told(ours)["authorization"] == botocore_signature(url, "PUT", extra, body, token)
    assert told(ours).items() >= {name: value.strip() for name, value in extra.items()}.items()


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\n", "\r", "a\n\nGET / HTTP/1.1"])
def test_a_line_end_in_a_header_is_refused(value: str) -> None:
    """It would end the header, and begin another one or a request of somebody else."""
    with pytest.raises(RefusedError, match="line ends"):
        Signer("a", "b", None, "r").headers(NOW, "PUT", "h", "/", "", {"x-amz-meta-a": value}, "")


def test_the_key_of_the_day_is_made_anew_at_midnight() -> None:
    """A worker that runs past midnight signs with a new key."""
    signer = Signer("a", "b", None, "r")
    scopes = [signer.headers(NOW + days * 86400, "PUT", "h", "/", "", {}, "") for days in (0, 1)]

    assert "20250422/r" in scopes[0]
    assert "20250423/r" in scopes[1]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, "SlowDown", RetryableError),
        (500, "", RetryableError),
        (409, "ConditionalRequestConflict", RetryableError),
        (403, "RequestTimeTooSkewed", RetryableError),
        (400, "ExpiredToken", RetryableError),
        (429, "", RetryableError),
        (403, "AccessDenied", OperatorError),
        (403, "SignatureDoesNotMatch", OperatorError),
        (404, "NoSuchBucket", OperatorError),
        (412, "PreconditionFailed", OperatorError),
        (400, "AccessControlListNotSupported", OperatorError),
        (400, "KeyTooLongError", RefusedError),
        (400, "EntityTooLarge", RefusedError),
    ],
)
def test_an_answer_says_who_has_to_act(status: int, code: str, kind: type[Exception]) -> None:
    """Each answer means a retry, a wait for a person, or the refusal of this object."""
    error = classify(status, code, "because", "PUT b/k")

    assert type(error) is kind
    assert str(error).startswith("PUT b/k: ")
    assert f"{status} {code}: because".replace(" : ", ": ") in str(error)


def test_reads_an_error_document() -> None:
    """An error document gives code, message and region, and an answer without one gives nothing."""
    document = b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message><Region>eu-west-1</Region></Error>"

    assert describe(document) == ("PermanentRedirect", "elsewhere", "eu-west-1")
    assert describe(b"<html>Bad gateway</html>") == ("", "", "")


@pytest.mark.parametrize(
    ("host", "region", "expected"),
    [
        ("s3.eu-west-1.amazonaws.com", "", "eu-west-1"),
        ("s3.cn-north-1.amazonaws.com.cn", "", "cn-north-1"),
        ("s3.amazonaws.com", "", "us-east-1"),
        ("minio.example.com", "", "us-east-1"),
        ("minio.example.com", "mars", "mars"),
    ],
)
def test_region_is_the_configured_one_or_that_of_an_aws_host(host: str, region: str, expected: str) -> None:
    """The region is never taken from a host that is not of AWS."""
    assert S3Store(S3Connector(host=host, region=region)).region == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"host": "h", "port": 9000, "transport_options": {"ssl": {"enable": False}}}, "http://h:9000"),
        ({"host": "h"}, "https://h"),
        ({"host": "::1", "port": 80, "transport_options": {"ssl": {"enable": False}}}, "http://[::1]"),
    ],
)
def test_endpoint_leaves_a_default_port_out(settings: dict[str, object], expected: str) -> None:
    """The host name has no default port, because some stores sign it without the port."""
    assert S3Store(S3Connector.model_validate(settings)).endpoint == expected


@pytest.mark.parametrize("headers", [{"Host": "x"}, {"x": "a\r\nb: c"}, {"a b": "c"}, {"ü": "c"}])
def test_refuses_headers_that_would_break_the_request(headers: dict[str, str]) -> None:
    """A header with a line break is refused, because it could add headers."""
    with pytest.raises(ValueError, match="header"):
        checked(headers)
