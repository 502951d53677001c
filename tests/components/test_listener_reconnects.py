"""A real client with QoS 2 whose connection breaks in the middle of handshakes, and who comes back with its session."""

from __future__ import annotations

import socket

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes

from tests.components.ingress_process import read
from tests.components.listener_parts import Listening, properties
from tests.parts.waiting import wait_until

MESSAGES = 300
CUTS = 5


@pytest.mark.real
@pytest.mark.parametrize("version", [4, 5])
def test_a_message_of_qos_2_is_once_whenever_the_connection_breaks(listening: Listening, version: int) -> None:
    """paho sends again what has no PUBREC, and PUBREL for what has one. Each message is one record."""
    protocol = paho.MQTTv5 if version == 5 else paho.MQTTv311
    clean = None if version == 5 else False
    client = paho.Client(CallbackAPIVersion.VERSION2, "again", protocol=protocol, clean_session=clean)
    client.reconnect_delay_set(0, 0)
    client.max_inflight_messages_set(20)
    done: list[int] = []
    present: list[bool] = []
    client.on_publish = lambda c, u, mid, reason, props: done.append(mid)
    client.on_connect = lambda c, u, flags, reason, props: present.append(flags.session_present)
    if version == 5:
        kept = properties(PacketTypes.CONNECT, SessionExpiryInterval=600)
        client.connect("127.0.0.1", listening.port, clean_start=False, properties=kept)
    else:
        client.connect("127.0.0.1", listening.port)
    client.loop_start()
    for number in range(MESSAGES):
        client.publish(f"{listening.name}/a", b"%d" % number, qos=2)
    for cut in range(1, CUTS + 1):
        share = cut * MESSAGES // (CUTS + 2)
        wait_until(lambda at=cut, some=share: len(present) >= at and len(done) >= some, 30, listening.server.tail)  # type: ignore[misc]
        connection = client.socket()
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: len(done) >= MESSAGES, 30, listening.server.tail)
    client.disconnect()
    client.loop_stop()
    records = read(listening.kafka, listening.messages, MESSAGES)

    assert sorted(int(each.value() or b"") for each in records) == list(range(MESSAGES))
    assert present[0] is False
    assert True in present[1:]
