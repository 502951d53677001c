"""What one client, or one address, can do to the others at a listener: floods, full windows, silent connections, guessing."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from tests.components.ingress_process import read, wait_for_line
from tests.components.listener_parts import SECONDS, Device, Listening
from tests.components.mqtt_publisher import Publisher
from tests.parts.device_bytes import CONNECT_5, publish
from tests.parts.waiting import wait_until, within


def with_tls(folder: Path) -> dict[str, Any]:
    files = {"certfile": f"{folder}/cert.pem", "keyfile": f"{folder}/key.pem"}
    return {"connect_timeout": "5s", "ssl": {"enable": True, **files}}


def with_three_places(folder: Path) -> dict[str, Any]:
    """With TLS. A device that left has its place until the listener sees that: on a slow machine, after others have come."""
    return {**with_tls(folder), "max_connections": 3}


def with_passwords(folder: Path) -> dict[str, Any]:
    return {"authentication": "password", "password_file": f"{folder}/passwords"}


def silent(listening: Listening, host: str = "127.0.0.1") -> socket.socket:
    """A connection that says nothing."""
    return socket.create_connection(("127.0.0.1", listening.port), timeout=SECONDS, source_address=(host, 0))


def open_files(listening: Listening) -> int:
    return len(list(Path(f"/proc/{listening.server.pid}/fd").iterdir()))


def refusals(listening: Listening) -> list[str]:
    return [line["reason"] for line in listening.lines() if line["event"] == "listener.refused"]


@pytest.mark.parametrize(
    "flood",
    [
        b"\xc0\x00",
        packet(0x62, b"\x00\x07"),
        packet(0x82, b"\x00\x01\x00" + (text(b"") + b"\x01") * 500),
        publish(b"forbidden", b"", properties=b""),
        publish(b"forbidden", b"", mid=1, qos=1, properties=b""),
        publish(b"\xf0\x9f\x90\x99", b"", properties=(b"\x26" + text(b"") + text(b"")) * 100),
    ],
    ids=["ping", "release", "subscribe", "refused", "refused-1", "properties"],
)
async def test_a_flood_does_not_keep_an_acknowledgement_away(listening: Listening, flood: bytes) -> None:
    """While megabytes of one client wait to be read, another one gets all of its PUBACKs."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(CONNECT_5)
    await reader.read(1)
    honest = await Publisher.connect("127.0.0.1", listening.port, "honest")
    megabytes = flood * ((4 << 20) // len(flood))

    async def pour() -> None:
        while True:  # however long the other one takes
            writer.write(megabytes)
            await writer.drain()

    pouring = asyncio.create_task(pour())
    for _ in range(20):
        await asyncio.wait_for(honest.publish(f"{listening.name}/honest", [b"x"]), SECONDS)
    acknowledged = await asyncio.wait_for(honest.finish(), SECONDS)
    is_pouring = not pouring.done()
    pouring.cancel()
    writer.transport.abort()

    assert acknowledged == 20
    assert is_pouring


@pytest.mark.real
@pytest.mark.parametrize("listening", [lambda folder: {"window": 5}], indirect=True, ids=[""])
async def test_a_device_that_exceeds_its_window_is_not_read_and_not_sent_away(listening: Listening) -> None:
    """MQTT 5, with more under way than it was told: all are taken and acknowledged, in their order."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    topic = f"{listening.name}/a".encode()
    writer.write(CONNECT_5 + b"".join(publish(topic, b"%d" % n, mid=n, qos=1, properties=b"") for n in range(1, 101)))
    head = await asyncio.wait_for(reader.readexactly(2), SECONDS)
    await reader.readexactly(head[1])
    acks = await asyncio.wait_for(reader.readexactly(400), SECONDS)
    writer.close()

    assert acks == b"".join(b"\x40\x02" + n.to_bytes(2, "big") for n in range(1, 101))
    assert [int(each.value() or b"") for each in read(listening.kafka, listening.messages, 100)] == list(range(1, 101))


@pytest.mark.real
@pytest.mark.parametrize("listening", [lambda folder: {"window": 3}], indirect=True, ids=[""])
@pytest.mark.parametrize("version", ["mqttv311", "mqttv5"])
@pytest.mark.parametrize("qos", ["1", "2"])
def test_mosquitto_pub_works_with_full_windows(
    listening: Listening, mosquitto_pub: str, version: str, qos: str
) -> None:
    """What everybody has, with a window that is always full."""
    command = [mosquitto_pub, "-V", version, "-p", str(listening.port), "-t", f"{listening.name}/m", "-q", qos, "-l"]

    subprocess.run(command, input="".join(f"{n}\n" for n in range(300)), text=True, check=True, timeout=SECONDS * 4)

    assert [int(each.value() or b"") for each in read(listening.kafka, listening.messages, 300)] == list(range(300))


@pytest.mark.parametrize("listening", [with_three_places], indirect=True, ids=[""])
def test_connections_in_a_handshake_have_a_place_and_a_time_limit(listening: Listening) -> None:
    """Silent ones take all places: others are closed at once, no files are opened for them, and the places are free again."""
    device = Device(listening, "d1")
    device.client.tls_set(str(listening.folder / "cert.pem"))
    before = open_files(listening)
    with ExitStack() as stack:
        taken = [stack.enter_context(silent(listening)) for _ in range(3)]
        wait_until(lambda: open_files(listening) >= before + 3, 10, lambda: "nobody is let in")
        for _ in range(50):
            with silent(listening) as one_more:
                assert one_more.recv(1) == b""
        assert open_files(listening) < before + 3 + 20  # Kafka's client opens some of its own meanwhile
        with within(15):
            assert [each.recv(1) for each in taken] == [b""] * 3

    assert device.connect()[0] == 0
    device.leave()
    assert set(refusals(listening)) == {"limit", "login_timeout"}


@pytest.mark.parametrize("listening", [with_tls], indirect=True, ids=[""])
def test_a_handshake_that_fails_is_told(listening: Listening) -> None:
    """Once for an address and minute; a device that closes without a word is no failure, and its place is free."""
    for _ in range(5):
        with silent(listening) as plain:
            plain.sendall(CONNECT_5)
            with suppress(ConnectionResetError):
                plain.recv(100)
        silent(listening).close()
    distrustful = ssl.create_default_context()
    for _ in range(5):
        with silent(listening) as stranger, pytest.raises(ssl.SSLError):
            distrustful.wrap_socket(stranger, server_hostname="localhost")

    device = Device(listening, "d1")
    device.client.tls_set(str(listening.folder / "cert.pem"))
    assert device.connect()[0] == 0
    device.leave()
    assert refusals(listening) == ["tls"]


@pytest.mark.parametrize("listening", [lambda folder: {"max_connections_per_address": 2}], indirect=True, ids=[""])
def test_one_address_has_so_many_connections(listening: Listening) -> None:
    """A third of it is closed at once; another address is let in."""
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(silent(listening))
        with silent(listening) as third:
            assert third.recv(1) == b""
        other = stack.enter_context(silent(listening, "127.0.0.2"))
        other.sendall(CONNECT_5)
        assert other.recv(1) == b"\x20"

    assert refusals(listening) == ["address_limit"]


@pytest.mark.parametrize("listening", [with_passwords], indirect=True, ids=[""])
async def test_guessing_keeps_nobody_out(listening: Listening) -> None:
    """A hundred wrong passwords at once: each waits for its answer, one line tells of them, and the right one comes in."""

    async def log_in(password: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        flags_and_keepalive = b"\xc2\x00\x3c"
        writer.write(
            packet(
                0x10, b"\x00\x04MQTT\x05" + flags_and_keepalive + b"\x00" + text(b"a") + text(b"anna") + text(password)
            )
        )
        answer = await reader.read(100)
        writer.close()
        return answer

    began = asyncio.get_running_loop().time()
    guesses = [asyncio.create_task(log_in(b"%d" % n)) for n in range(100)]
    first = await log_in(b"secret")
    again = await log_in(b"secret")
    waiting = sum(not each.done() for each in guesses)
    answers = await asyncio.wait_for(asyncio.gather(*guesses), SECONDS * 2)

    assert first[3] == again[3] == 0
    assert waiting > 50
    assert asyncio.get_running_loop().time() - began >= 1
    assert {each[3:4] for each in answers} <= {b"\x86", b"\x89", b""}
    assert answers.count(b"\x20\x03\x00\x86\x00") > 10
    line = await wait_for_line(listening, "listener.refused")
    assert (line["reason"], line["username"], line["clientid"], line["level"]) == (
        "credentials",
        "anna",
        "a",
        "warning",
    )
    assert len(refusals(listening)) <= 3
    assert listening.metric("tidegate_ingress_connections_refused_total") >= 90
