"""What many connections may take of a listener together, on played sockets: places, memory, turns, and lines of the log."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY

from ingress.listener.limits.turnstile import Turnstile
from ingress.listener.sessions import SESSION_BYTES
from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from tests.faults.simulation.clock import tell
from tests.parts.device_bytes import CONNECT_5, publish
from tests.parts.played_devices import Gate
from tests.parts.waiting import turns


def connect(clientid: bytes, *, will: bytes = b"") -> bytes:
    """CONNECT of MQTT 5, without a clean start when it leaves a will."""
    flags, rest = (b"\x04", b"\x05\x18\x00\x00\x00\x3c" + text(b"will") + text(will)) if will else (b"\x02", b"")
    properties = b"\x05\x11\x00\x00\x00\x3c"
    return packet(0x10, b"\x00\x04MQTT\x05" + flags + b"\x00\x3c" + properties + text(clientid) + rest)


def refusals(lines: list[Any]) -> list[tuple[str, str]]:
    """Who was refused and why, as the log has it."""
    return [(each.get("clientid", ""), each["reason"]) for each in lines if each["event"] == "listener.refused"]


def counted(reason: str) -> float:
    labels = {"source": "devices", "reason": reason}
    return REGISTRY.get_sample_value("tidegate_ingress_connections_refused_total", labels) or 0


async def test_one_address_has_so_many_connections() -> None:
    """One more is closed at once, told and counted; another address comes in, and IPv6 counts by its network."""
    gate, before = Gate(max_connections_per_address=2), counted("address_limit")
    with structlog.testing.capture_logs() as lines:
        socks = [
            (await gate.device(connect(name), host=host))[1]
            for name, host in (
                (b"1", "192.0.2.1"), (b"2", "192.0.2.1"), (b"3", "192.0.2.1"), (b"4", "192.0.2.2"),
                (b"5", "2001:db8::1"), (b"6", "2001:db8::2"), (b"7", "2001:db8::3"),
            )
        ]  # fmt: skip

    assert [sock.closed for sock in socks] == [False, False, True, False, False, False, True]
    assert counted("address_limit") == before + 2
    assert refusals(lines) == [("", "address_limit")] * 2


async def test_silent_connections_give_way() -> None:
    """When all places are taken by one address that says nothing, a device of another one logs in all the same."""
    gate = Gate(max_connections=3)
    silent = [(await gate.device(host="192.0.2.9"))[1] for _ in range(3)]

    _, sock = await gate.device(CONNECT_5)

    assert [each.closed for each in silent] == [True, False, False]
    assert sock.heard.startswith(b"\x20")
    assert not sock.closed


async def test_unfinished_packets_take_bounded_memory() -> None:
    """Who holds most is sent away, 0x97; the others go on, and what was given back is free."""
    gate = Gate(held_bytes=3000, max_packet_size=1500)
    large = publish(b"t", b"x" * 1400, properties=b"")
    with structlog.testing.capture_logs() as lines:
        first, its = await gate.device(connect(b"d1"), large[:1000])
        _, others = await gate.device(connect(b"d2"), large[:1300])
        _, third = await gate.device(connect(b"d3"), large[:900])

    assert [sock.closed for sock in (its, others, third)] == [False, True, False]
    assert b"\x97" in others.heard
    assert refusals(lines) == [("d2", "quota")]
    first.data_received(large[1000:])
    assert gate.listener.memory.held_bytes == 900 + SESSION_BYTES
    assert "x" * 1400 in gate.told


async def test_wills_and_aliases_count_as_memory() -> None:
    """The will of each client that is here, or was; topics that stand behind aliases; CONNECT while it is looked into."""
    gate = Gate(held_bytes=100_000, max_packet_size=1024)
    connection, _ = await gate.device(connect(b"d1", will=b"w" * 500))
    with_will = gate.listener.memory.held_bytes
    connection.data_received(publish(b"a" * 200, b"", properties=b"\x23\x00\x01"))
    with_alias = gate.listener.memory.held_bytes
    connection.connection_lost(None)
    delayed = gate.listener.memory.held_bytes
    again, _ = await gate.device(connect(b"d1"))
    again.connection_lost(None)

    assert 500 <= with_will < 600
    assert with_alias == with_will + 200
    assert 500 < delayed < 5000
    assert gate.listener.memory.held_bytes == SESSION_BYTES


async def test_what_a_device_does_not_fetch_counts_as_memory() -> None:
    """And is free again when it does."""
    gate = Gate()
    connection, _ = await gate.device(CONNECT_5)
    connection.pause_writing()
    held = gate.listener.memory.held_bytes
    connection.resume_writing()

    assert held == 64 << 10
    assert gate.listener.memory.held_bytes == 0


async def test_a_crowd_of_logins_takes_turns() -> None:
    """The loop goes round while hundreds log in at once, and all are let in."""
    gate = Gate()
    devices = [await gate.device() for _ in range(200)]
    for number, (connection, _) in enumerate(devices):
        connection.data_received(connect(b"d%d" % number))
    await turns()
    soon = sum(bool(sock.heard) for _, sock in devices)
    for _ in range(20):
        await asyncio.sleep(0)

    assert 0 < soon < 100
    assert all(sock.heard for _, sock in devices)


async def test_a_turnstile_keeps_the_order() -> None:
    """So many in each turn of the loop."""
    turnstile, through = Turnstile(2), []
    for number in range(5):
        turnstile.enter(lambda number=number: through.append(number))  # type: ignore[misc]
    seen = []
    for _ in range(4):
        await asyncio.sleep(0)
        seen.append(list(through))

    assert seen == [[0, 1], [0, 1, 2, 3], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ((packet(0x10, b"\x00\x04MQTT\x06\x02\x00\x3c\x00\x02d1"),), "protocol_error"),
        ((packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + text(b"x" * 1100)),), "clientid"),
        ((connect(b"d1", will=b"w").replace(text(b"will"), text(b"else")),), "not_authorized"),
        ((CONNECT_5, publish(b"t", b"x" * 5000, properties=b"")), "packet_too_large"),
        ((CONNECT_5, publish(b"t", b"", properties=b"\x26\x00\x00\x00\x00" * 150)), "quota"),
        ((CONNECT_5, b"\xf0\x00"), "protocol_error"),
        ((CONNECT_5, publish(b"no", b"", properties=b"")), "topic"),
        ((CONNECT_5, publish(b"no", b"", mid=1, qos=1, properties=b"")), "topic"),
    ],
)
def test_a_refusal_is_in_the_log_once_a_minute(sent: tuple[bytes, ...], reason: str) -> None:
    """For each client and reason, however often it comes back; with the address, and in words."""

    async def story() -> None:
        gate = Gate(topics=["t", "will"], max_packet_size=2000)
        for seconds in (0, 1, 58, 2):
            await asyncio.sleep(seconds)
            connection, _ = await gate.device(*sent)
            connection.connection_lost(None)

    with structlog.testing.capture_logs() as lines:
        tell(1, story())

    told = [each for each in lines if each["event"] == "listener.refused"]
    assert [each["reason"] for each in told] == [reason] * 2
    assert {(each["peerhost"], each["log_level"]) for each in told} == {("192.0.2.1", "warning")}
    assert all(each["error"] for each in told)
