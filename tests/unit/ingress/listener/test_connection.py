"""Connections of a listener with a played socket and Kafka: takeovers, wills, time limits, and any bytes."""

from __future__ import annotations

import asyncio
import resource
import socket
from itertools import pairwise
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ingress.listener.protocol import WORK_MAX
from ingress.listener.server import FILES_BESIDES
from pipeline.errors import ConfigError
from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from tests.faults.simulation.clock import tell
from tests.parts.device_bytes import CONNECT_5, CONNECT_311, STREAMS, publish
from tests.parts.played_devices import Gate
from tests.parts.waiting import turns

WILL_5 = packet(
    0x10, b"\x00\x04MQTT\x05\x2c\x00\x00\x00\x00\x02d1\x00" + text(b"will") + text(b"gone")
)  # retained, not clean


@given(stream=STREAMS, cut=st.integers(0, 200))
def test_no_bytes_do_harm(stream: bytes, cut: int) -> None:
    """Any bytes, in any pieces, cause no error, and each login has one connect and one disconnect event."""

    async def play() -> list[str]:
        gate = Gate(window=3)
        connection, _ = await gate.device(stream[:cut], stream[cut:])
        connection.connection_lost(None)
        connection.connection_lost(None)
        assert not gate.listener._clients
        assert not gate.listener._connections
        return [
            orjson.loads(record.value)["clientid"] for topic, record, _ in gate.kafka.sent if topic == "mqtt.events"
        ]

    with structlog.testing.capture_logs():
        assert len(asyncio.run(play())) in (0, 2)


async def test_a_takeover_tells_the_end_of_the_first_before_the_second() -> None:
    """A takeover publishes the will, then the disconnect, then the connect, and the late end of the first connection
    changes nothing.
    """
    gate = Gate()
    first, its = await gate.device(WILL_5)
    _, others = await gate.device(CONNECT_5)

    first.connection_lost(None)

    assert gate.told == ["connected", "gone", "takenover", "connected"]
    assert its.heard.endswith(b"\xe0\x02\x8e\x00")
    assert (its.closed, others.closed) == (True, False)
    assert len(gate.listener._clients) == 1


async def test_a_goodbye_voids_the_will_and_anything_else_does_not() -> None:
    """Only DISCONNECT 0 cancels the will, and DISCONNECT 4 publishes it."""
    for last, expected in (
        (b"\xe0\x00", ["normal"]),
        (b"\xe0\x01\x04", ["gone", "disconnect_with_will"]),
        (b"\xe0\x01\x81", ["gone", "disconnect_0x81"]),
        (b"\x00\x00", ["gone", "protocol_error"]),
    ):
        gate = Gate()
        await gate.device(WILL_5, last)
        assert gate.told[1:] == expected


async def test_who_does_not_log_in_in_time_is_cut_off() -> None:
    """A client that does not log in in time is disconnected, even if it sends slow bytes of a CONNECT."""
    gate = Gate(connect_timeout="20ms")
    _, sock = await gate.device(CONNECT_5[:5])

    async with asyncio.timeout(5):
        await sock.ended.wait()

    assert gate.told == []


async def test_a_device_that_does_not_fetch_its_answers_is_not_read() -> None:
    """The listener does not read from a device that does not read its answers."""
    gate = Gate()
    connection, sock = await gate.device(CONNECT_311)

    connection.pause_writing()
    assert not sock.reading
    connection.room(False)
    connection.resume_writing()
    assert not sock.reading
    connection.room(True)
    assert sock.reading


async def test_while_the_buffer_is_full_nobody_is_let_in() -> None:
    """While the buffer is full, new clients are refused, because each would add an event."""
    gate = Gate(buffer_records=2)
    await gate.device(CONNECT_5, publish(b"t", b"x", mid=1, qos=1, properties=b""))

    _, sock = await gate.device(CONNECT_5.replace(b"d1", b"d2"))

    assert sock.heard == b"\x20\x03\x00\x89\x00"
    assert sock.closed


async def test_a_keepalive_is_ours_when_the_device_wants_none() -> None:
    """An MQTT 5 device without a keep-alive gets the longest one, and an MQTT 3.1.1 device does not."""
    gate = Gate(keepalive_max="90s")
    _, v5 = await gate.device(CONNECT_5.replace(b"\x00\x3c", b"\x00\x00"))
    _, v311 = await gate.device(CONNECT_311.replace(b"\x00\x3c", b"\x00\x00"))

    assert b"\x13\x00\x5a" in v5.heard
    assert v311.heard == b"\x20\x02\x00\x00"


@pytest.mark.parametrize(
    ("flood", "answer_bytes", "settings"),
    [
        (b"\xc0\x00" * 900, 1800, {}),
        (packet(0x62, b"\x00\x07") * 900, 900 * 5, {}),
        (packet(0x82, b"\x00\x01\x00" + text(b"a") + b"\x01") * 900, 900 * 6, {}),
        (publish(b"no", b"", properties=b"") * 900 + b"\xc0\x00", 2, {"topics": ["t"]}),
        (publish(b"t", b"", properties=b"") * 900 + b"\xc0\x00", 2, {}),
    ],
)
async def test_a_read_full_of_packets_takes_turns(flood: bytes, answer_bytes: int, settings: dict[str, Any]) -> None:
    """A read full of packets takes many turns of the loop, each with one write at most, and no reads in between."""
    gate = Gate(**settings)
    connection, sock = await gate.device(CONNECT_5)
    answered, writes = len(sock.heard), sock.writes

    connection.data_received(flood)
    was_read, in_the_first = sock.reading, len(sock.heard) - answered
    turns_taken = 0
    while not sock.reading:
        await asyncio.sleep(0)
        turns_taken += 1

    assert not was_read
    assert in_the_first <= answer_bytes // 10
    assert turns_taken >= 3
    assert len(sock.heard) - answered == answer_bytes
    assert sock.writes - writes <= turns_taken + 1


async def test_another_device_is_answered_between_the_turns_of_a_flood() -> None:
    """Another device waits for one turn of a flood only."""
    gate = Gate()
    first, its = await gate.device(CONNECT_5)
    second, others = await gate.device(CONNECT_5.replace(b"d1", b"d2"))
    before, flooded = len(others.heard), len(its.heard)

    first.data_received(b"\xc0\x00" * 900)
    asyncio.get_running_loop().call_soon(second.data_received, b"\xc0\x00")
    for _ in range(3):
        await asyncio.sleep(0)

    assert len(others.heard) == before + 2
    assert 0 < len(its.heard) - flooded < 900


async def test_a_full_window_of_mqtt_5_is_waited_for() -> None:
    """Messages beyond a full window stay unread until Kafka has answered, and the client stays connected."""
    gate = Gate(window=2)
    connection, sock = await gate.device(CONNECT_5)
    connection.data_received(b"".join(publish(b"t", b"%d" % n, mid=n, qos=1, properties=b"") for n in range(1, 6)))
    first, was_read = gate.told[1:], sock.reading
    gate.kafka.answer(None, None, None)
    await turns()
    second = gate.told
    gate.kafka.answer(None, None)
    await turns()
    gate.kafka.answer(None)
    await turns()

    assert (first, second, was_read) == (["1", "2"], ["3", "4"], False)
    assert sock.heard.endswith(b"".join(b"\x40\x02\x00" + bytes([n]) for n in range(1, 6)))
    assert sock.reading
    assert not sock.closed


def test_who_sends_no_messages_but_much_is_slowed_and_then_sent_away() -> None:
    """Ten seconds' worth at once, then so many a second; 0x96 after half a minute. One that pauses begins anew."""

    async def story() -> tuple[list[int], bytes, float]:
        gate = Gate(control_packets_per_second=10)
        connection, sock = await gate.device(CONNECT_5)
        began, quiet = len(sock.heard), asyncio.get_running_loop().time()
        heard: list[int] = []
        while not sock.closed:
            if sock.reading:
                connection.data_received(b"\xc0\x00" * 200)
            await asyncio.sleep(1)
            heard.append((len(sock.heard) - began) // 2)
        return heard, bytes(sock.heard[-60:]), asyncio.get_running_loop().time() - quiet

    heard, last, seconds = tell(1, story())

    assert heard[0] <= 100 + WORK_MAX
    assert 30 <= seconds < 60
    assert all(later - earlier <= WORK_MAX for earlier, later in pairwise(heard))
    assert b"\x96\x2f\x1f" in last  # DISCONNECT, with a reason string


def test_the_limit_of_open_files_has_room_for_all_connections() -> None:
    """The limit of open files is raised as far as the system allows, and never lowered."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, hard))
        for connections, expected in ((10, 1024), (1000, 1000 + FILES_BESIDES)):
            Gate(max_connections=connections).listener._raise_file_limit()
            assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == expected
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_an_address_that_is_taken_is_told_with_its_setting() -> None:
    """An address in use is an error with the name of its setting."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        gate = Gate(bind=f"127.0.0.1:{other.getsockname()[1]}")

        with pytest.raises(ConfigError, match=r"sources\.listener\.devices\.bind: cannot listen on"):
            await gate.listener.run()
