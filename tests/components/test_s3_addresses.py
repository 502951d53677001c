"""Requests to a store: access methods, TLS, pools, retries, clocks, odd keys in signed links."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from pipeline.config import S3Connector
from pipeline.connectors.s3.store import S3Store
from pipeline.demo.process import free_port
from pipeline.errors import RetryableError
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.part import S3Part
from tests.parts.played_store import OK, Play, PlayedStore
from tests.parts.stores import MIB, connector, keys_in
from tests.parts.waiting import pause, until

DOMAIN = "store.test"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """All names of the domain resolve to this machine."""
    real = socket.getaddrinfo

    def found(host: Any, *args: Any, **options: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith(DOMAIN) else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the domain and each bucket in it, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "ca.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=store", "-addext", f"subjectAltName=IP:127.0.0.1,DNS:*.{DOMAIN}"]
    command += ["-out", str(paths[0]), "-keyout", str(paths[1])]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return paths


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("method", ["path", "vhost"])
async def test_both_access_methods_with_and_without_tls(
    moto: S3Part,
    names: None,
    certificate: tuple[Path, Path],
    method: str,
    secure: bool,
) -> None:
    """Writing, uploads in parts, reading, listing and checking work."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    bucket, body = f"way-{uuid.uuid4().hex[:12]}", os.urandom(6 * MIB)
    tls = {"enable": secure, "cacertfile": str(certificate[0]) if secure else None}
    with FaultyS3(moto, tls=context if secure else None) as proxy:
        options = {"ssl": tls, "max_retries": 0}
        host = "127.0.0.1" if method == "path" else DOMAIN
        config = connector(proxy.part, host=host, access_method=method, transport_options=options)
        async with S3Store(config) as store:
            await store.create_bucket(bucket)
            await store.check(bucket)
            assert await store.create(bucket, "a b/ü", b"1", {}) is not None
            assert await store.create(bucket, "big", body, {}, part_bytes=5 * MIB) is not None
            assert [await store.get(bucket, key) for key in ("a b/ü", "big")] == [b"1", body]
            assert await keys_in(store, bucket, "a") == ["a b/ü"]
        of_objects = {
            each.path.split("?")[0] for each in proxy.seen if each.path.startswith(("/big", f"/{bucket}/big"))
        }
    async with S3Store(connector(moto)) as plain:
        assert await plain.get(bucket, "big") == body
    assert of_objects == {f"/{bucket}/big" if method == "path" else "/big"}


async def test_a_key_that_is_not_ascii_can_be_downloaded_by_a_signed_link(s3: S3Part) -> None:
    """A signed link from AWS's own tools finds our object."""
    bucket, key = f"link-{uuid.uuid4().hex[:12]}", "größe/☃ +%.json"
    async with S3Store(connector(s3)) as store, aiohttp.ClientSession() as session:
        await store.create_bucket(bucket)
        await store.put(bucket, key, b"1", {})
        client = s3.client(signature_version="s3v4")
        link = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
        async with session.get(URL(link, encoded=True)) as answer:
            assert (answer.status, await answer.read()) == (200, b"1")


async def test_a_store_that_is_closed_leaves_no_connection_behind(s3: S3Part) -> None:
    """Repeated open and close leave the number of files and tasks unchanged."""

    async def use() -> None:
        async with S3Store(connector(s3)) as store:
            await asyncio.gather(*(store.put(bucket, f"k{n}", b"1", {}) for n in range(8)))
            await store.check(bucket)

    bucket = f"leak-{uuid.uuid4().hex[:12]}"
    async with S3Store(connector(s3)) as store:
        await store.create_bucket(bucket)
    await use()
    before = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
    for _ in range(10):
        await use()

    await until(lambda: (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == before)


async def test_pool_size_bounds_the_connections() -> None:
    """Requests beyond the pool wait for a free connection."""
    open_now, most = 0, 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await pause(0.005)
                writer.write(b"HTTP/1.1 200 OK\r\nETag: e\r\nContent-Length: 0\r\n\r\n")
        except asyncio.IncompleteReadError:
            open_now -= 1
            writer.close()

    port = free_port()
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        settings = {"host": "127.0.0.1", "port": port, "access_key_id": "a", "secret_access_key": "b"}
        options = {"ssl": {"enable": False}, "pool_size": 3}
        async with S3Store(S3Connector.model_validate({**settings, "transport_options": options})) as store:
            await asyncio.gather(*(store.put("b-1", f"k{n}", b"", {}) for n in range(30)))

    assert most == 3


@pytest.mark.parametrize("retries", [0, 3])
async def test_max_retries_is_how_often_a_request_is_made_again_at_once(s3: S3Part, retries: int) -> None:
    """After these retries the caller gets the error."""
    with FaultyS3(s3) as proxy:
        proxy.inject(Fault("error"))
        options = {"ssl": {"enable": False}, "max_retries": retries}
        async with S3Store(connector(proxy.part, transport_options=options)) as store:
            with pytest.raises(RetryableError) as caught:
                await store.put("b-1", "k", b"", {})

    assert caught.value.reason == "SlowDown"
    assert len(proxy.seen) == retries + 1


@pytest.mark.real
@pytest.mark.parametrize("hours", [-3, 2])
async def test_a_clock_that_is_wrong_is_corrected_by_the_stores(
    s3: S3Part, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """After a refusal because of the time, requests are signed with the store's time."""
    bucket = f"clock-{uuid.uuid4().hex[:12]}"
    async with S3Store(connector(s3)) as store:
        await store.create_bucket(bucket)
        right = time.time
        monkeypatch.setattr(time, "time", lambda: right() + hours * 3600)
        await store.put(bucket, "k", b"1", {})
        assert abs(store._wire._skew_seconds + hours * 3600) < 60
        assert await store.get(bucket, "k") == b"1"


async def test_kept_connections_to_other_hosts_make_room(names: None) -> None:
    """The limit is for all buckets together, though each has its own host."""
    async with PlayedStore(Play(OK)) as server:
        settings = {"host": DOMAIN, "port": server.port, "access_key_id": "a", "secret_access_key": "b"}
        options = {"ssl": {"enable": False}, "pool_size": 2}
        config = {**settings, "access_method": "vhost", "transport_options": options}
        async with S3Store(S3Connector.model_validate(config)) as store:
            for number in range(6):
                await store.put(f"bucket-{number}", "k", b"1", {})
                assert len(store._wire._pool._open) <= 2
            await store.put("bucket-5", "k", b"1", {})
            assert list(store._wire._pool._idle) == [f"bucket-4.{DOMAIN}", f"bucket-5.{DOMAIN}"]
            assert server.connections == 6
    assert f"host:bucket-0.{DOMAIN}:{server.port}".encode() in server.heads[0]


async def test_the_next_address_is_tried_if_one_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have addresses where nobody listens."""
    async with PlayedStore(Play(OK)) as server:
        addresses = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, server.port)) for host in ("127.0.0.2", "127.0.0.1")
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: addresses)
        settings = {"host": DOMAIN, "port": server.port, "access_key_id": "a", "secret_access_key": "b"}
        config = {**settings, "transport_options": {"ssl": {"enable": False}, "max_retries": 0}}
        async with S3Store(S3Connector.model_validate(config)) as store:
            await store.put("b-1", "k", b"1", {})
        assert len(server.heads) == 1
