"""TLS to a store: a client certificate, a name other than the host's, versions."""

from __future__ import annotations

import ssl
import subprocess
import uuid
from pathlib import Path
from typing import Any

import pytest

from pipeline.connectors.s3.store import S3Store
from pipeline.errors import RetryableError
from tests.parts.faulty_s3 import FaultyS3
from tests.parts.part import S3Part
from tests.parts.stores import connector, keys_in


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for a name that is not the host's, and its key, which has a password."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-passout", "pass:sesame", "-days", "2", "-subj", "/CN=store"]
    command += ["-addext", "subjectAltName=DNS:s3.inside.test", "-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return paths


async def used(s3: S3Part, files: tuple[Path, Path], names: list[str | None], **tls: Any) -> None:
    """Write and list through a proxy that requires a client certificate. `names` collects the requested names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files, password="sesame")
    context.load_verify_locations(files[0])
    context.verify_mode = ssl.CERT_REQUIRED
    context.sni_callback = lambda sock, name, _: names.append(name)
    bucket = f"tls-{uuid.uuid4().hex[:12]}"
    own = {"cacertfile": str(files[0]), "certfile": str(files[0]), "keyfile": str(files[1]), "password": "sesame"}
    with FaultyS3(s3, tls=context) as proxy:
        options = {"ssl": {**own, "server_name_indication": "s3.inside.test", **tls}, "max_retries": 0}
        async with S3Store(connector(proxy.part, transport_options=options)) as store:
            await store.create_bucket(bucket)
            await store.put(bucket, "k", b"1", {})
            assert await keys_in(store, bucket) == ["k"]


@pytest.mark.parametrize("as_text", [False, True], ids=["files", "PEM text"])
async def test_a_store_may_ask_for_a_certificate_and_have_another_name(
    s3: S3Part, files: tuple[Path, Path], as_text: bool
) -> None:
    """Every request uses the certificate and the other name."""
    names: list[str | None] = []
    texts = {"cacertfile": files[0].read_text(), "certfile": files[0].read_text(), "keyfile": files[1].read_text()}

    await used(s3, files, names, **(texts if as_text else {}))

    assert set(names) == {"s3.inside.test"}


async def test_no_name_is_asked_for_if_told(s3: S3Part, files: tuple[Path, Path]) -> None:
    """With `disable`, no name is requested or checked."""
    names: list[str | None] = []

    await used(s3, files, names, server_name_indication="disable")

    assert set(names) == {None}


@pytest.mark.parametrize(
    "wrong",
    [{"server_name_indication": None}, {"server_name_indication": "other.test"}, {"certfile": "", "keyfile": ""}],
)
async def test_a_wrong_name_or_no_certificate_is_a_reason(
    s3: S3Part, files: tuple[Path, Path], wrong: dict[str, Any]
) -> None:
    """The error has a reason, and nothing is written."""
    with pytest.raises(RetryableError) as caught:
        await used(s3, files, [], **wrong)

    assert caught.value.reason in {"tls", "connection"}
