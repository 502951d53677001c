"""Several ingress processes on one broker, and ways to reach a broker: their effect on loss and order."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message

from pipeline.demo.process import free_port
from tests.components.ingress_process import (
    Ingress,
    assert_all_there,
    first_sequences,
    get,
    missing,
    read,
    under_load,
    wait_for_line,
)
from tests.components.mqtt_publisher import Publisher
from tests.parts import mosquitto
from tests.parts.certificates import certificate
from tests.parts.part import KafkaPart, MqttPart
from tests.parts.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.slow]

Start = Callable[..., Ingress]


@pytest.fixture
def start(tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart) -> Iterator[Start]:
    """Start processes of one pipeline, each with its own settings of the source. Stops them at the end."""
    name = f"scale{time.time_ns()}"
    started: list[Ingress] = []

    def begin(broker: MqttPart = mqtt_broker, **source: Any) -> Ingress:
        folder = tmp_path / str(len(started))
        folder.mkdir()
        settings = {"metrics": {"ingress_port": free_port()}}
        process = Ingress(name, folder, kafka, broker, source, {"session_timeout": "6s"}, settings)
        process.start()
        started.append(process)
        return process

    yield begin
    for process in started:
        process.server.stop()


def page(process: Ingress, path: str = "metrics") -> str:
    return get(f"http://127.0.0.1:{process.settings['metrics']['ingress_port']}/{path}")


def received(process: Ingress) -> int:
    found = re.search(r"^tidegate_ingress_messages_received_total\{.*\} (\S+)$", page(process), re.MULTILINE)
    return int(float(found[1])) if found else 0


async def test_a_stand_by_takes_over_and_nothing_is_lost_or_out_of_order(start: Start) -> None:
    """After a kill of the leader, the stand-by continues its session without loss and in order."""
    leader = start(standby=True)
    await wait_for_line(leader, "mqtt.connected")
    other = start(standby=True)
    assert page(other, "readyz") == "ok\n"

    with under_load(leader, devices=4, messages=4000, rate=500) as load:
        wait_until(lambda: received(leader) > 1000, 30, lambda: "no load")
        assert received(other) == 0
        leader.server.kill()
        acknowledged = load.result()

    assert_all_there(leader, acknowledged)
    assert received(other) > 0


async def test_a_leader_that_leaves_in_order_hands_over_at_once(start: Start) -> None:
    """After an orderly stop, the stand-by connects long before the session timeout, without a redelivery."""
    leader = start(standby=True)
    await wait_for_line(leader, "mqtt.connected")
    other = start(standby=True)

    leader.server.stop()
    await wait_for_line(other, "mqtt.connected", seconds=20)
    publisher = await Publisher.connect(leader.broker.host, leader.broker.port_311, "after")
    await publisher.publish(f"{leader.name}/d/up", [b"d:0"])
    await publisher.finish()

    assert [each.value() for each in read(leader.kafka, leader.messages, 1)] == [b"d:0"]


async def test_disjoint_filters_share_the_work_and_keep_the_order(start: Start) -> None:
    """Two processes with half of the devices each keep the order."""
    name = start(topics=["nothing/#"], clientid="none").name
    halves = [
        start(topics=[f"{name}/d{first}/#", f"{name}/d{first + 1}/#"], clientid=f"half{first}") for first in (0, 2)
    ]

    with under_load(halves[0], devices=4, messages=1000, rate=1000) as load:
        acknowledged = load.result()

    assert_all_there(halves[0], acknowledged)
    assert [received(each) for each in halves] == [2000, 2000]


async def test_a_shared_subscription_loses_nothing_and_keeps_no_order(start: Start) -> None:
    """In a shared subscription nothing is lost, messages of a stopped process wait for it, and the order is not kept."""
    first = start(topics=["nothing/#"], clientid="none")
    filters = [f"$share/group/{first.name}/#"]
    pair = [start(topics=filters, clientid=f"member{number}") for number in range(2)]

    with under_load(first, devices=3, messages=2000, rate=800) as load:
        wait_until(lambda: received(pair[1]) > 200, 30, lambda: "no share")
        pair[1].server.stop()
        acknowledged = load.result()
    pair[1].start()

    records = list[Message]()

    def all_there() -> bool:
        records[:] = read(first.kafka, first.messages, sum(acknowledged.values()))
        return not missing(records, acknowledged)

    wait_until(all_there, 60, lambda: f"not in Kafka, though acknowledged: {missing(records, acknowledged)}")
    found = first_sequences(records)
    assert 0 < received(pair[0]) < sum(acknowledged.values())
    assert any(numbers != sorted(numbers) for numbers in found.values())


@pytest.mark.parametrize("transport", ["tcp", "websockets"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_a_broker_that_asks_for_a_certificate_gets_it(
    tmp_path: Path, start: Start, transport: str, protocol: str
) -> None:
    """A client certificate works over plain TLS and over WebSocket, with messages of all sizes."""
    certificate(tmp_path)
    port = free_port()
    files = f"cafile {tmp_path}/cert.pem\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem\n"
    kind = {"tcp": "mqtt"}.get(transport, transport)
    secure = f"listener {port} 127.0.0.1\nprotocol {kind}\n{files}require_certificate true\n"
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = mosquitto.start(folder, more=secure)
    try:
        tls = {"enable": True, **{f"{what}file": str(tmp_path / f"{what[:4]}.pem") for what in ("cert", "key")}}
        tls["cacertfile"] = str(tmp_path / "cert.pem")
        reached = MqttPart(broker.server, real=True, port=port, port_311=port)
        ingress = start(reached, transport=transport, protocol=protocol, ssl=tls)
        publisher = await Publisher.connect(broker.host, broker.port_311, "sizes")
        payloads = [b"%d" % number for number in range(300)] + [b"", b"x", bytes(300_000), b"last"]
        await publisher.publish(f"{ingress.name}/d/up", payloads)
        await publisher.finish()

        assert [each.value() or b"" for each in read(ingress.kafka, ingress.messages, len(payloads))] == payloads
        ingress.server.stop()
    finally:
        broker.stop()


async def test_a_certificate_that_cannot_be_used_is_told_by_its_name(
    tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart
) -> None:
    """The log names the files of a bad certificate, and the process keeps trying."""
    certificate(tmp_path)
    (tmp_path / "key.pem").write_text("no key", encoding="utf-8")
    files = {f"{what}file": str(tmp_path / f"{what}.pem") for what in ("cert", "key")}
    ingress = Ingress(f"cert{time.time_ns()}", tmp_path, kafka, mqtt_broker, {"ssl": {"enable": True, **files}})
    ingress.server.ready = lambda: True
    ingress.start()
    line = await wait_for_line(ingress, "mqtt.disconnected")
    ingress.server.stop()

    assert f"cannot use {files['certfile']} with [redacted]" in line["error"]
