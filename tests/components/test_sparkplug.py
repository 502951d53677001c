"""Aliases of Sparkplug B between a real broker and a real Kafka: names outlive the ingress."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.demo.process import Server, free_port
from pipeline.record import Outgoing
from pipeline.rule.rule_set import RuleSet
from tests.components.ingress_process import Ingress, read, records_with
from tests.components.listener_parts import Device, Listening
from tests.components.mqtt_publisher import Publisher
from tests.parts.part import KafkaPart, MqttPart
from tests.parts.records import consumed
from tests.parts.sparkplug import BIRTH, DATA
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.real

RULE = """
FOREACH spb_decode(payload) AS s, s.metrics AS m DO m.name AS name, m.double_value AS value FROM "spBv1.0/+/DDATA/#"
"""


def of_kafka(message: Any) -> Any:
    """A record as a worker reads it."""
    return consumed(
        Outgoing(message.key() or b"", message.value() or b"", list(message.headers() or ()), message.timestamp()[1])
    )


async def test_names_outlive_a_restart_of_the_ingress(tmp_path: Path, kafka: KafkaPart, mqtt_broker: MqttPart) -> None:
    """After a kill, data that was never preceded by a birth in this process has the names, at each reading."""
    group = f"plant{tmp_path.name}"
    ingress = Ingress(
        f"sparkplug-{tmp_path.name}",
        tmp_path,
        kafka,
        mqtt_broker,
        {"topics": [f"spBv1.0/{group}/#"], "sparkplug_aliases": True, "clientid_from": []},
        {"aliases_topic": f"aliases-{tmp_path.name}"},
    )
    ingress.start()
    publisher = await Publisher.connect(mqtt_broker.host, mqtt_broker.port_311, "edge")
    await publisher.publish(f"spBv1.0/{group}/DBIRTH/n/d", [BIRTH])
    await asyncio.to_thread(read, kafka, ingress.messages, 1)
    ingress.server.kill()
    await publisher.publish(f"spBv1.0/{group}/DDATA/n/d", [DATA])
    await publisher.finish()
    ingress.start()
    # The broker may send the birth again, which the kill kept from being acknowledged.
    records = await records_with(ingress, DATA, 2)
    tables = await asyncio.to_thread(read, kafka, f"aliases-{tmp_path.name}", 1)
    ingress.server.stop()
    rules = RuleSet({"r": RULE}, node="n")
    got = [of_kafka(each) for each in records]
    first, again = rules.evaluate(got), rules.evaluate(got)

    assert [orjson.loads(each.value() or b"") for each in tables] == [[[5, "temp", 10], [6, "on", None]]]
    assert [row["name"] for row in first.rows] == ["temp", "on", "other"]
    assert again.rows == first.rows
    assert [line["tables"] for line in ingress.lines() if line["event"] == "sparkplug.restored"] == [0, 1]


@pytest.mark.parametrize(
    "listening", [lambda folder: {"topics": ["spBv1.0/#"], "sparkplug_aliases": True}], indirect=True
)
def test_a_birth_at_one_process_names_the_data_at_another(listening: Listening, tmp_path: Path) -> None:
    """A device that comes back to another process behind a load balancer goes on with its aliases."""
    port, folder = free_port(), tmp_path / "other"
    folder.mkdir()
    door = MqttPart(Server("none", [], folder / "none.log"), real=True, port=port, port_311=port)
    other = Listening(listening.name, folder, listening.kafka, door, {**listening.source, "bind": f"127.0.0.1:{port}"})
    other.start()
    rules = RuleSet({"r": RULE}, node="n")
    at_one, at_another = Device(listening, "edge"), Device(other, "edge")
    sent = 1

    def names() -> list[Any]:
        """What data that is sent now at the other process is called."""
        nonlocal sent
        at_another.client.publish("spBv1.0/plant/DDATA/n/d", DATA, qos=1)
        sent += 1
        records = read(listening.kafka, listening.messages, sent)
        return [row["name"] for row in rules.evaluate([of_kafka(records[-1])]).rows]

    try:
        at_one.connect()
        at_one.client.publish("spBv1.0/plant/DBIRTH/n/d", BIRTH, qos=1)
        at_one.next("publish")
        at_one.leave()
        at_another.connect()

        wait_until(lambda: names() == ["temp", "on", "other"], 15, other.server.tail)
        at_another.leave()
    finally:
        other.server.stop()
