"""The ingress as a process between a real broker and a real Kafka: every acknowledged message is in Kafka."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.demo.process import Server, free_port
from tests.components.ingress_process import (
    Ingress,
    assert_all_there,
    barrier,
    events_of,
    get,
    page_with,
    publish_load,
    pump,
    read,
    stored,
    under_load,
    wait_for_line,
    wait_until_acknowledged,
)
from tests.components.mqtt_publisher import Publisher
from tests.parts.certificates import certificate
from tests.parts.part import KafkaPart, MqttPart
from tests.parts.waiting import let_pass, patient, until, wait_until


@pytest.fixture
def ingress(
    request: pytest.FixtureRequest, tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart
) -> Iterator[Ingress]:
    """A started ingress. A test's `pytest.mark.parametrize("ingress", [{…}], indirect=True)` adds to its source."""
    given = dict(getattr(request, "param", {}))
    kafka_settings = given.pop("kafka", {})
    name = f"ingress{time.time_ns()}"
    process = Ingress(name, tmp_path, kafka, mqtt_broker, given, kafka_settings)
    process.start()
    yield process
    process.server.stop()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("ingress", [{}, {"protocol": "3.1.1"}, {"window": 50}], indirect=True, ids=str)
def test_killed_in_mid_stream_again_and_again_it_loses_nothing(ingress: Ingress) -> None:
    """After five SIGKILLs under load, every acknowledged message is in Kafka, in order."""
    with under_load(ingress, devices=8, messages=5000, rate=400) as load:
        for number in range(1, 6):
            wait_until(lambda more=number * 6000: stored(ingress) > more, 30, ingress.server.tail)  # type: ignore[misc]
            ingress.server.kill()
            ingress.start()

    assert load.result() == {f"d{n}": 5000 for n in range(8)}
    records = assert_all_there(ingress, load.result())
    again = [each for each in records if ("dup", b"1") in (each.headers() or [])]
    assert len(records) - 40_000 <= len(again), "a message came twice without the dup header"


@pytest.mark.real
def test_a_graceful_stop_leaves_nothing_to_deliver_again(ingress: Ingress) -> None:
    """After SIGTERM under load, a restart repeats nothing."""
    with under_load(ingress, devices=4, messages=3000, rate=800) as load:
        for more in (3000, 7000):
            wait_until(lambda more=more: stored(ingress) > more, 30, ingress.server.tail)  # type: ignore[misc]
            ingress.server.stop()
            ingress.start()

    records = assert_all_there(ingress, load.result())
    assert len(records) == 12_000
    assert [line["event"] for line in ingress.lines()].count("ingress.stopped") == 2


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_kafka_away_is_waited_for(ingress: Ingress, how: str) -> None:
    """While Kafka is frozen or killed, the ingress reads no more than its window and loses nothing."""
    with under_load(ingress, devices=4, messages=4000, rate=500) as load:
        wait_until(lambda: stored(ingress) > 1000, 30, ingress.server.tail)
        if how == "frozen":
            ingress.kafka.pause()
            let_pass(8)
            ingress.kafka.resume()
        else:
            ingress.kafka.kill()
            let_pass(5)
            ingress.kafka.start()

    assert_all_there(ingress, load.result())
    assert ingress.server.running


@pytest.mark.real
async def test_it_comes_back_to_a_broker_that_was_restarted(ingress: Ingress) -> None:
    """After a restart of the broker, the ingress reconnects and takes new messages."""
    ingress.broker.stop()
    ingress.broker.start()
    await wait_for_line(ingress, "mqtt.connected", count=2)

    acknowledged = await publish_load(ingress, devices=2, messages=100, rate=0)

    await asyncio.to_thread(assert_all_there, ingress, acknowledged)


async def test_odd_messages_arrive_as_they_were_sent(ingress: Ingress) -> None:
    """Empty, binary, large and non-JSON payloads and odd topics arrive byte for byte."""
    name = ingress.name
    sent = {
        f"{name}/empty/up": b"",
        f"{name}/binary/up": bytes(range(256)),
        f"{name}/large/up": bytes(1 << 20),
        f"{name}/text/up": b"not { json",
        f"{name}/π/☃//x": b"unicode and an empty level",
        f"{name}/": b"no clientid",
        f"{name}/{'l' * (65_535 - len(name) - 3)}/z": b"long topic",
    }
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "odd")
    for topic, payload in sent.items():
        await publisher.publish(topic, [payload])
    await publisher.finish()

    records = await asyncio.to_thread(read, ingress.kafka, ingress.messages, len(sent))

    found = {dict(each.headers())["topic"].decode(): each.value() for each in records}
    assert found == sent
    keys = {dict(each.headers())["topic"].decode(): each.key() for each in records}
    assert keys[f"{name}/π/☃//x"] == "π".encode()
    assert keys[f"{name}/"] == f"{name}/".encode()


@pytest.mark.parametrize("ingress", [{"kafka": {"max_message_bytes": 10_000}}], indirect=True, ids=["10 kB"])
async def test_what_kafka_refuses_becomes_a_dead_letter_and_holds_nothing_up(ingress: Ingress) -> None:
    """A message that is too large becomes a dead letter with its cause, and other messages arrive."""
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "big")
    await publisher.publish(f"{ingress.name}/big/up", [b"before", bytes(50_000), b"after"])
    await publisher.finish()

    records = await asyncio.to_thread(read, ingress.kafka, ingress.messages, 2)
    dead = await asyncio.to_thread(read, ingress.kafka, ingress.dead, 1)

    assert [each.value() for each in records] == [b"before", b"after"]
    headers = dict(dead[0].headers())
    assert headers["dead_letter.cause"] == b"msg_size_too_large"
    assert headers["dead_letter.source"] == b"mqtt:plant"
    assert headers["dead_letter.size"] == b"50000"
    assert headers["topic"] == f"{ingress.name}/big/up".encode()
    assert dead[0].key() == b"big"


@pytest.mark.real
async def test_a_limit_lowered_at_run_time_costs_only_the_large_message(ingress: Ingress) -> None:
    """If Kafka refuses a whole batch, its small messages are sent again and arrive."""
    limit = ConfigEntry("max.message.bytes", "2000", incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ResourceType.TOPIC, ingress.messages, incremental_configs=[limit])
    admin = AdminClient({"bootstrap.servers": ingress.kafka.bootstrap_servers})
    for future in admin.incremental_alter_configs([topic]).values():
        future.result(patient(10))

    def told() -> bool:
        """Whether the broker has heard of the limit from the controller."""
        (described,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, ingress.messages)]).values()
        return bool(described.result(patient(10))["max.message.bytes"].value == "2000")

    await asyncio.to_thread(wait_until, told, 30, lambda: "the limit of the topic")
    small = [b"small %d" % n for n in range(20)]
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "mixed")
    await publisher.publish(f"{ingress.name}/mixed/up", [*small[:10], bytes(5000), *small[10:]])
    await publisher.finish()

    records = await asyncio.to_thread(read, ingress.kafka, ingress.messages, len(small))
    dead = await asyncio.to_thread(read, ingress.kafka, ingress.dead, 1)

    assert {each.value() for each in records} == set(small)
    assert [each.value() for each in dead] == [bytes(5000)]
    await wait_until_acknowledged(ingress)


@pytest.mark.parametrize("ingress", [{"clientid_from": [{"user_property": "clientid"}]}], indirect=True, ids=["v5"])
async def test_user_properties_name_the_client_and_are_kept(ingress: Ingress) -> None:
    """A user property names the publisher, and one header has all publish properties."""
    client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.connect(ingress.broker.host, ingress.broker.port)
    client.loop_start()
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("clientid", "truck-7"), ("site", "north")]
    properties.ContentType = "text/plain"
    client.publish(f"{ingress.name}/x", b"hello", qos=1, properties=properties).wait_for_publish(patient(10))
    client.disconnect()
    client.loop_stop()

    (record,) = await asyncio.to_thread(read, ingress.kafka, ingress.messages, 1)

    headers = dict(record.headers())
    told = json.loads(headers["pub_props"])
    assert (record.key(), headers["clientid_from"]) == (b"truck-7", b"user_property")
    assert told["User-Property"] == {"clientid": "truck-7", "site": "north"}
    assert told["Content-Type"] == "text/plain"


@pytest.mark.real
async def test_a_subscription_that_is_no_longer_wanted_is_ended(ingress: Ingress) -> None:
    """The next start unsubscribes from filters that the configuration no longer has."""
    old = f"old{ingress.name}"
    await asyncio.to_thread(ingress.server.stop)
    ingress.reconfigure(topics=[f"{ingress.name}/#", f"{old}/+/#"])
    ingress.start()
    await asyncio.to_thread(ingress.server.stop)
    ingress.reconfigure(topics=[f"{ingress.name}/#"])
    ingress.start()

    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "d")
    await publisher.publish(f"{old}/d/x", [b"one"])
    line = await wait_for_line(ingress, "mqtt.unsubscribed")
    await until(lambda: f"{old}/+/#" in ingress.broker.server.log.read_text(errors="replace"), 20)
    await publisher.publish(f"{old}/d/y", [b"two"])
    await publisher.publish(f"{ingress.name}/d/z", [b"three"])
    await publisher.finish()

    records = await asyncio.to_thread(read, ingress.kafka, ingress.messages, 1)
    assert [each.value() for each in records] == [b"three"]
    assert line["topic"] == f"{old}/d/x"
    await wait_until_acknowledged(ingress)
    assert [each["event"] for each in ingress.lines()].count("mqtt.unsubscribed") == 1


@pytest.mark.real
@pytest.mark.parametrize(
    ("ingress", "times"),
    [
        ({"protocol": protocol, "retained": retained}, times)
        for protocol in ("5", "3.1.1")
        for retained, times in (("first", 1), ("always", 2), ("never", 1))
    ],
    indirect=["ingress"],
    ids=str,
)
async def test_retained_messages_come_as_often_as_configured(ingress: Ingress, times: int) -> None:
    """After a restart with a kept session, only "always" gets the broker's retained message again."""
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "d")
    await publisher.publish(f"{ingress.name}/d/up", [b"state"], retain=True)
    await publisher.finish()
    await asyncio.to_thread(read, ingress.kafka, ingress.messages, 1)
    await asyncio.to_thread(ingress.server.stop)
    ingress.start()

    await wait_for_line(ingress, "mqtt.connected", count=2)

    assert [each.value() for each in await barrier(ingress, times)] == [b"state"] * times


@pytest.mark.real
@pytest.mark.parametrize("ingress", [{"events": ["mosquitto_log"]}], indirect=True, ids=["log"])
async def test_the_brokers_log_becomes_client_events(ingress: Ingress) -> None:
    """A client's connect and disconnect make one event each, in order, in the partition of its messages."""
    clientid = f"device-{ingress.name}"
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, clientid)
    await publisher.publish(f"{ingress.name}/{clientid}/up", [b"hello"])
    await publisher.finish()

    ours = await asyncio.to_thread(events_of, ingress, clientid)
    (message,) = await asyncio.to_thread(read, ingress.kafka, ingress.messages, 1)

    assert [event["event"] for event in ours] == ["client.connected", "client.disconnected"]
    assert ours[0]["proto_ver"] == 4
    assert ours[0]["keepalive"] == 600
    assert ours[1]["reason"] == "normal"
    assert ours[1]["connected_at"] == ours[0]["connected_at"] <= ours[1]["disconnected_at"]
    assert {event["partition"] for event in ours} == {message.partition()}


@pytest.mark.parametrize("ingress", [{"status_topic": {"topic": "status/{clientid}"}}], indirect=True, ids=["will"])
async def test_birth_and_will_become_client_events(ingress: Ingress) -> None:
    """The birth message and the last will of a device become events and not messages."""
    clientid = f"d{ingress.name}"
    device = paho.Client(CallbackAPIVersion.VERSION2, clientid, reconnect_on_failure=False)
    device.will_set(f"status/{clientid}", "offline", qos=1, retain=True)
    device.connect(ingress.broker.host, ingress.broker.port_311)
    device.loop_start()
    device.publish(f"status/{clientid}", "online", qos=1, retain=True).wait_for_publish(patient(10))
    device._sock_close()  # no DISCONNECT: the broker publishes the will
    device.loop_stop()

    ours = await asyncio.to_thread(events_of, ingress, clientid)

    assert [event["event"] for event in ours] == ["client.connected", "client.disconnected"]
    assert not await barrier(ingress, 0)


async def test_two_sources_and_the_page_that_tells_of_them(
    tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart
) -> None:
    """Each source has its own connection and counters, and the page shows both."""
    ingress = Ingress(f"two{time.time_ns()}", tmp_path, kafka, mqtt_broker)
    port = free_port()
    ingress.settings = {"metrics": {"ingress_port": port}}
    ingress.more_sources = {"hall": {"server": mqtt_broker.server_address, "topics": [f"hall{ingress.name}/#"]}}
    ingress.reconfigure()
    ingress.start()
    publisher = await Publisher.connect(mqtt_broker.host, mqtt_broker.port_311, "two")
    await publisher.publish(f"{ingress.name}/d/up", [b"1", b"2"])
    await publisher.publish(f"hall{ingress.name}/d", [b"3"])
    await publisher.finish()

    records = await asyncio.to_thread(read, kafka, ingress.messages, 3)
    health = await asyncio.to_thread(get, f"http://127.0.0.1:{port}/readyz")
    await page_with(  # Kafka has a record before the ingress knows it
        f"http://127.0.0.1:{port}/metrics",
        'tidegate_ingress_messages_acknowledged_total{source="plant"} 2.0',
        'tidegate_ingress_messages_acknowledged_total{source="hall"} 1.0',
    )
    ingress.server.stop()

    assert sorted(each.value() or b"" for each in records) == [b"1", b"2", b"3"]
    assert health == "ok\n"


async def test_over_tls_nothing_waits_in_the_decrypted_bytes(
    tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart
) -> None:
    """Many packets in one TLS record arrive at once."""
    server_side = certificate(tmp_path)

    async def splice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours = await asyncio.open_connection(mqtt_broker.host, mqtt_broker.port)
        await asyncio.gather(pump(reader, ours[1]), pump(ours[0], writer), return_exceptions=True)

    port = free_port()
    behind = MqttPart(mqtt_broker.server, real=mqtt_broker.real, port=port, port_311=port)
    tls = {"ssl": {"enable": True, "cacertfile": str(tmp_path / "cert.pem")}}
    ingress = Ingress(f"tls{time.time_ns()}", tmp_path, kafka, behind, tls)
    async with await asyncio.start_server(splice, "127.0.0.1", port, ssl=server_side):
        ingress.server.ready = lambda: True
        ingress.start()
        await wait_for_line(ingress, "mqtt.connected")
        publisher = await Publisher.connect(mqtt_broker.host, mqtt_broker.port_311, "tls")
        await publisher.publish(f"{ingress.name}/d/up", [b"%d" % n for n in range(500)] + [bytes(1 << 20)])
        await publisher.finish()
        records = await asyncio.to_thread(read, kafka, ingress.messages, 501)
        await asyncio.to_thread(ingress.server.stop)

    assert [each.value() for each in records] == [b"%d" % n for n in range(500)] + [bytes(1 << 20)]


async def test_a_refusal_of_the_broker_is_told_in_its_words(tmp_path: Path, kafka: KafkaPart) -> None:
    """A wrong password makes one log line without the password, and the ingress keeps trying."""
    attempts = 0
    twice = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 2:
            twice.set()
        await reader.read(1000)
        writer.write(b"\x20\x03\x00\x86\x00")
        await writer.drain()
        writer.close()

    port = free_port()
    broker = MqttPart(Server("refusing", [], tmp_path / "x"), real=False, port=port, port_311=port)
    credentials = {"username": "anna", "password": "swordfish"}
    ingress = Ingress(f"refused{time.time_ns()}", tmp_path, kafka, broker, credentials)
    ingress.server.ready = lambda: True
    async with await asyncio.start_server(refuse, broker.host, port):
        ingress.start()
        line = await wait_for_line(ingress, "mqtt.disconnected")
        await twice.wait()
        ingress.server.stop()

    assert line["error"] == f"127.0.0.1:{port} refused the connection as 'anna': Bad user name or password"
    assert Counter(each["event"] for each in ingress.lines())["mqtt.disconnected"] <= 2
    assert "swordfish" not in ingress.server.log.read_text()
