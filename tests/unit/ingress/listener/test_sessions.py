"""QoS 2 over a lost connection: each message makes one record, and no other message is lost."""

from __future__ import annotations

import asyncio

import pytest

from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from tests.faults.simulation.clock import tell
from tests.parts.device_bytes import publish
from tests.parts.played_devices import Gate
from tests.parts.played_kafka import DENIED
from tests.parts.waiting import turns

KEPT_5 = packet(0x10, b"\x00\x04MQTT\x05\x00\x00\x3c\x05\x11\x00\x00\x00\x3c" + text(b"d1"))
KEPT = {3: packet(0x10, text(b"MQIsdp") + b"\x03\x00\x00\x3c" + text(b"d1")), 5: KEPT_5}
KEPT[4] = packet(0x10, b"\x00\x04MQTT\x04\x00\x00\x3c" + text(b"d1"))
PUBREL = packet(0x62, b"\x00\x07")


def message(version: int, payload: bytes = b"x", *, dup: bool = False) -> bytes:
    sent = publish(b"t", payload, mid=7, qos=2, properties=b"" if version == 5 else None)
    return bytes([sent[0] | 8 * dup]) + sent[1:]


def records(gate: Gate, seen: list[bytes]) -> list[bytes]:
    """The messages that Kafka was given; it has them now."""
    seen += [record.value for topic, record, _ in gate.kafka.sent if topic == "mqtt.messages"]
    gate.kafka.answer(*[None] * len(gate.kafka.sent))
    return seen


@pytest.mark.parametrize("version", [3, 4, 5])
@pytest.mark.parametrize("lost", ["tcp", "takeover"])
@pytest.mark.parametrize("answered", ["before", "at the end", "meanwhile"])
async def test_a_message_that_is_sent_again_makes_one_record(version: int, lost: str, answered: str) -> None:
    """Whether Kafka had it before the connection was lost, while it ended, or while the client came back."""
    gate, seen = Gate(), list[bytes]()
    first, socket = await gate.device(KEPT[version], message(version))
    socket.closed = answered == "at the end"  # asyncio tells this only in a later turn
    if answered != "meanwhile":
        records(gate, seen)
        await turns()
    if lost == "tcp":
        first.connection_lost(None)
    second, sock = await gate.device(KEPT[version])
    early = bytes(sock.heard)
    records(gate, seen)
    await turns()
    present = sock.heard[2]
    second.data_received(message(version, dup=True) + PUBREL)
    await turns()

    assert bool(early) is (answered != "meanwhile")
    assert present == 1
    assert sock.heard.endswith(b"\x50\x02\x00\x07\x70\x02\x00\x07")
    assert records(gate, seen) == [b"x"]


async def test_what_kafka_did_not_take_is_taken_when_it_is_sent_again() -> None:
    """A record that failed after the connection was lost is not held for one that was written."""
    gate, seen = Gate(), list[bytes]()
    first, _ = await gate.device(KEPT_5, message(5))
    first.connection_lost(None)
    gate.kafka.answer(None, DENIED, None)
    second, _ = await gate.device(KEPT_5)
    second.data_received(message(5, dup=True))

    assert records(gate, seen) == [b"x"]


@pytest.mark.parametrize("payload", [b"x", b"y"])
async def test_another_message_of_the_same_identifier_is_not_lost(payload: bytes) -> None:
    """A device that has lost its memory counts from the beginning, and sends without DUP."""
    gate, seen = Gate(), list[bytes]()
    first, _ = await gate.device(KEPT_5, message(5))
    records(gate, seen)
    await turns()
    first.connection_lost(None)
    second, _ = await gate.device(KEPT_5)
    second.data_received(message(5, payload))
    second.data_received(message(5, payload, dup=True))

    assert records(gate, seen) == [b"x", payload]


async def test_a_session_that_was_not_wanted_is_not_present() -> None:
    """Clean start ends a session, and a client without an expiry has none."""
    gate = Gate()
    clean = KEPT_5.replace(b"MQTT\x05\x00", b"MQTT\x05\x02")
    brief = packet(0x10, b"\x00\x04MQTT\x05\x00\x00\x3c\x00" + text(b"d1"))
    present = []
    for connect in (KEPT_5, clean, KEPT_5, brief, KEPT_5):
        connection, sock = await gate.device(connect)
        present.append(sock.heard[2])
        connection.connection_lost(None)

    assert present == [0, 0, 1, 1, 0]
    assert gate.listener.memory.held_bytes > 0


@pytest.mark.parametrize(
    ("connect", "expiry", "present"),
    [(KEPT_5, 0, 0), (KEPT_5, 100, 1), (KEPT_5.replace(b"\x3c\x00\x02d1", b"\x00\x00\x02d1"), 9, 0)],
)
async def test_a_client_says_when_it_leaves_how_long_its_session_lasts(
    connect: bytes, expiry: int, present: int
) -> None:
    """A session of no time at first is not kept."""
    gate = Gate()
    first, _ = await gate.device(connect)
    first.data_received(packet(0xE0, b"\x00\x05\x11" + expiry.to_bytes(4, "big")))
    first.connection_lost(None)
    _, sock = await gate.device(KEPT_5)

    assert sock.heard[2] == present


def test_a_session_ends_with_its_expiry() -> None:
    """The client's own, and the longest that the listener keeps; then it takes no memory."""

    async def story() -> list[tuple[int, int]]:
        told: list[tuple[int, int]] = []
        for seconds in (30, 61):
            gate = Gate()
            connection, _ = await gate.device(KEPT_5)
            connection.connection_lost(None)
            await asyncio.sleep(seconds)
            held = gate.listener.memory.held_bytes
            _, sock = await gate.device(KEPT_5)
            told.append((sock.heard[2], held > 0))
        return told

    assert tell(1, story()) == [(1, True), (0, False)]
