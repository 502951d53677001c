"""A listener's certificate that changes while the process runs."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path

import pytest

from ingress.listener.transports.certificate import Certificate
from pipeline.config.tls import ServerTls
from pipeline.errors import ConfigError
from tests.parts.certificates import certificate


def settings(folder: Path) -> ServerTls:
    return ServerTls(enable=True, certfile=str(folder / "cert.pem"), keyfile=str(folder / "key.pem"))


def seen(context: ssl.SSLContext) -> str:
    """The certificate that a client gets; both sides in memory."""
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client_context.check_hostname, client_context.verify_mode = False, ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(up, down, server_side=True)
    client = client_context.wrap_bio(down, up)
    for _ in range(4):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    return ssl.DER_cert_to_PEM_cert(client.getpeercert(binary_form=True) or b"")


def replace(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    later = (folder / name).stat().st_mtime_ns + 1_000_000_000
    os.utime(folder / name, ns=(later, later))


def test_a_replaced_certificate_is_used_when_both_files_are_there(tmp_path: Path) -> None:
    """The old certificate stays in use until both new files are written."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        certificate(folder)
    before = (old / "cert.pem").read_text()
    in_use = Certificate("devices", settings(old))
    assert in_use.context is not None

    replace(old, "cert.pem", (new / "cert.pem").read_text())
    in_use.refresh()
    between = seen(in_use.context)
    replace(old, "key.pem", (new / "key.pem").read_text())
    in_use.refresh()

    assert between.split() == before.split()
    assert seen(in_use.context).split() == (new / "cert.pem").read_text().split()


def test_files_that_cannot_be_used_are_told_at_the_start(tmp_path: Path) -> None:
    """An error about the files names the setting."""
    with pytest.raises(ConfigError, match=r"sources\.listener\.devices\.ssl"):
        Certificate("devices", settings(tmp_path))


def test_without_tls_there_is_no_context() -> None:
    """Without TLS, the listener has no context and does not check files again."""
    plain = Certificate("devices", ServerTls())
    plain.refresh()

    assert plain.context is None
