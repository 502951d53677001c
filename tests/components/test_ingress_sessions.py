"""The ingress's session at a real broker: sizes, a second client with its clientid, passwords, restarts of the broker."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline.demo.process import free_port
from tests.components.ingress_process import (
    Ingress,
    assert_all_there,
    barrier,
    page_with,
    publish_load,
    read,
    under_load,
    wait_for_line,
)
from tests.components.mqtt_publisher import Publisher
from tests.parts import mosquitto
from tests.parts.commands import AT_DEBUG
from tests.parts.part import KafkaPart, MqttPart

pytestmark = pytest.mark.real

SIZES = [1, 2, 127, 128, 16_383, 16_384, 1 << 20, (2 << 20) + 1, 10 << 20]


def an_ingress(folder: Path, kafka: KafkaPart, broker: MqttPart, **source: object) -> Ingress:
    return Ingress(f"session{time.time_ns()}", folder, kafka, broker, source)


async def test_messages_of_one_byte_to_ten_megabytes(tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart) -> None:
    """Messages of all sizes arrive byte for byte in the device's order."""
    ingress = an_ingress(tmp_path, kafka, mqtt_broker)
    ingress.start()
    sent = [bytes([number]) * size for number, size in enumerate([*SIZES, *reversed(SIZES)])]
    publisher = await Publisher.connect(mqtt_broker.host, mqtt_broker.port_311, "sizes")
    await publisher.publish(f"{ingress.name}/sizes/up", sent)
    await publisher.finish()

    records = await asyncio.to_thread(read, kafka, ingress.messages, len(sent))
    ingress.server.stop()

    assert [len(each.value() or b"") for each in records] == [len(each) for each in sent]
    assert [each.value() for each in records] == sent


async def test_a_message_of_any_size_takes_little_memory(
    tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart
) -> None:
    """A broker without a limit passes on what a device sends. The dead letter tells the whole, and the process stays small."""
    ingress = an_ingress(tmp_path, kafka, mqtt_broker)
    ingress.kafka_settings = {"max_message_bytes": 10_000}
    ingress.reconfigure()
    ingress.start()
    payload, before = bytes(60 << 20), ingress.memory_peak_bytes()
    publisher = await Publisher.connect(mqtt_broker.host, mqtt_broker.port_311, "huge")
    await publisher.publish(f"{ingress.name}/huge/up", [payload, b"after"])
    await publisher.finish()

    (record,) = await asyncio.to_thread(read, kafka, ingress.messages, 1)
    (dead,) = await asyncio.to_thread(read, kafka, ingress.dead, 1)
    peak = ingress.memory_peak_bytes()
    ingress.server.stop()

    headers = dict(dead.headers() or [])
    size, digest = (bytes(headers[f"dead_letter.{name}"] or b"") for name in ("size", "sha256"))  # type: ignore[arg-type]
    assert record.value() == b"after"
    assert (int(size), digest.decode()) == (len(payload), hashlib.sha256(payload).hexdigest())
    assert peak - before < 20 << 20


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_another_client_with_its_name_costs_no_message(
    tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart, protocol: str
) -> None:
    """If another client repeatedly takes its clientid, the ingress reconnects, logs why, and loses nothing."""
    ingress = an_ingress(tmp_path, kafka, mqtt_broker, protocol=protocol, clientid=f"ingress-{protocol}")
    ingress.start()

    await steal(mqtt_broker, f"ingress-{protocol}")
    await wait_for_line(ingress, "mqtt.connected", count=2)
    with under_load(ingress, devices=4, messages=2000, rate=800) as load:
        for number in range(3):
            await steal(mqtt_broker, f"ingress-{protocol}")
            await wait_for_line(ingress, "mqtt.connected", count=number + 3)
        acknowledged = await asyncio.to_thread(load.result)
    await asyncio.to_thread(assert_all_there, ingress, acknowledged)
    ingress.server.stop()

    told = [line.get("error", line["reason"]) for line in ingress.lines() if line["event"] == "mqtt.disconnected"]
    lost = f"the connection to {mqtt_broker.host}:{mqtt_broker.port} was lost: "
    # mosquitto closes without a word. Under load a reset may come first, for acknowledgements that it did not read any more.
    assert len(told) == 5
    assert told[0] == f"{lost}the broker closed it"
    assert set(told[1:4]) <= {
        f"{lost}{how}" for how in ("the broker closed it", "connection reset by peer", "sending failed")
    }
    assert told[-1] == "stopped"


async def steal(broker: MqttPart, clientid: str) -> None:
    """Connect under a used clientid with its session, acknowledge nothing, and leave."""
    name = clientid.encode()
    rest = b"\x00\x04MQTT\x05\x00\x00\x3c\x05\x11\x00\x00\x0e\x10" + len(name).to_bytes(2, "big") + name
    reader, writer = await asyncio.open_connection(broker.host, broker.port)
    writer.write(bytes([0x10, len(rest)]) + rest)
    await writer.drain()
    assert (await reader.readexactly(1))[0] == 0x20
    writer.close()


async def test_the_page_counts_what_became_of_messages(tmp_path: Path, kafka: KafkaPart) -> None:
    """The page counts messages as received, redelivered, acknowledged, produced and dropped, and the window ends empty."""
    broker = mosquitto.start(tmp_path)
    ingress = an_ingress(tmp_path, kafka, broker, retained="never", qos=1)
    port = free_port()
    ingress.settings = {"metrics": {"ingress_port": port}}
    ingress.reconfigure()
    ingress.start()
    kafka.pause()
    publisher = await Publisher.connect(broker.host, broker.port_311, "counted")
    await publisher.publish(f"{ingress.name}/counted/up", [b"counted:%d" % number for number in range(100)])
    await publisher.finish()
    url = f"http://127.0.0.1:{port}/metrics"
    held = await page_with(url, 'tidegate_ingress_window_messages{source="plant"} 100.0')
    ingress.server.kill()
    kafka.resume()
    ingress.start()
    lines = (
        'messages_acknowledged_total{source="plant"} 100.0',
        'messages_received_total{source="plant"} 100.0',
        'messages_redelivered_total{source="plant"} 100.0',
        'records_produced_total{source="plant"} 100.0',
        'window_messages{source="plant"} 0.0',
        'acknowledgement_lag_seconds{source="plant"} 0.0',
        'connected{source="plant"} 1.0',
    )
    await page_with(url, *(f"tidegate_ingress_{line}" for line in lines))
    ingress.server.stop()
    broker.stop()

    lag = re.search(r'acknowledgement_lag_seconds\{source="plant"\} (\S+)', held)
    assert lag is not None
    assert float(lag[1]) > 0


async def test_a_device_that_claims_another_s_id_does_not_land_under_it(tmp_path: Path, kafka: KafkaPart) -> None:
    """In strict mode, neither topic nor payload lets a device use another clientid."""
    rules = tmp_path / "acl"
    rules.write_text("topic read #\npattern write plant/%c/#\n")
    broker = mosquitto.start(tmp_path, more=f"acl_file {rules}\n")
    ways = [{"topic": "plant/{clientid}/up"}]
    ingress = an_ingress(tmp_path, kafka, broker, topics=["plant/#"], strict_clientid=True, clientid_from=ways)
    ingress.start()
    for name, topic in (("victim", "victim"), ("evil", "victim"), ("evil", "evil")):
        publisher = await Publisher.connect(broker.host, broker.port_311, name)
        await publisher.publish(f"plant/{topic}/up", [b'{"clientid": "victim", "by": "%s"}' % name.encode()])
        await publisher.finish()

    records = await asyncio.to_thread(read, kafka, ingress.messages, 2)
    ingress.server.stop()
    broker.stop()

    said = b'{"clientid": "victim", "by": "%s"}'
    assert sorted((each.key(), each.value()) for each in records) == [
        (b"evil", said % b"evil"),
        (b"victim", said % b"victim"),
    ]


async def test_user_name_and_password(tmp_path: Path, kafka: KafkaPart) -> None:
    """A wrong password is logged, but not its text, even at debug. The ingress tries on until the file has the right one."""
    passwords = tmp_path / "passwords"
    passwords.touch()
    command = ["mosquitto_passwd", "-b", str(passwords), "anna", "swordfish"]
    await asyncio.to_thread(subprocess.run, command, check=True)
    broker = mosquitto.start(tmp_path, more=f"password_file {passwords}\n")
    secret = tmp_path / "secret"
    secret.write_text("cod")
    ingress = an_ingress(tmp_path, kafka, broker, username="anna", password=f"file://{secret}")
    ingress.server.command = [sys.executable, "-c", AT_DEBUG, "ingress", "-c", str(tmp_path / "ingress.yaml")]
    ingress.server.ready = lambda: True
    ingress.start()

    line = await wait_for_line(ingress, "mqtt.disconnected")
    secret.write_text("swordfish")
    await wait_for_line(ingress, "mqtt.connected")
    ingress.server.stop()
    broker.stop()

    assert "refused the connection as 'anna'" in line["error"]
    assert not {"cod", "swordfish"} & set(ingress.server.log.read_text().replace('"', " ").split())


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_broker_that_keeps_its_sessions_is_restarted(tmp_path: Path, kafka: KafkaPart, protocol: str) -> None:
    """Messages wait in the session over a restart of the broker, and then arrive once."""
    broker = mosquitto.start(tmp_path, persistence=True)
    ingress = an_ingress(tmp_path, kafka, broker, protocol=protocol)
    ingress.start()
    first = await publish_load(ingress, devices=2, messages=50, rate=0)
    await asyncio.to_thread(assert_all_there, ingress, first)
    ingress.server.stop()

    publisher = await Publisher.connect(broker.host, broker.port_311, "away")
    await publisher.publish(f"{ingress.name}/away/up", (b"away:%d" % number for number in range(300)))
    await publisher.finish()
    broker.stop()
    broker.start()
    ingress.start()
    records = await asyncio.to_thread(assert_all_there, ingress, {**first, "away": 300})
    ingress.server.stop()
    broker.stop()

    assert max(Counter(each.value() for each in records).values()) == 1


async def test_filters_that_overlap_bring_a_message_once(
    tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart
) -> None:
    """Also retained ones, and those that the session kept."""
    ingress = an_ingress(tmp_path, kafka, mqtt_broker)
    ingress.start()
    name = ingress.name
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "d")
    await publisher.publish(f"{name}/d/up", [b"retained"], retain=True)
    await asyncio.to_thread(read, ingress.kafka, ingress.messages, 1)
    for number, filters in enumerate(
        (
            [f"{name}/#", f"{name}/+/up", f"{name}/d/up", f"$share/g/{name}/#"],
            [f"{name}/d/+", f"{name}/+/up", f"$share/g/{name}/#"],
        )
    ):
        await asyncio.to_thread(ingress.server.stop)
        ingress.reconfigure(topics=filters, retained="first", clientid=f"{name}-{number}")
        ingress.start()
        await publisher.publish(f"{name}/d/up", [b"now"])
        await asyncio.to_thread(read, ingress.kafka, ingress.messages, 3 * number + 3)
        await asyncio.to_thread(ingress.server.stop)
        await publisher.publish(f"{name}/d/up", [b"later"])
        ingress.start()
        await asyncio.to_thread(
            read, ingress.kafka, ingress.messages, 3 * number + 4
        )  # before the session has another name
    await publisher.finish()

    records = await barrier(ingress, 7)
    await asyncio.to_thread(ingress.server.stop)
    assert Counter(each.value() for each in records) == {b"retained": 3, b"now": 2, b"later": 2}
