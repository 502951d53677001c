"""The listener from the devices' side: paho, mosquitto_pub and raw bytes, and the records in Kafka."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes

from tests.components.ingress_process import assert_all_there, read, stored, under_load
from tests.components.listener_parts import SECONDS, Device, Listening, events, properties
from tests.components.mqtt_publisher import Publisher
from tests.parts.waiting import patient, wait_until


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_message_of_each_quality_arrives_as_it_was_sent(listening: Listening, version: int, qos: int) -> None:
    """A message has its payload, topic and true publisher, and events have EMQX's names."""
    device = Device(listening, "d1", version=version)
    device.client.username_pw_set("anna", "anything")
    reason, _, flags = device.connect()

    sent = properties(PacketTypes.PUBLISH, ContentType="text/plain", UserProperty=("k", "v")) if version == 5 else None
    device.client.publish(f"{listening.name}/a", b"hello \xff", qos=qos, properties=sent).wait_for_publish(SECONDS)
    device.leave()

    assert reason == 0
    assert not flags.session_present
    (record,) = read(listening.kafka, listening.messages, 1)
    headers = dict(record.headers() or [])
    assert (record.key(), record.value()) == (b"d1", b"hello \xff")
    assert headers["topic"] == f"{listening.name}/a".encode()
    assert headers.get("qos", b"0") == b"%d" % qos
    assert (headers["clientid_from"], headers["username"], headers["peerhost"]) == (b"listener", b"anna", b"127.0.0.1")
    if version == 5:
        told = json.loads(headers["pub_props"])
        assert (told["Content-Type"], told["User-Property"]) == ("text/plain", {"k": "v"})
    (connected, came), (disconnected, went) = events(listening, 2)
    assert (connected, disconnected) == ("client.connected", "client.disconnected")
    assert (came["clientid"], came["username"], came["proto_ver"]) == ("d1", "anna", version)
    assert came["peername"].startswith("127.0.0.1:")
    assert came["clean_start"] is True
    assert went["reason"] == "normal"


def test_mosquitto_pub_publishes_many_lines(listening: Listening, mosquitto_pub: str) -> None:
    """mosquitto_pub publishes a thousand lines at QoS 1 in order."""
    command = [mosquitto_pub, "-p", str(listening.port), "-t", f"{listening.name}/m", "-q", "1", "-i", "mosq", "-l"]

    subprocess.run(command, input="".join(f"{n}\n" for n in range(1000)), text=True, check=True, timeout=SECONDS * 4)

    records = read(listening.kafka, listening.messages, 1000)
    assert [int(each.value() or b"") for each in records] == list(range(1000))


def test_an_empty_clientid_is_replaced_by_one_of_ours(listening: Listening) -> None:
    """An MQTT 5 client learns its assigned clientid."""
    device = Device(listening, "")

    _, told, _ = device.connect()
    device.leave()

    assert told.AssignedClientIdentifier.startswith("auto-")
    assert told.ReceiveMaximum == 1000
    assert events(listening, 2)[0][1]["clientid"] == told.AssignedClientIdentifier


def test_nobody_can_subscribe(listening: Listening) -> None:
    """A SUBSCRIBE is refused with a reason, and the connection goes on."""
    device = Device(listening, "d1")
    device.connect()

    device.client.subscribe([("a/#", 1), ("b", 0)])
    refused = device.next("subscribe")
    device.client.publish(f"{listening.name}/a", b"x", qos=1)

    assert [each.value for each in refused] == [0x87, 0x87]
    assert device.next("publish") == 0
    device.leave()


def test_a_topic_that_is_not_allowed_is_refused_in_its_turn(listening: Listening) -> None:
    """An MQTT 5 client gets 0x87 and stays, and an MQTT 3.1.1 client is disconnected."""
    device, old = Device(listening, "d1"), Device(listening, "d2", version=4)
    device.connect()
    old.connect()

    good = f"{listening.name}/good"
    for topic, qos in ((good, 1), ("bad", 1), (good, 1), ("bad", 2)):
        device.client.publish(topic, b"x", qos=qos)
    reasons = [device.next("publish").value for _ in range(4)]
    old.client.publish("will/d1", b"x", qos=1)

    assert sorted(reasons) == [0, 0, 0x87, 0x92]  # paho sends a PUBREL for the refused one, which is not found
    old.next("disconnect")
    device.leave()
    assert len(read(listening.kafka, listening.messages, 2)) == 2


def test_a_second_client_of_the_same_id_takes_over(listening: Listening) -> None:
    """The first client gets 0x8E, its will is published, and its disconnect comes before the second's connect."""
    first, second = Device(listening, "d1"), Device(listening, "d1")
    first.client.will_set("will/d1", b"gone", qos=1, retain=True)
    first.connect()

    second.connect()

    assert first.next("disconnect").value == 0x8E
    second.leave()
    told = events(listening, 4)
    assert [name for name, _ in told] == ["client.connected", "client.disconnected"] * 2
    assert [fields.get("reason") for _, fields in told] == [None, "takenover", None, "normal"]
    (will,) = read(listening.kafka, listening.messages, 1)
    assert (will.key(), will.value()) == (b"d1", b"gone")
    assert dict(will.headers() or [])["retain"] == b"1"


def test_a_delayed_will_is_not_published_when_its_client_comes_back(listening: Listening) -> None:
    """A delayed will is published unless its client reconnects in time or disconnects normally."""
    kept = properties(PacketTypes.CONNECT, SessionExpiryInterval=60)
    back, gone, again = (
        Device(listening, name, clean_start=False, properties=kept) for name in ("back", "gone", "back")
    )
    for device, name, seconds in ((back, "back", 4), (gone, "gone", 5)):
        wish = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=seconds)
        device.client.will_set(f"will/{name}", name, qos=1, properties=wish)
        device.connect()
    for device in (back, gone):
        device.client._sock.close()  # type: ignore[union-attr]
    again.connect()
    again.leave()

    wills = read(listening.kafka, listening.messages, 1)

    assert [each.value() for each in wills] == [b"gone"]


async def test_silence_ends_a_connection(listening: Listening) -> None:
    """A connection ends one and a half keep-alives after its last packet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x01\x00\x02d1" + b"\xc0\x00")
    began = time.monotonic()
    await reader.readexactly(4)
    answer = await reader.read()
    seconds = time.monotonic() - began
    writer.close()

    assert answer == b"\xd0\x00"
    assert 1.5 <= seconds < patient(5)
    assert (await asyncio.to_thread(events, listening, 2))[1][1]["reason"] == "keepalive_timeout"


def test_a_stop_acknowledges_what_kafka_has_and_sends_clients_away(listening: Listening) -> None:
    """A stop sends DISCONNECT 0x8B and no will, and the event has the reason."""
    device = Device(listening, "d1")
    device.client.will_set("will/d1", b"gone")
    device.connect()
    for _ in range(2000):
        device.client.publish(f"{listening.name}/a", b"x", qos=1)
    device.next("publish")

    listening.server.stop()

    told: list[Any] = [("publish", None)]
    while told[-1][0] != "disconnect":
        told.append(device.told.get(timeout=SECONDS))
    assert told[-1][1].value == 0x8B
    records = read(listening.kafka, listening.messages, len(told) - 1)
    assert [each.value() for each in records] == [b"x"] * (len(told) - 1)
    assert [fields.get("reason") for _, fields in events(listening, 2)] == [None, "server_shutdown"]


@pytest.mark.real
def test_a_stop_takes_no_acknowledgement_back(listening: Listening) -> None:
    """A device that is sending when the listener stops, and reads later, gets the answer to each message that is in Kafka."""
    topic = f"{listening.name}/a".encode()
    packets = (len(topic).to_bytes(2, "big") + topic + mid.to_bytes(2, "big") + b"x" for mid in range(1, 60_001))
    load = b"".join(b"\x32" + bytes([len(each)]) + each for each in packets)
    with socket.create_connection(("127.0.0.1", listening.port), SECONDS) as device, ThreadPoolExecutor(1) as pool:
        device.sendall(b"\x10\x0e\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d1")
        assert device.recv(4) == b"\x20\x02\x00\x00"
        sending = pool.submit(device.sendall, load)
        wait_until(
            lambda: listening.metric("tidegate_ingress_messages_acknowledged_total") > 0, 20, lambda: "no answer"
        )

        listening.server.stop()

        sending.result()
        answers = b"".join(iter(lambda: device.recv(65536), b""))
    count = len(answers) // 4
    assert answers == b"".join(b"\x40\x02" + mid.to_bytes(2, "big") for mid in range(1, count + 1))
    wait_until(lambda: stored(listening) == count, 20, lambda: f"{count} answers, {stored(listening)} records")


@pytest.mark.real
@pytest.mark.slow
def test_what_was_acknowledged_before_a_kill_is_in_kafka(listening: Listening) -> None:
    """After SIGKILL under load, every PUBACK stands for a record, in order."""
    acknowledged: dict[str, int] = {}

    async def device(clientid: str) -> None:
        publisher = await Publisher.connect("127.0.0.1", listening.port, clientid)
        payloads = (f"{clientid}:{n}".ljust(100).encode() for n in range(1_000_000))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, TimeoutError)):
            await asyncio.wait_for(
                asyncio.gather(
                    publisher.publish(f"{listening.name}/{clientid}", payloads, rate=2000),
                    publisher._listening,  # type: ignore[arg-type]
                ),
                60,
            )
        acknowledged[clientid] = publisher.acknowledged

    async def load() -> None:
        await asyncio.gather(*(device(f"d{n}") for n in range(5)))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(asyncio.run, load())
        counter = "tidegate_ingress_messages_acknowledged_total"
        wait_until(lambda: running.done() or listening.metric(counter) > 20_000, 30, listening.server.tail)
        listening.server.kill()
        running.result()

    assert sum(acknowledged.values()) > 15_000
    records = read(listening.kafka, listening.messages, sum(acknowledged.values()))
    for clientid, count in acknowledged.items():
        numbers = [int((each.value() or b"").split(b":")[1]) for each in records if each.key() == clientid.encode()]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= count, f"{clientid}: {count} acknowledged, {len(numbers)} in Kafka"


def test_many_devices_at_once_in_order(listening: Listening) -> None:
    """Twenty MQTT 3.1.1 devices with 200 messages under way each lose nothing and keep their order."""
    with under_load(listening, devices=20, messages=500, rate=0) as load:
        acknowledged = load.result()

    assert_all_there(listening, acknowledged)


@pytest.mark.real
@pytest.mark.slow
def test_kafka_away_is_waited_for(listening: Listening) -> None:
    """While Kafka is frozen, a flood of QoS 0 is not read, and no acknowledged message is lost."""
    received, before = "tidegate_ingress_messages_received_total", 0.0

    async def flood() -> None:
        nonlocal before
        publisher = await Publisher.connect("127.0.0.1", listening.port, "flood")
        listening.kafka.pause()
        before = listening.metric(received)  # of the devices
        payloads = (b"flood:0".ljust(1000) for _ in range(200_000))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(publisher.publish(f"{listening.name}/flood", payloads, qos=0), 10)
        publisher.writer.transport.abort()

    with under_load(listening, devices=4, messages=4000, rate=500) as load:
        asyncio.run(flood())
        read_meanwhile = listening.metric(received) - before
        listening.kafka.resume()

    assert_all_there(listening, load.result())
    assert read_meanwhile < 20_000
