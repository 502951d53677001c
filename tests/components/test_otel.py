"""The trace of a device goes on: from its message through Kafka to the object, and as spans to a collector."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.demo.process import Server
from tests.components.pipeline_parts import Make, Pipeline, aggregated, direct
from tests.faults import checkers
from tests.parts.collector import Collector, collecting
from tests.parts.part import MqttPart
from tests.parts.waiting import patient, wait_until

ROWS = 'SELECT payload.n AS n, clientid, traceparent FROM "{topics}"'
SAMPLED, UNSAMPLED = (f"00-{'a' * 31}{number}-{'b' * 15}{number}-0{number}" for number in (1, 2))
THE_TRACE = SAMPLED.split("-")[1], SAMPLED.split("-")[2]


@contextmanager
def traced(make: Make, broker: MqttPart, collector: Collector) -> Iterator[Pipeline]:
    """A pipeline with both kinds of actions, an ingress and a worker, which send their spans to the collector."""
    name = f"otel-{collector.status}"
    pipeline = make(
        actions={
            "each": direct(name, "each/${n}", metadata={"traceparent": "${traceparent}"}),
            "all": aggregated(name, "all/${partition}-${offset}.jsonl"),
        },
        partitions=1,
        otel={"endpoint": collector.url, "headers": {"Authorization": "Bearer let-me-in"}},
    )
    topics = f"{pipeline.name}/#"
    pipeline.rules = {"rows": (ROWS.format(topics=topics), ["each", "all"])}
    pipeline.sources = {"mqtt": {"plant": {"server": broker.server_address, "topics": [topics]}}}
    pipeline.prepare(name)
    command = [sys.executable, "-m", "pipeline.cli", "ingress", "-c", str(pipeline.config()), "--log", "json"]
    log = pipeline.folder / "ingress.log"
    ingress = Server(
        "ingress",
        command,
        log,
        lambda: "ingress.ready" in log.read_text(errors="replace"),
        folder=Path.cwd(),
        ready_seconds=patient(30),
        stop_seconds=patient(30),
    )
    ingress.start()
    try:
        pipeline.worker()
        yield pipeline
    finally:
        ingress.stop()
        pipeline.stop()


def publish(broker: MqttPart, topic: str, traces: list[str]) -> None:
    """Publish a message for each trace; "" has none."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "traced", protocol=paho.MQTTv5)
    client.connect(broker.host, broker.port)
    client.loop_start()
    for number, trace in enumerate(traces):
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = [("traceparent", trace)] if trace else [("other", "x")]
        client.publish(topic, b'{"n": %d}' % number, qos=1, properties=properties).wait_for_publish(patient(10))
    client.disconnect()
    client.loop_stop()


def test_a_trace_reaches_its_objects_and_the_collector(make: Make, mqtt_broker: MqttPart) -> None:
    """Rows and metadata have valid traces only; spans of objects and batches belong to the trace that its sender records."""
    with collecting() as collector:
        with traced(make, mqtt_broker, collector) as pipeline:
            publish(mqtt_broker, f"{pipeline.name}/x", [SAMPLED, UNSAMPLED, "wrong", ""])
            wait_until(lambda: pipeline.logs()[0][1] == 4, 20, pipeline.tails)
            for action in ("each", "all"):
                pipeline.wait_for_no_lag(action)
            keys = sorted(checkers.data_objects(pipeline.objects("otel-200")))
            told: list[Any] = [
                pipeline.store.head_object(Bucket="otel-200", Key=f"each/{number}")["Metadata"].get("traceparent")
                for number in range(4)
            ]

    assert told == [SAMPLED, UNSAMPLED, "undefined", "undefined"]
    assert collector.tokens == {"Bearer let-me-in"}
    (of_batch,) = collector.named("send ")
    objects = {each.facts["aws.s3.key"]: each for each in collector.named("write object")}
    assert objects.keys() == {"each/0", keys[0]}
    for span in (of_batch, *objects.values()):
        assert span.links == [THE_TRACE]
        assert not span.failed
        assert span.facts["service.name"] == "tidegate"
        assert span.facts["tidegate.pipeline"] == pipeline.name
    assert (objects["each/0"].trace_id, objects["each/0"].parent) == THE_TRACE
    assert objects[keys[0]].parent == ""
    assert objects[keys[0]].facts["tidegate.process"] == "worker"
    assert of_batch.facts["tidegate.process"] == "ingress"


def test_a_collector_that_fails_delays_nothing(make: Make, mqtt_broker: MqttPart) -> None:
    """Objects are written, processes end in time, and the log says once that the collector is lost."""
    with collecting() as collector:
        collector.status = 503
        with traced(make, mqtt_broker, collector) as pipeline:
            publish(mqtt_broker, f"{pipeline.name}/x", [SAMPLED, SAMPLED])
            wait_until(lambda: pipeline.logs()[0][1] == 2, 20, pipeline.tails)
            for action in ("each", "all"):
                pipeline.wait_for_no_lag(action)

    log = (pipeline.folder / "worker-0.log").read_text()
    assert (log.count("otel.disconnected"), log.count("otel.connected")) == (1, 0)
    assert collector.spans == []
