"""Bridges, gateways and clients of MQTT 3.1 at a listener, with a played socket and Kafka."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from pipeline.config.listener import ListenerSource
from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from pipeline.record import Outgoing
from tests.parts.device_bytes import CONNECT_5, CONNECT_311, publish
from tests.parts.played_devices import Gate
from tests.parts.waiting import turns

STATE = b"$SYS/broker/connection/vm.edge/state"


def connect(
    version: int, *, name: bytes = b"MQTT", will: bytes = b"", clientid: bytes = b"d1", rest: bytes = b""
) -> bytes:
    flags = 0x02 | (0x2C if will else 0) | (0xC0 if rest else 0)
    properties = b"\x00" if version & 0x7F == 5 else b""
    wish = properties + text(will) + text(b"0") if will else b""
    return packet(0x10, text(name) + bytes([version, flags]) + b"\x00\x3c" + properties + text(clientid) + wish + rest)


def messages(gate: Gate) -> list[Outgoing]:
    return [record for topic, record, _ in gate.kafka.sent if topic == "mqtt.messages"]


def event(gate: Gate) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads(gate.kafka.sent[0][1].value)
    return told


@pytest.mark.parametrize(
    ("version", "name", "expected"),
    [
        (0x83, b"MQIsdp", ("MQIsdp", 3, True)),
        (0x84, b"MQTT", ("MQTT", 4, True)),
        (0x85, b"MQTT", ("MQTT", 5, True)),
        (0x03, b"MQIsdp", ("MQIsdp", 3, False)),
        (0x04, b"MQTT", ("MQTT", 4, False)),
    ],
)
async def test_a_bridge_and_a_client_of_mqtt_31_come_in(
    version: int, name: bytes, expected: tuple[str, int, bool]
) -> None:
    """The event has the protocol's name and version, and says whether the client is a bridge."""
    gate = Gate()
    _, sock = await gate.device(connect(version, name=name))

    assert sock.heard.startswith(b"\x20")
    assert sock.heard[3] == 0
    told = event(gate)
    assert (told["proto_name"], told["proto_ver"], told["is_bridge"]) == expected


@pytest.mark.parametrize(
    ("version", "name"), [(0x06, b"MQTT"), (0x86, b"MQTT"), (0x03, b"MQTT"), (0x04, b"MQIsdp"), (0x80, b"MQTT")]
)
async def test_another_version_is_refused(version: int, name: bytes) -> None:
    """The answer is that of 3.1.1, which every client knows."""
    _, sock = await Gate().device(connect(version, name=name))

    assert sock.heard == b"\x20\x02\x00\x01"
    assert sock.closed


@pytest.mark.parametrize("version", [0x04, 0x84, 0x05])
@pytest.mark.parametrize("qos", [0, 1, 2])
async def test_what_a_bridge_says_of_itself_is_dropped(version: int, qos: int) -> None:
    """Its will and its notices are counted, acknowledged in their turn, and cost it neither login nor connection."""
    gate = Gate(topics=["site/#"])
    properties = b"" if version == 5 else None
    connection, sock = await gate.device(connect(version, will=STATE))
    answered = len(sock.heard)
    for number, topic in enumerate((STATE, b"site/a"), 1):
        connection.data_received(publish(topic, b"1", mid=number, qos=qos, properties=properties))
    gate.kafka.answer(*[None] * len(gate.kafka.sent))
    await turns()
    ack = {0: b"", 1: b"\x40", 2: b"\x50"}[qos]
    code = b"\x03\x00\x01\x10" if properties is not None else b"\x02\x00\x01"
    told = ack + code + ack + b"\x02\x00\x02" if qos else b""
    was_closed = sock.closed
    connection.connection_lost(None)

    assert bytes(sock.heard[answered:]) == told
    assert not was_closed
    assert [record.value for record in messages(gate)] == []  # the notice's will is void, too


async def test_notices_are_records_when_topics_allow_them() -> None:
    """A filter for them makes them usual messages, and the will too."""
    gate = Gate(topics=["$SYS/broker/connection/+/state"])
    connection, _ = await gate.device(connect(4, will=STATE), publish(STATE, b"1", mid=1, qos=1))
    connection.connection_lost(None)

    assert [record.value for record in messages(gate)] == [b"1", b"0"]


async def test_a_flood_of_notices_is_slowed() -> None:
    """They bring no message, so they count as packets without one."""
    gate = Gate(topics=["site/#"], control_packets_per_second=1)
    connection, sock = await gate.device(connect(4), publish(STATE, b"1") * 20)
    await turns()

    assert not sock.reading
    assert not sock.closed
    assert connection.identity is not None


@pytest.mark.parametrize("version", [4, 5])
async def test_a_backlog_beyond_the_window_is_taken_piece_by_piece(version: int) -> None:
    """Of QoS 2 as well: a client that sends all messages before its PUBRELs is slowed down and never sent away."""
    gate = Gate(window=3)
    properties = b"" if version == 5 else None
    backlog = [publish(b"t", b"%d" % n, mid=n, qos=2, properties=properties) for n in range(1, 21)]
    connection, sock = await gate.device(CONNECT_5 if version == 5 else CONNECT_311)
    gate.kafka.answer(None)
    connection.data_received(b"".join(backlog))
    told: list[bytes] = []
    while gate.kafka.sent:
        told += [record.value for _, record, _ in gate.kafka.sent]
        gate.kafka.answer(*[None] * len(gate.kafka.sent))
        await turns()
    connection.data_received(b"".join(packet(0x62, n.to_bytes(2, "big")) for n in range(1, 21)))
    await turns()

    assert told == [b"%d" % n for n in range(1, 21)]
    assert sock.heard.endswith(b"".join(b"\x70\x02\x00" + bytes([n]) for n in range(1, 21)))
    assert not sock.closed


async def test_flags_that_mqtt_31_leaves_open_do_no_harm() -> None:
    """DUP on SUBSCRIBE, PUBREL and a message of QoS 0, flags of PINGREQ, and a user name that is not there."""
    gate = Gate()
    bare = packet(0x10, text(b"MQIsdp") + b"\x03\xc3\x00\x3c" + text(b"d1"))
    connection, sock = await gate.device(bare, publish(b"t", b"x", mid=7, qos=2))
    gate.kafka.answer(None, None)
    await turns()
    connection.data_received(packet(0x6A, b"\x00\x07") + packet(0x8A, b"\x00\x09" + text(b"a") + b"\x01"))
    connection.data_received(packet(0x38, text(b"t") + b"y") + b"\xcf\x00")
    await turns()

    assert sock.heard.endswith(b"\x50\x02\x00\x07\x70\x02\x00\x07\x90\x03\x00\x09\x80\xd0\x00")
    assert [record.value for record in messages(gate)] == [b"y"]


@pytest.mark.parametrize(
    ("way", "sent", "expected"),
    [
        ({"topic": "site/{clientid}/up"}, publish(b"site/pump/up", b"x", properties=b""), (b"pump", b"topic")),
        ({"topic": "other/{clientid}"}, publish(b"site/pump/up", b"x", properties=b""), (b"vm.edge", b"listener")),
        ({"payload": "id"}, publish(b"site/a", b'{"id": "pump"}', properties=b""), (b"pump", b"payload")),
        (
            {"user_property": "clientid"},
            publish(b"site/a", b"x", properties=b"\x26" + text(b"clientid") + text(b"pump")),
            (b"pump", b"user_property"),
        ),
    ],
)
async def test_messages_of_a_gateway_have_their_own_publishers(
    way: dict[str, str], sent: bytes, expected: tuple[bytes, bytes]
) -> None:
    """The configured ways find the clientid, each message for itself; if none does, it is the gateway's."""
    gate = Gate(clientid_from=[way], gateways=["vm.edge"])
    hello = publish(b"site/a", b'{"id": "first"}', properties=b"")
    await gate.device(connect(5, clientid=b"vm.edge"), hello + sent + sent)

    for record in messages(gate)[1:]:
        assert (record.key, dict(record.headers)["clientid_from"]) == expected


async def test_a_client_that_is_no_gateway_speaks_for_itself_only() -> None:
    """Without a login a gateway is known by its clientid, with one by its user name."""
    gate = Gate(clientid_from=[{"topic": "site/{clientid}"}], gateways=["vm.edge"])
    await gate.device(
        connect(5, clientid=b"d2", rest=text(b"vm.edge") + text(b"p")), publish(b"site/pump", b"", properties=b"")
    )

    assert [record.key for record in messages(gate)] == [b"d2"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clientid_from": [{"topic": "t/{clientid}"}]}, "lets each client publish as another one"),
        ({"clientid_from": [{"payload": "id"}], "topics": ["t/%c"]}, "lets each client publish as another one"),
        ({"clientid_from": [{"topic": "t/{clientid}"}], "gateways": ["g"]}, ""),
        ({"clientid_from": [{"topic": "t/{clientid}"}], "topics": ["t/%c"], "clientid_is_username": True}, ""),
    ],
)
def test_who_may_speak_for_others_is_told(settings: dict[str, Any], expected: str) -> None:
    """`check` warns where each client could take another's name."""
    given = {"authentication": "password", "password_file": "p", "topics": ["#"], **settings}

    assert expected in ListenerSource.model_validate(given).unproven
    assert bool(expected) == bool(ListenerSource.model_validate(given).unproven)


def test_gateways_without_a_way_to_find_publishers_are_refused() -> None:
    """They would have no effect."""
    with pytest.raises(ValidationError, match="gateways has no effect without clientid_from"):
        ListenerSource.model_validate({"authentication": "none", "topics": ["#"], "gateways": ["g"]})
