"""Credentials from every place that AWS tools know, renewed while the store is open.

Moto plays S3 and STS, a stub the machine's metadata service.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from pipeline.config import S3Connector
from pipeline.connectors.s3.store import S3Store
from pipeline.demo.process import free_port
from pipeline.errors import OperatorError, RetryableError
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.part import S3Part
from tests.parts.stores import connector

KEYLESS = {"access_key_id": None, "secret_access_key": None}
ROLE = "arn:aws:iam::123456789012:role/writer"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide all credentials of this machine."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


async def written(store: S3Store) -> bool:
    """Whether a stored object comes back."""
    bucket = f"who-{uuid.uuid4().hex[:12]}"
    await store.create_bucket(bucket)
    await store.put(bucket, "k", b"1", {})
    return await store.get(bucket, "k") == b"1"


async def test_an_access_key_that_the_store_does_not_know_is_told(s3: S3Part) -> None:
    """versitygw answers 404 to it, and HEAD has no body: the bucket that is there is not called missing."""
    if not s3.real:
        pytest.skip("needs a store that checks access keys")
    bucket = f"who-{uuid.uuid4().hex[:12]}"
    s3.client().create_bucket(Bucket=bucket)

    async with S3Store(connector(s3, access_key_id="nobody", secret_access_key="open-sesame")) as store:
        with pytest.raises(OperatorError, match="the store does not know this access key; check `access_key_id`"):
            await store.check(bucket)


async def test_a_secret_file_is_read_again_when_the_store_refuses_it(s3: S3Part, tmp_path: Path) -> None:
    """A changed secret is used without a restart, and no message has a secret."""
    if not s3.real:
        pytest.skip("needs a store that checks signatures")
    secret = tmp_path / "secret"
    secret.write_text("open-sesame\n")
    async with S3Store(connector(s3, secret_access_key=f"file://{secret}")) as store:
        with pytest.raises(OperatorError) as caught:
            await written(store)
        secret.write_text(s3.secret_access_key + "\n")

        assert await written(store)
    assert caught.value.reason == "SignatureDoesNotMatch"
    assert "sesame" not in str(caught.value)


async def test_a_secret_file_that_is_gone_is_for_a_person(s3: S3Part, tmp_path: Path) -> None:
    """The error names the file."""
    secret = tmp_path / "secret"
    secret.write_text(s3.secret_access_key)
    async with S3Store(connector(s3, secret_access_key=f"file://{secret}")) as store:
        secret.unlink()
        with pytest.raises(OperatorError, match=str(secret)) as caught:
            await store.put("b-1", "k", b"", {})

    assert caught.value.reason == "no_credentials"


async def test_a_web_identity_is_exchanged_for_a_role(
    moto: S3Part,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A token in a file and a role in the environment work as in Kubernetes, and a missing token is retried."""
    token = tmp_path / "token"
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint_url)
    async with S3Store(connector(moto, **KEYLESS)) as store:
        with pytest.raises(RetryableError) as caught:
            await store.put("b-1", "k", b"", {})
        token.write_text("header.claims.signature")

        assert await written(store)
        frozen = await store._wire._credentials.get()
    assert caught.value.reason == "credentials"
    assert frozen.token


async def test_a_profile_may_assume_a_role(
    moto: S3Part,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """A profile of AWS's configuration files assumes a role with STS."""
    (tmp_path / "credentials").write_text("[base]\naws_access_key_id = a\naws_secret_access_key = b\n")
    (tmp_path / "config").write_text(f"[profile writer]\nrole_arn = {ROLE}\nsource_profile = base\n")
    monkeypatch.setenv("AWS_PROFILE", "writer")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", moto.endpoint_url)
    async with S3Store(connector(moto, **KEYLESS)) as store:
        assert await written(store)
        frozen = await store._wire._credentials.get()
    assert frozen.token


class Machine:
    """An instance's metadata service (IMDSv2): each set of credentials that it gives is another one."""

    def __init__(self) -> None:
        self.given = 0

    async def __call__(self, request: web.Request) -> web.Response:
        if request.method == "PUT" and request.path == "/latest/api/token":
            return web.Response(text="imds-token")
        if request.headers.get("x-aws-ec2-metadata-token") != "imds-token":
            return web.Response(status=401)
        if request.path.endswith("/security-credentials/"):
            return web.Response(text="writer")
        self.given += 1
        ends = (datetime.now(UTC) + timedelta(hours=6)).strftime("%Y-%m-%dT%H:%M:%SZ")
        document = {"Code": "Success", "Type": "AWS-HMAC", "LastUpdated": ends, "Expiration": ends}
        keys = {"AccessKeyId": f"AK{self.given}", "SecretAccessKey": "s", "Token": f"t{self.given}"}
        return web.Response(text=json.dumps(document | keys))


@pytest.fixture
async def machine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Machine]:
    async with metadata_service() as (machine, url):
        monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        yield machine


@asynccontextmanager
async def metadata_service() -> AsyncIterator[tuple[Machine, str]]:
    machine, port = Machine(), free_port()
    runner = web.ServerRunner(web.Server(machine))  # type: ignore[arg-type]
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield machine, f"http://127.0.0.1:{port}/"
    await runner.cleanup()


@pytest.fixture
def proxy(moto: S3Part) -> Iterator[FaultyS3]:
    with FaultyS3(moto) as started:
        yield started


async def test_the_machine_s_role_is_used(moto: S3Part, machine: Machine) -> None:
    """One set of credentials serves many requests until shortly before its end."""
    async with S3Store(connector(moto, **KEYLESS)) as store:
        assert await written(store)
        assert machine.given == 1
        store._wire._credentials._chain._found._expiry_time = datetime.now(UTC) + timedelta(seconds=30)
        assert await written(store)
        assert machine.given == 2


async def test_credentials_that_end_in_mid_upload_are_renewed_and_the_request_is_repeated(
    proxy: FaultyS3, machine: Machine
) -> None:
    """Credentials that end in the middle of an upload are renewed at once, without a counted retry."""
    body = os.urandom(11 << 20)
    options = {"ssl": {"enable": False}, "max_retries": 0}
    async with S3Store(connector(proxy.part, transport_options=options, **KEYLESS)) as store:
        bucket = f"who-{uuid.uuid4().hex[:12]}"
        await store.create_bucket(bucket)
        assert await store.conditional(bucket)
        before = machine.given
        proxy.inject(
            Fault("error", methods=("PUT",), path="partNumber=2", times=1, status=400, code="ExpiredToken"),
            Fault("error", methods=("POST",), path="uploadId", times=1, status=400, code="ExpiredToken"),
        )
        assert await store.create(bucket, "big", body, {}, part_bytes=5 << 20) is not None
        assert await store.get(bucket, "big") == body

    assert machine.given == before + 2
    assert proxy.injected("error") == 2


async def test_without_any_credentials_the_reason_is_readable_and_later_ones_are_found(
    moto: S3Part,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without credentials the reason is readable, and later ones are used."""
    config: S3Connector = connector(moto, **KEYLESS)
    async with S3Store(config) as store:
        for attempt in (store.put("b-1", "k", b"", {}), store.check("b-1")):
            with pytest.raises(OperatorError, match="no credentials") as caught:
                await attempt
            assert caught.value.reason == "no_credentials"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")

        assert await written(store)
