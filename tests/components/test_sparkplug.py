"""Aliases of Sparkplug B between a real broker and a real Kafka: names outlive the ingress."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from pipeline.record import Outgoing
from pipeline.rule.rule_set import RuleSet
from tests.components.ingress_process import Ingress, read
from tests.components.mqtt_publisher import Publisher
from tests.parts.part import KafkaPart, MqttPart
from tests.parts.records import consumed
from tests.parts.sparkplug import BIRTH, DATA

pytestmark = pytest.mark.real

RULE = """
FOREACH spb_decode(payload) AS s, s.metrics AS m DO m.name AS name, m.double_value AS value FROM "spBv1.0/+/DDATA/#"
"""


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
    records = await asyncio.to_thread(read, kafka, ingress.messages, 2)
    tables = await asyncio.to_thread(read, kafka, f"aliases-{tmp_path.name}", 1)
    ingress.server.stop()
    rules = RuleSet({"r": RULE}, node="n")
    got = [
        consumed(Outgoing(each.key() or b"", each.value() or b"", list(each.headers() or ()), each.timestamp()[1]))
        for each in records
    ]
    first, again = rules.evaluate(got), rules.evaluate(got)

    assert [orjson.loads(each.value() or b"") for each in tables] == [[[5, "temp", 10], [6, "on", None]]]
    assert [row["name"] for row in first.rows] == ["temp", "on", "other"]
    assert again.rows == first.rows
    assert [line["tables"] for line in ingress.lines() if line["event"] == "sparkplug.restored"] == [0, 1]
