"""Tokens for Kafka: what a server's answers mean, how long a token is kept, and Amazon's signature."""

from __future__ import annotations

import json
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka import tokens
from pipeline.connectors.kafka.tokens import Tokens, tokens_of
from pipeline.errors import ConnectorError, OperatorError, RetryableError

OAUTH = {
    "mechanism": "oauth",
    "endpoint_uri": "https://login.plant/token",
    "client_id": "tide gate",
    "client_secret": "s%cret",
    "scope": "kafka",
}


def source(login: dict[str, Any], **kafka: Any) -> Tokens:
    config = KafkaConfig.model_validate({"bootstrap_servers": "k:1", "authentication": login, **kafka})
    found = tokens_of(config)
    assert found is not None
    return found


def jwt(**claims: Any) -> str:
    """An unsigned token: Kafka checks it, not we."""
    body = urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"e30.{body}.c2ln"


def test_a_login_without_tokens_has_no_source() -> None:
    """Passwords and Kerberos need no tokens."""
    config = KafkaConfig.model_validate(
        {"bootstrap_servers": "k:1", "authentication": {"mechanism": "plain", "username": "u", "password": "p"}}
    )

    assert tokens_of(config) is None


def test_client_credentials_are_asked_for_once_in_a_tokens_life(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is RFC 6749's. The token is kept for four fifths of its life."""
    asked: list[tuple[str, bytes]] = []

    def post(login: Any, address: str, pair: str, form: bytes) -> dict[str, Any]:
        asked.append((b64decode(pair).decode(), form))
        return {"access_token": jwt(sub="tidegate", exp=time.time() + 100), "expires_in": 100}

    monkeypatch.setattr(tokens, "_post", post)
    found = source(OAUTH)
    first = found.now()

    assert found.now() is first
    assert asked == [("tide%20gate:s%25cret", b"grant_type=client_credentials&scope=kafka")]
    assert first.principal == "tidegate"
    found._until = time.time() - 1
    assert found.now() is not first


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (
            401,
            b'{"error": "invalid_client"}',
            OperatorError,
            "authentication.client_secret: .*HTTP 401 .invalid_client",
        ),
        (400, b'{"error": "invalid_scope"}', OperatorError, "authentication.scope: .*invalid_scope"),
        (200, b'{"error": "invalid_scope"}', OperatorError, "authentication.scope: .*invalid_scope"),
        (302, b"<html>", OperatorError, "authentication.endpoint_uri: .*HTTP 302"),
        (404, b"<html>", OperatorError, "authentication.endpoint_uri: .*HTTP 404"),
        (503, b"", RetryableError, "authentication.endpoint_uri: .*HTTP 503"),
        (429, b"", RetryableError, "authentication.endpoint_uri: .*HTTP 429"),
    ],
)
def test_a_refusal_names_the_setting(status: int, body: bytes, kind: type[ConnectorError], said: str) -> None:
    """A server that is away or busy is asked again; all else waits for a person."""
    login = KafkaConfig.model_validate({"bootstrap_servers": "k:1", "authentication": OAUTH}).authentication
    assert login is not None

    error = tokens._refused(login, "https://login.plant/token", status, body)

    assert isinstance(error, kind)
    with pytest.raises(kind, match=said):
        raise error


def test_an_answer_without_a_token_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what there was instead, by its names alone."""
    monkeypatch.setattr(tokens, "_post", lambda *_: {"token": "x"})

    with pytest.raises(OperatorError, match=r"endpoint_uri: expected an access_token .* found \['token'\]"):
        source(OAUTH).now()


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (100, 100),
        ("3599", 3599),
        (-5, 300),
        (None, 300),
        ("soon", 300),
        (True, 300),
        (1e300, 86400),
        (float("inf"), 86400),
    ],
)
def test_the_life_of_a_token_is_what_the_server_says_within_a_day(
    monkeypatch: pytest.MonkeyPatch, told: Any, seconds: float
) -> None:
    """As a number or as text, which some servers write; else five minutes. A JWT that says more has a day too."""
    for token in ("opaque", jwt(sub="u")):
        monkeypatch.setattr(tokens, "_post", lambda *_, token=token: {"access_token": token, "expires_in": told})
        assert source(OAUTH).now().expires_at - time.time() == pytest.approx(seconds, abs=5)

    monkeypatch.setattr(tokens, "_post", lambda *_: {"access_token": jwt(exp=1e30)})
    assert source(OAUTH).now().expires_at - time.time() == pytest.approx(86400, abs=5)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ({"access_token": jwt(exp=1_700_000_000)}, RetryableError, "expired at 2023-11-14T22:13:20Z, .*clocks"),
        ({"error": "invalid_client"}, OperatorError, r"client_secret: .*invalid_client"),
        ({"access_token": "two\nlines"}, OperatorError, "expected an access_token"),
        ({"access_token": ""}, OperatorError, "expected an access_token"),
    ],
)
def test_a_token_that_kafka_cannot_take_is_not_taken(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], kind: type[ConnectorError], said: str
) -> None:
    """The error says what is wrong with it."""
    monkeypatch.setattr(tokens, "_post", lambda *_: answer)

    with pytest.raises(kind, match=said):
        source(OAUTH).now()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"<html>sign in</html>", "'<html>sign in</html>'"),
        (b"", "0 bytes"),
        (b"[" * 100_000, "100000 bytes"),
        (b'{"access_token": "secret', "24 bytes"),
        (b"secret\xff", "7 bytes"),
    ],
)
def test_an_answer_that_is_not_json_is_told(body: bytes, found: str) -> None:
    """A proxy's page by its beginning. What may be a token is not shown."""
    with pytest.raises(ValueError, match=f"expected a JSON object with an access_token, found {found}") as raised:
        tokens._object(body)

    assert "secret" not in str(raised.value)


def test_a_slow_answer_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that sends a byte now and then is not waited for without end."""
    monkeypatch.setattr(tokens, "ANSWER_SECONDS", 0.0)

    class Dripping:
        def read1(self, size: int) -> bytes:
            return b" "

    with pytest.raises(ValueError, match="timed out"):
        tokens._read(Dripping())


def test_a_token_of_a_file_is_read_for_each_login(tmp_path: Path) -> None:
    """The file may be replaced at any time. Its end and its user are those that it says."""
    file = tmp_path / "token"
    found = source({"mechanism": "oauth", "token": f"file://{file}"})
    end = round(time.time()) + 1000
    file.write_text(jwt(sub="first", exp=end))

    assert found.now()[1:] == (end, "first")
    file.write_text(jwt(sub="second", exp=end))
    assert found.now().principal == "second"
    file.write_text(jwt(exp=time.time() - 5))
    with pytest.raises(OperatorError, match="token: this token expired at"):
        found.now()


def test_amazons_token_is_a_signed_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names the action, is good for fifteen minutes, and has the signature that AWS's own signer makes."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "st"),
    ):
        monkeypatch.setenv(name, value)
    servers = "b-1.plant.c2.kafka.eu-west-1.amazonaws.com:9098,b-2.plant.c2.kafka.eu-west-1.amazonaws.com:9098"
    found = source({"mechanism": "msk_iam"}, bootstrap_servers=servers, ssl={"enable": True}).now()

    url = urlsplit(urlsafe_b64decode(found.text + "=" * (-len(found.text) % 4)).decode())
    query = {name: values[0] for name, values in parse_qs(url.query).items()}

    assert (url.scheme, url.netloc, url.path) == ("https", "kafka.eu-west-1.amazonaws.com", "/")
    assert query["Action"] == "kafka-cluster:Connect"
    assert query["X-Amz-Expires"] == "900"
    assert query["X-Amz-Security-Token"] == "st"
    assert query["X-Amz-Credential"].startswith("AKID/")
    assert query["X-Amz-Credential"].endswith("/eu-west-1/kafka-cluster/aws4_request")
    assert 800 < found.expires_at - time.time() <= 900
    at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert query["X-Amz-Signature"] == _signature(at)


def _signature(at: datetime) -> str:
    """What botocore signs at that time."""
    signer: Any = botocore.auth.SigV4QueryAuth(
        Credentials("AKID", "secret", "st"), "kafka-cluster", "eu-west-1", expires=900
    )
    request = AWSRequest("GET", "https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect")
    request.context["timestamp"] = at.strftime("%Y%m%dT%H%M%SZ")
    signer._modify_request_before_signing(request)
    return str(signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request))


def test_without_credentials_amazons_login_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error names the mechanism."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))

    with pytest.raises(OperatorError, match="mechanism: msk_iam needs AWS credentials"):
        source({"mechanism": "msk_iam", "region": "eu-west-1"}, ssl={"enable": True}).now()
