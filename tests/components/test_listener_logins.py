"""Logins to a listener: passwords, certificates, and the number of connections."""

from __future__ import annotations

import queue
import socket
import ssl
from typing import Any

import pytest

from pipeline.passwords import hashed
from tests.components.ingress_process import read
from tests.components.listener_parts import SECONDS, Device, Listening, events
from tests.parts.waiting import wait_until


@pytest.mark.parametrize(
    "listening",
    [lambda folder: {"authentication": "password", "password_file": f"{folder}/passwords", "connect_timeout": "5s"}],
    indirect=True,
    ids=[""],
)
def test_only_who_knows_the_password_comes_in(listening: Listening) -> None:
    """Wrong, missing and unknown credentials are refused alike, and a new line in the file works soon."""

    def connect(user: str | None, password: str | None, version: int = 5) -> Any:
        device = Device(listening, "d1", version=version)
        device.client.username_pw_set(user, password)
        reason, _, _ = device.connect()
        device.leave()
        return reason.value

    codes = [
        connect(*each)
        for each in (("anna", "secret"), ("anna", "secret"), ("anna", "wrong"), ("berta", "secret"), (None, None))
    ]
    (listening.folder / "passwords").write_text(f"anna:{hashed('secret')}\nberta:{hashed('two')}\n")
    wait_until(lambda: connect("berta", "two") == 0, 15, lambda: "berta is refused")
    with socket.create_connection(("127.0.0.1", listening.port), timeout=SECONDS) as connection:
        silent = connection.recv(1)

    assert codes == [0, 0, 0x86, 0x86, 0x86]
    assert silent == b""
    assert "secret" not in listening.server.log.read_text()


@pytest.mark.parametrize(
    "listening",
    [
        lambda folder: {
            "authentication": "certificate",
            "topics": ["%u/#"],
            "ssl": {
                "enable": True,
                "certfile": f"{folder}/cert.pem",
                "keyfile": f"{folder}/key.pem",
                "cacertfile": f"{folder}/cert.pem",
            },
        }
    ],
    indirect=True,
    ids=[""],
)
def test_a_certificate_names_its_client(listening: Listening) -> None:
    """The common name is the user name, and a client without a certificate cannot connect."""
    device, stranger = Device(listening, "d1"), Device(listening, "d2")
    device.client.username_pw_set("anna", "x")
    files = [str(listening.folder / name) for name in ("cert.pem", "cert.pem", "key.pem")]
    device.client.tls_set(files[0], files[1], files[2])
    stranger.client.tls_set(files[0])

    device.connect()
    device.client.publish("127.0.0.1/up", b"x", qos=1)
    device.next("publish")
    device.leave()
    with pytest.raises((ssl.SSLError, OSError, queue.Empty, AssertionError)):
        stranger.connect()

    (record,) = read(listening.kafka, listening.messages, 1)
    assert dict(record.headers() or [])["username"] == b"127.0.0.1"
    assert [fields["cn"] for _, fields in events(listening, 2)] == ["127.0.0.1"] * 2


@pytest.mark.parametrize("listening", [lambda folder: {"max_connections": 2}], indirect=True, ids=[""])
def test_there_is_a_place_for_so_many_connections(listening: Listening) -> None:
    """A connection beyond the limit is closed and counted, and a new one is accepted after another ends."""
    first, second, third = (Device(listening, name) for name in "abc")
    first.connect()
    second.connect()
    with pytest.raises((AssertionError, OSError, queue.Empty)):
        third.connect()
    first.leave()
    fourth = Device(listening, "d")
    wait_until(lambda: listening.metric("tidegate_ingress_clients") == 1, 15, lambda: "nobody left")

    assert fourth.connect()[0] == 0
    assert listening.metric("tidegate_ingress_connections_refused_total") == 1
    second.leave()
    fourth.leave()
