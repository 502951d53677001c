"""The listener's inbox with a played Kafka: records, acknowledgements, and clients that wait for room."""

from __future__ import annotations

import time

import pytest
from prometheus_client import REGISTRY

from ingress.listener.identity import may_publish, permitted
from ingress.listener.words import QOS2, REASON_SHIFT
from pipeline.mqtt.reasons import NOT_AUTHORIZED
from pipeline.record import Outgoing
from tests.parts.inboxes import client, inbox, message
from tests.parts.played_kafka import DENIED, TOO_LARGE
from tests.parts.sparkplug import BIRTH, DATA

KILOBYTE = b"x" * 1000


def test_messages_are_acknowledged_when_kafka_has_them_in_their_order() -> None:
    """A message waits for all earlier ones, also for a forbidden one, and QoS 2 gets a PUBREC."""
    box, kafka = inbox()
    device, window, identity = client(box)
    run = [message(1), message(2, topic=b"no"), message(3, qos=2), message(qos=0), message(4)]

    assert box.take(window, identity, run)
    (_, _, first), (_, _, second), (_, _, third), (_, _, fourth) = kafka.sent
    for answer in (second, fourth):
        answer(None, None)
    kafka.sweep()
    before = list(device.acknowledged)
    first(None, None)
    third(None, None)
    kafka.sweep()

    assert before == []
    assert device.acknowledged == [1, 2 | NOT_AUTHORIZED << REASON_SHIFT, 3 | QOS2, 4]
    assert len(box) == 0
    assert box.empty.is_set()


def test_one_client_does_not_wait_for_another() -> None:
    """Each client has its own order."""
    box, kafka = inbox()
    (first, *its_first), (second, *its_second) = client(box, "d1"), client(box, "d2")
    box.take(*its_first, [message(1)])
    box.take(*its_second, [message(7)])

    kafka.sent[1][2](None, None)
    kafka.sweep()

    assert (first.acknowledged, second.acknowledged) == ([], [7])
    assert [record.key for _, record, _ in kafka.sent] == [b"d1", b"d2"]


def test_a_client_with_a_full_window_is_not_read() -> None:
    """A client with a full window is read again as soon as Kafka has one of its messages, and others are read meanwhile."""
    box, kafka = inbox(window=2)
    device, *its = client(box)
    other, *others = client(box, "d2")
    box.take(*its, [message(1), message(2)])
    box.take(*others, [message(1)])

    assert (device.reading, other.reading) == (False, True)
    kafka.sent[0][2](None, None)
    kafka.sweep()
    assert device.reading


@pytest.mark.parametrize("limit", [{"buffer_records": 3}, {"buffer_bytes": 3000}])
def test_when_the_inbox_is_full_whoever_sends_is_not_read(limit: dict[str, int]) -> None:
    """When the inbox is full, a client that sends waits until there is room, even if its own window is empty."""
    box, kafka = inbox(**limit)
    first, *its_first = client(box)
    second, *its_second = client(box, "d2")
    box.take(*its_first, [message(1, payload=KILOBYTE), message(2, payload=KILOBYTE)])
    box.take(*its_second, [message(1, payload=KILOBYTE)])

    assert box.full
    assert (first.reading, second.reading) == (True, False)
    kafka.sent[2][2](None, None)
    kafka.sweep()
    assert second.reading
    assert not box.full


def test_what_is_not_allowed_and_cannot_be_said_ends_the_connection() -> None:
    """A forbidden message ends an MQTT 3.1.1 connection, because MQTT 3.1.1 has no negative acknowledgement; QoS 0 is
    dropped.
    """
    box, kafka = inbox()
    _, *its = client(box, v5=False)

    assert box.take(*its, [message(qos=0, topic=b"no")])
    assert not box.take(*its, [message(1), message(2, topic=b"no"), message(3)])
    assert len(kafka.sent) == 1


def test_what_kafka_refuses_for_good_becomes_a_dead_letter_and_is_acknowledged_then() -> None:
    """It is judged alone first."""
    box, kafka = inbox()
    device, *its = client(box)
    box.take(*its, [message(1)])

    kafka.answer(TOO_LARGE)
    kafka.alone[0][2](TOO_LARGE, None)
    kafka.sweep()
    topic, letter, answer = kafka.alone[1]
    assert device.acknowledged == []
    answer(None, None)
    kafka.sweep()

    assert topic == "tidegate.dead-letter"
    assert dict(letter.headers)["dead_letter.source"] == b"listener:devices"
    assert device.acknowledged == [1]


def test_what_kafka_does_not_take_otherwise_ends_its_clients_connection() -> None:
    """After another error of Kafka nothing more is acknowledged, and the client sends it again."""
    box, kafka = inbox()
    device, *its = client(box)
    other, *others = client(box, "d2")
    box.take(*its, [message(1), message(2)])
    box.take(*others, [message(1)])

    kafka.answer(None, DENIED, None)

    assert device.problem is not None
    assert (device.acknowledged, other.acknowledged) == ([], [1])
    assert len(box) == 0


def test_a_usual_message_is_prepared_once() -> None:
    """Messages with the same topic and flags share key and headers."""
    box, kafka = inbox()
    _, *its = client(box)

    box.take(*its, [message(1), message(2), message(qos=0)])
    (_, first, _), (_, second, _), (_, third, _) = kafka.sent

    assert first.headers is second.headers
    assert dict(first.headers)["qos"] == b"1"
    assert "qos" not in dict(third.headers)
    assert dict(third.headers)["peerhost"] == b"192.0.2.1"


def test_the_names_of_a_device_are_in_memory_once() -> None:
    """The records of all its topics share them: there are tens of thousands, and a device may choose names of kilobytes."""
    box, kafka = inbox()
    _, *its = client(box, "d" * 1000, username="u" * 4000)

    box.take(*its, [message(1, topic=b"t/1"), message(2, topic=b"t/2")])
    (_, first, _), (_, second, _) = kafka.sent

    assert first.key is second.key
    assert [name for name, _ in first.headers] == [name for name, _ in second.headers]
    shared = [one is other for (_, one), (_, other) in zip(first.headers, second.headers, strict=True)]
    assert dict(zip(dict(first.headers), shared, strict=True)) | {"topic": False} == {
        "topic": False,
        "clientid_from": True,
        "qos": True,
        "peerhost": True,
        "username": True,
    }


def test_a_waiting_message_counts_with_the_names_of_its_device() -> None:
    """Kafka's client holds a copy of key and headers for each message, so small messages with long names fill the inbox."""
    box, _ = inbox(buffer_bytes=100_000)
    _, window, identity = client(box, username="u" * 4000)
    for mid in range(1, 31):
        box.take(window, identity, [message(mid)])

    assert window.size_bytes > 30 * 4000
    assert box.full


def test_what_may_be_published_is_asked_once_for_each_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """A permission or refusal is remembered for each topic, also for messages with properties."""
    asked: list[bytes] = []

    def counted_ask(filters: list[str], topic: bytes) -> bool:
        asked.append(topic)
        return may_publish(filters, topic)

    monkeypatch.setattr("ingress.listener.identity.may_publish", counted_ask)
    box, kafka = inbox()
    _, window, identity = client(box)
    with_properties = (b"t/1", b"x", 0x30, 0, ((0x01, 1),))
    for _ in range(3):
        box.take(window, identity, [with_properties, message(qos=0, topic=b"no"), message(qos=0)])

    assert asked == [b"t/1", b"no"]
    assert (len(kafka.sent), window.refused) == (6, 3)


def test_topics_that_devices_choose_take_bounded_memory() -> None:
    """A client with many topics forgets some of them, and its memory is free after it leaves."""
    box, _ = inbox()
    _, window, identity = client(box)
    for number in range(1000):
        box.take(window, identity, [message(qos=0, topic=b"t/%d" % number)])
    box.take(window, identity, [message(qos=0, topic=b"t/" + b"x" * 300)])

    assert len(identity.prepared) == identity.topic_count.count <= 512
    identity.forget_topics()
    assert identity.topic_count.count == 0


@pytest.mark.parametrize(
    ("clientid", "username", "expected"),
    [
        ("d1", "anna", ["t/d1/#", "anna/x", "all"]),
        ("+", "anna", ["anna/x", "all"]),
        ("a/b", "#", ["all"]),
        ("d1", None, ["t/d1/#", "all"]),
        ("%u", "anna", ["t/%u/#", "anna/x", "all"]),
    ],
)
def test_an_id_cannot_widen_what_may_be_published(clientid: str, username: str | None, expected: list[str]) -> None:
    """%c and %u stand only for plain levels."""
    assert permitted(["t/%c/#", "%u/x", "all"], clientid, username) == expected


def counted(name: str) -> float:
    """A metric of the listener."""
    return REGISTRY.get_sample_value(f"tidegate_ingress_{name}", {"source": "devices"}) or 0


def dropped(reason: str) -> float:
    """The dropped messages of the listener, of one reason."""
    labels = {"source": "devices", "reason": reason}
    return REGISTRY.get_sample_value("tidegate_ingress_messages_dropped_total", labels) or 0


def test_an_inbox_is_empty_when_kafka_has_everything() -> None:
    """The inbox is empty after Kafka's last answer, and not empty after the next message."""
    box, kafka = inbox()
    _, *its = client(box)
    seen = [box.empty.is_set()]
    box.take(*its, [message(1), message(2)])
    seen.append(box.empty.is_set())
    for _, _, answer in kafka.sent:
        answer(None, None)
        kafka.sweep()
        seen.append(box.empty.is_set())
    box.take(*its, [message(3)])

    assert seen == [True, False, False, True]
    assert not box.empty.is_set()


def test_a_full_window_is_not_read_because_others_have_room() -> None:
    """A client at its own limit waits for its own messages, even if the inbox has room."""
    box, kafka = inbox(window=2, buffer_records=3)
    _, *others = client(box, "d2")
    device, *its = client(box)
    box.take(*others, [message(1)])
    box.take(*its, [message(1), message(2)])
    kafka.sent[0][2](None, None)
    kafka.sweep()

    assert not box.full
    assert not device.reading
    kafka.sent[1][2](None, None)
    kafka.sweep()
    assert device.reading


def test_what_is_counted_is_what_became_of_messages() -> None:
    """The counters count messages as received, redelivered, in Kafka and acknowledged."""
    names = [
        f"{name}_total"
        for name in ("messages_received", "messages_redelivered", "records_produced", "messages_acknowledged")
    ]
    box, kafka = inbox()
    _, *its = client(box)
    before = [counted(name) for name in names]
    again = (b"t/1", b"x", 0x3A, 4, ())
    box.take(*its, [message(1), message(2, topic=b"no"), message(qos=0), again])
    kafka.answer(None, None, None)

    assert [counted(name) - old for name, old in zip(names, before, strict=True)] == [4, 1, 3, 2]
    assert kafka.woken == 1  # the refusal takes its turn at the next look for answers, which must not wait for a record


def test_what_is_dropped_is_counted_by_its_reason() -> None:
    """A topic that is not allowed, and a bridge's notice, which is acknowledged nevertheless."""
    reasons = {"not_authorized": 2.0, "bridge_notice": 1.0}
    box, _ = inbox()
    _, *its = client(box)
    before = {reason: dropped(reason) for reason in reasons}
    notice = message(3, topic=b"$SYS/broker/connection/site/state")

    box.take(*its, [message(1, topic=b"no"), message(2, topic=b"no"), notice, message(4)])

    assert {reason: dropped(reason) - before[reason] for reason in reasons} == reasons


def test_a_retained_message_of_qos_2_gets_its_pubrec() -> None:
    """The retain flag does not affect the PUBREC."""
    box, kafka = inbox()
    device, *its = client(box)
    box.take(*its, [(b"t/1", b"x", 0x35, 7, ())])
    kafka.answer(None)

    assert device.acknowledged == [7 | QOS2]


def test_the_gauges_tell_of_the_oldest_message_under_way() -> None:
    """The gauges give the number of messages under way and the age of the first."""
    box, kafka = inbox()
    _, *its = client(box)
    began = int(time.time() * 1000)
    box.take(*its, [message(1), message(2)])
    arrived = kafka.sent[0][1].timestamp_ms
    box.observe(arrived + 5000)
    under_way = counted("window_messages"), counted("acknowledgement_lag_seconds")
    kafka.answer(None, None)
    box.observe(arrived + 5000)

    assert began <= arrived <= time.time() * 1000
    assert under_way == (2, 5)
    assert (counted("window_messages"), counted("acknowledgement_lag_seconds")) == (0, 0)


def test_events_and_wills_have_nobody_who_waits() -> None:
    """Events and wills fill the inbox like messages, and waiting clients go on when Kafka has them."""
    box, kafka = inbox(buffer_records=2)
    device, *its = client(box)
    event = Outgoing(b"d1", b"{}", [], 0)
    box.put("events", event)
    box.put("events", event)
    box.take(*its, [message(1)])
    held = device.reading
    (_, _, first), (_, _, second), (_, _, third) = kafka.sent
    for answer in (first, second, third):
        answer(None, None)
        kafka.sweep()

    assert not held
    assert device.reading
    assert box.empty.is_set()


def test_a_client_that_has_gone_gets_nothing_more() -> None:
    """A client that is gone gets no acknowledgement, and its forbidden messages do not matter."""
    box, kafka = inbox(buffer_records=1)
    device, window, identity = client(box, v5=False)
    box.take(window, identity, [message(1)])
    box.forget(window)
    device.reading = False
    kafka.answer(None)

    assert box.take(window, identity, [message(2, topic=b"no")])
    assert (device.acknowledged, device.reading) == ([], False)


def test_a_device_that_speaks_sparkplug_gets_its_names() -> None:
    """A birth's table goes to Kafka before the birth, and the names are in the records of the data after it."""
    box, kafka = inbox(topics=["spBv1.0/#"], sparkplug_aliases=True)
    device, window, identity = client(box)
    identity.topics, identity.aliases = ["spBv1.0/#"], box.aliases
    birth = message(1, topic=b"spBv1.0/g/DBIRTH/n/d", payload=BIRTH)
    data = [message(each, topic=b"spBv1.0/g/DDATA/n/d", payload=DATA) for each in (2, 3)]

    box.take(window, identity, [birth, *data])
    sent = [(topic, dict(record.headers).get("metrics")) for topic, record, _ in kafka.sent]
    kafka.answer(None, None, None, None)

    names = b'{"5":["temp",10],"6":["on",null]}'
    assert sent == [
        ("tidegate.aliases", None),
        ("mqtt.messages", None),
        ("mqtt.messages", names),
        ("mqtt.messages", names),
    ]
    assert device.acknowledged == [1, 2, 3]
