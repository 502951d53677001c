"""Where the API may listen: beyond this machine only with a user, and with TLS or a proxy that speaks it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import structlog

from pipeline.errors import CommandError
from pipeline.process.beside import beside
from pipeline.web import server
from pipeline.web.server import WebDoor
from tests.parts.rest import Api
from tests.parts.waiting import until

CERTIFICATE = {"certfile": Path("cert.pem"), "keyfile": Path("key.pem")}


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_this_machine_needs_nothing(bind: str) -> None:
    """A loopback address may be opened while there is no user, without TLS."""
    WebDoor(bind).check(users=False)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "api.example", ""])
def test_others_need_a_user_and_tls(bind: str) -> None:
    """Any other address needs a user, and a certificate or the word that a proxy speaks TLS."""
    with pytest.raises(CommandError, match="no user yet"):
        WebDoor(bind, plain=True).check(users=False)
    with pytest.raises(CommandError, match="--certfile and --keyfile, or --plain"):
        WebDoor(bind).check(users=True)
    WebDoor(bind, plain=True).check(users=True)
    WebDoor(bind, certfile=CERTIFICATE["certfile"], keyfile=CERTIFICATE["keyfile"]).check(users=True)


@pytest.mark.parametrize("bind", ["0.0.0.0:8000", "localhost:8000", "[::1]", "::1:x", "http://localhost"])
def test_what_is_no_address_is_told_first(bind: str) -> None:
    """A port or a scheme in it is a mistake, whatever else is missing."""
    with pytest.raises(CommandError, match=re.escape(f"found {bind!r}")):
        WebDoor(bind).check(users=False)


def test_a_certificate_needs_its_key() -> None:
    """Only one of the two files is a mistake."""
    with pytest.raises(CommandError, match="together"):
        WebDoor(certfile=Path("cert.pem")).check(users=True)


async def test_whoever_waits_for_the_process_needs_no_login() -> None:
    """/readyz is 200 while the topic can be read, and 503 while it cannot or the process stops."""
    async with Api() as api:
        api.client.headers.pop("authorization")
        ask = "http://api.example/readyz"
        statuses = [(await api.client.get(ask)).status_code]
        api.log.error = "Kafka is away"
        statuses.append((await api.client.get(ask)).status_code)
        api.log.error = ""
        api.services.closing.set()
        statuses.append((await api.client.get(ask)).status_code)

    assert statuses == [200, 503, 503]


async def test_the_log_tells_that_kafka_is_away_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line for each change, whatever the reader of the configuration says in between."""
    monkeypatch.setattr(server, "LOOK_SECONDS", 0.001)
    left = ["", "Connection refused", "Connection refused", "timed out", "", ""]

    with structlog.testing.capture_logs() as said:
        async with beside(server._tell("h:9092", lambda: left.pop(0) if left else ""), "kafka"):
            await until(lambda: not left)

    assert [(each["event"], each.get("error")) for each in said] == [
        ("kafka.disconnected", "Connection refused"),
        ("kafka.connected", None),
    ]
