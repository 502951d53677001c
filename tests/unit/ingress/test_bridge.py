"""The bridge between a played connection and a played producer: records and acknowledgements."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import orjson
import pytest

from ingress.bridge import QOS0_QUEUE_MAX, Bridge
from ingress.events.emqx_sys import EmqxSysAdapter
from pipeline.config import KafkaConfig, MqttSource
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.mqtt.connection import Connection
from pipeline.errors import ConnectorError
from pipeline.mqtt.packets import CUT, CutPayload
from pipeline.mqtt.properties import SUBSCRIPTION_IDENTIFIER
from tests.parts.played_kafka import DENIED, TOO_LARGE, PlayedKafka
from tests.parts.sparkplug import BIRTH, DATA

QOS0, QOS1 = 0x30, 0x32


@dataclass
class PlayedBroker:
    acknowledged: list[int] = field(default_factory=list)
    reading: bool = True
    retained_wanted: bool = True
    identifies: bool = True
    error: ConnectorError | None = None

    def acknowledge(self, mids: list[int]) -> None:
        self.acknowledged += mids

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True

    def abort(self, error: ConnectorError) -> None:
        self.error = error


def bridged(
    *adapters: EmqxSysAdapter, window: int = 100, topics: tuple[str, ...] = ("t/#",)
) -> tuple[Bridge, PlayedKafka, PlayedBroker]:
    source = MqttSource.model_validate({"server": "h:1", "topics": list(topics), "window": window})
    kafka, broker = PlayedKafka(), PlayedBroker()
    bridge = Bridge(
        "plant",
        source,
        adapters,
        KafkaConfig(bootstrap_servers="k:1"),
        cast(Producer, kafka),  # type: ignore[call-arg]
    )
    bridge.attach(cast(Connection, broker))
    return bridge, kafka, broker


def message(mid: int, payload: bytes = b"x", *, topic: bytes = b"t/d") -> tuple[bytes, bytes, int, int, bytes]:
    return topic, payload, QOS1 if mid else QOS0, mid, b""


def test_nothing_is_acknowledged_before_kafka_has_it() -> None:
    """Records leave in order of arrival, and acknowledgements follow Kafka's answers in that order."""
    bridge, kafka, broker = bridged()
    bridge.on_batch([message(1, b"a"), message(2, b"b")])
    kafka.sweep()
    assert broker.acknowledged == []
    assert [record.value for _, record, _ in kafka.sent] == [b"a", b"b"]

    kafka.answer(None, None)

    assert broker.acknowledged == [1, 2]
    assert bridge.empty.is_set()


def test_a_full_window_stops_reading_until_there_is_room() -> None:
    """One read may exceed the window, and reading goes on after Kafka has answered."""
    bridge, kafka, broker = bridged(window=2)
    bridge.on_batch([message(1), message(2), message(3)])
    assert not broker.reading
    assert len(kafka.sent) == 3

    kafka.answer(None, None, None)

    assert broker.reading


def test_a_refused_record_is_judged_alone_and_then_a_dead_letter() -> None:
    """A refused record is sent alone, then to the dead letter topic, and is acknowledged after that."""
    bridge, kafka, broker = bridged()
    bridge.on_batch([message(1, b"large"), message(2)])
    kafka.answer(TOO_LARGE, None)
    (topic, _, on_delivery) = kafka.alone[0]
    assert (topic, broker.acknowledged) == ("mqtt.messages", [])

    on_delivery(TOO_LARGE, None)
    kafka.sweep()
    (topic, record, on_delivery) = kafka.alone[1]
    assert (topic, record.value, broker.acknowledged) == ("tidegate.dead-letter", b"large", [])

    on_delivery(None, None)
    kafka.sweep()
    assert broker.acknowledged == [1, 2]


def test_a_dead_letter_that_is_refused_too_ends_the_connection() -> None:
    """After two refused dead letters nothing is acknowledged, and the broker keeps the message."""
    bridge, kafka, broker = bridged()
    bridge.on_batch([message(1, b"large" * 10_000)])
    kafka.answer(TOO_LARGE)
    for tried in (0, 1):
        kafka.alone[tried][2](TOO_LARGE, None)
        kafka.sweep()

    assert len(kafka.alone) == 2
    assert len(kafka.alone[1][1].value) == 0
    assert broker.error is not None
    assert broker.acknowledged == []


def test_an_error_that_is_not_the_records_ends_the_connection() -> None:
    """The broker delivers the message again, and the old connection's messages are released when Kafka has answered for all."""
    bridge, kafka, broker = bridged()
    bridge.on_batch([message(1), message(2), message(0)])
    kafka.answer(DENIED, None, None)

    assert broker.error is not None
    assert "TOPIC_AUTHORIZATION_FAILED" in str(broker.error)
    assert broker.acknowledged == []
    assert bridge.empty.is_set()


def test_qos_0_has_a_bounded_queue() -> None:
    """QoS 0 messages beyond the bound are dropped, and QoS 1 messages are not."""
    bridge, kafka, _ = bridged(window=60_000)
    bridge.on_batch([message(0)] * (QOS0_QUEUE_MAX + 5) + [message(7)])

    assert len(kafka.sent) == QOS0_QUEUE_MAX + 1
    assert kafka.sent[-1][2].mid == 7


def test_a_message_for_an_adapter_is_acknowledged_after_its_events() -> None:
    """A message that only an adapter wants becomes an event and not a message."""
    bridge, kafka, broker = bridged(EmqxSysAdapter())
    payload = b'{"clientid":"c","reason":"kicked"}'
    bridge.on_batch([message(4, payload, topic=b"$SYS/brokers/n/clients/c/disconnected")])
    assert [(topic, record.key) for topic, record, _ in kafka.sent] == [("mqtt.events", b"c")]
    assert orjson.loads(kafka.sent[0][1].value)["reason"] == "kicked"

    kafka.answer(None)

    assert broker.acknowledged == [4]


def test_an_event_that_cannot_be_written_is_a_dead_letter() -> None:
    """A message whose event nests too deeply for JSON goes unchanged to the dead letter topic."""
    bridge, kafka, _ = bridged(EmqxSysAdapter())
    payload = b'{"clientid":"c","conn_props":' + b"[" * 300 + b"]" * 300 + b"}"
    bridge.on_batch([message(4, payload, topic=b"$SYS/brokers/n/clients/c/connected")])

    ((topic, record, _),) = kafka.sent
    assert (topic, record.value) == ("tidegate.dead-letter", payload)


@pytest.mark.parametrize("retain", [0, 1])
@pytest.mark.parametrize("apart", [True, False])
def test_a_message_of_two_subscriptions_becomes_one_record(apart: bool, retain: int) -> None:
    """Copies of filters that overlap are acknowledged, and only the first filter's makes a record."""
    bridge, kafka, broker = bridged(topics=("a/+", "+/b"))
    first, second = (((SUBSCRIPTION_IDENTIFIER, each),) for each in bridge.subscribed.identifiers)
    copies = [second, first] if apart else [second + first]
    bridge.on_batch([(b"a/b", b"x", QOS1 | retain, mid, each) for mid, each in enumerate(copies, 1)])
    bridge.on_batch([(b"z/b", b"y", QOS1, 9, second)])
    kafka.answer(None, None)

    assert broker.acknowledged == [*range(1, len(copies) + 1), 9]
    assert bridge.take_unwanted() == []


@pytest.mark.parametrize("identifiers", [(), ((SUBSCRIPTION_IDENTIFIER, 7),)])
def test_a_copy_of_an_earlier_subscription_counts_and_ends_it(identifiers: tuple[tuple[int, int], ...]) -> None:
    """Nobody knows whether another copy comes, so none is lost; the topic is asked about once."""
    bridge, kafka, _ = bridged(topics=("a/+", "+/b"))
    for mid in (1, 2):
        bridge.on_batch([(b"a/b", b"x", QOS1, mid, identifiers)])

    assert len(kafka.sent) == 2
    assert bridge.take_unwanted() == ["a/b"]


@pytest.mark.parametrize("topic", [b"$SYS/brokers/n/clients/c/subscribed", b"other/topic"])
def test_a_message_that_nobody_wants_is_acknowledged(topic: bytes) -> None:
    """An unwanted message makes no record, and is acknowledged in order of arrival."""
    bridge, kafka, broker = bridged(EmqxSysAdapter())
    bridge.on_batch([message(1), message(2, topic=topic)])
    kafka.sweep()
    assert broker.acknowledged == []

    kafka.answer(None)

    assert broker.acknowledged == [1, 2]
    assert bridge.take_unwanted() == (["other/topic"] if topic == b"other/topic" else [])


def test_a_birth_is_acknowledged_when_kafka_has_its_names_too() -> None:
    """The table goes before the message; data after it has the names at once."""
    source = MqttSource.model_validate({"server": "h:1", "topics": ["spBv1.0/#"], "sparkplug_aliases": True})
    kafka, broker = PlayedKafka(), PlayedBroker()
    bridge = Bridge("plant", source, [], KafkaConfig(bootstrap_servers="k:1"), cast(Producer, kafka))
    bridge.attach(cast(Connection, broker))

    bridge.on_batch(
        [
            (b"spBv1.0/g/NBIRTH/n", BIRTH, QOS1, 1, ()),
            (b"spBv1.0/g/NDATA/n", DATA, QOS1, 2, ()),
            (b"spBv1.0/g/NDATA/n", b"", QOS1, 3, ()),
        ]
    )
    (first, _, table_answer), (second, _, birth_answer), (_, data, _), (_, empty, _) = kafka.sent
    birth_answer(None, None)
    kafka.sweep()
    before = list(broker.acknowledged)
    table_answer(None, None)
    kafka.sweep()

    assert (first, second) == ("tidegate.aliases", "mqtt.messages")
    assert dict(data.headers)["metrics"] == b'{"5":["temp",10],"6":["on",null]}'
    assert "metrics" not in dict(empty.headers)
    assert before == []
    assert broker.acknowledged == [1]


def test_a_message_that_was_too_large_to_keep_is_a_dead_letter() -> None:
    """It tells the size and the digest of the whole, and the message is acknowledged when Kafka has the letter."""
    bridge, kafka, broker = bridged()
    kafka.dead_letter_bytes_max = 20_000
    whole = CutPayload(300_000_000, "ab" * 32)
    pairs = ((0x26, (b"a", b"b")), (CUT, whole))
    bridge.on_batch([(b"t/d", b"x" * 50_000, QOS1, 1, pairs), message(2)])
    (topic, letter, _), (other, *_) = kafka.sent
    headers, before = dict(letter.headers), list(broker.acknowledged)
    kafka.answer(None, None)

    assert (topic, other) == ("tidegate.dead-letter", "mqtt.messages")
    assert (headers["dead_letter.cause"], headers["topic"]) == (b"msg_size_too_large", b"t/d")
    assert (headers["dead_letter.size"], headers["dead_letter.sha256"]) == (b"300000000", b"ab" * 32)
    assert orjson.loads(headers["pub_props"])["User-Property"] == {"a": "b"}
    assert 18_000 < len(letter.value) < 20_000
    assert (before, broker.acknowledged) == ([], [1, 2])
