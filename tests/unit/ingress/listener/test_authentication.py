"""Enhanced authentication (AUTH), which the listener refuses in the words of MQTT 5, with a played socket."""

from __future__ import annotations

import pytest
import structlog

from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from tests.parts.device_bytes import CONNECT_5, CONNECT_311
from tests.parts.played_devices import Gate

AUTH = packet(0xF0, b"\x18\x00")
METHOD = b"\x15" + text(b"SCRAM-SHA-256")
DATA = b"\x16" + text(b"n,,n=anna,r=nonce")


def connect(properties: bytes) -> bytes:
    return packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c" + bytes([len(properties)]) + properties + text(b"d1"))


async def test_a_client_that_asks_for_a_method_is_told_that_there_is_none() -> None:
    """CONNACK has 0x8C (MQTT 5.0 section 4.12), the log names the reason, and nothing of the client's data."""
    gate = Gate()
    with structlog.testing.capture_logs() as lines:
        _, sock = await gate.device(connect(METHOD + DATA))

    assert sock.heard[0] == 0x20
    assert sock.heard[3] == 0x8C
    assert sock.closed
    assert gate.told == []
    assert [line["reason"] for line in lines] == ["authentication_method"]
    assert "anna" not in str(lines)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ([connect(DATA)], (0x20, 3, 0x82)),  # data without a method
        ([CONNECT_5, AUTH], (0xE0, 2, 0x82)),  # a method was not agreed on
        ([CONNECT_5, packet(0xF1, b"")], (0xE0, 2, 0x82)),
    ],
)
async def test_auth_out_of_place_is_a_protocol_error(sent: list[bytes], expected: tuple[int, int, int]) -> None:
    """The last packet says so, and the connection ends."""
    gate = Gate()
    _, sock = await gate.device(*sent[:-1])
    began = len(sock.heard)
    sock.carrier.data_received(sent[-1])
    first, place, code = expected

    last = sock.heard[began:]
    assert (last[0], last[place]) == (first, code)
    assert sock.closed


@pytest.mark.parametrize("sent", [[AUTH], [CONNECT_311, AUTH]])
async def test_auth_where_it_does_not_exist_ends_the_connection(sent: list[bytes]) -> None:
    """Before CONNECT, and in MQTT 3.1.1, there is no packet that could say why."""
    _, sock = await Gate().device(*sent)

    assert sock.closed
    assert bytes(sock.heard) in (b"", b"\x20\x02\x00\x00")
