"""When a listener's inbox and its clients' windows are full, and when they have room again."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import REGISTRY

from ingress.listener.words import REASON_SHIFT
from pipeline.mqtt.reasons import NOT_AUTHORIZED
from pipeline.record import Outgoing
from tests.parts.inboxes import PlayedDevice, client, inbox, message
from tests.parts.played_kafka import DENIED


def test_an_exchange_of_qos_2_is_open_until_kafka_answers() -> None:
    """Its packet identifier is taken until then; a refused message and one of QoS 1 leave none open."""
    box, kafka = inbox()
    _, window, identity = client(box)
    box.take(window, identity, [message(3, qos=2), message(4), message(0xFFFF, qos=2), message(5, qos=2, topic=b"no")])

    before = window.open_exchanges
    kafka.sent[0][2](None, None)
    kafka.sweep()

    assert (before, window.open_exchanges) == ([3, 0xFFFF], [0xFFFF])


@pytest.mark.parametrize("limit", [{"buffer_records": 2}, {"buffer_bytes": 2 * 1000}])
def test_the_last_record_that_fits_fills_the_inbox(limit: dict[str, Any]) -> None:
    """It is full at its limit, and what leaves it makes room: events, whose keys count, and messages."""
    box, kafka = inbox(**limit)
    event = Outgoing(b"d1", b"x" * 998, [], 0)

    box.put("events", event)
    before = box.full
    box.put("events", event)

    assert (before, box.full, len(box)) == (False, True, 2)
    kafka.sent[0][2](None, None)
    kafka.sweep()
    assert (box.full, len(box), box.empty.is_set()) == (False, 1, False)


def test_whoever_waits_for_two_reasons_goes_on_when_both_are_gone() -> None:
    """A client whose own window has room again, while the inbox is full, is read as soon as the inbox has room."""
    box, kafka = inbox(window=1, buffer_records=2)
    device, window, identity = client(box)
    _, others, other = client(box, "d2")
    box.take(window, identity, [message(1)])
    box.take(others, other, [message(1), message(2), message(3)])

    seen = []
    for _, _, answer in list(kafka.sent):
        answer(None, None)
        kafka.sweep()
        seen.append(device.reading)

    assert seen[0] is False
    assert seen[-1] is True


def test_what_a_client_sends_later_counts_for_itself() -> None:
    """Each run of messages adds its own bytes, and not those that the window held before."""
    box, _ = inbox(buffer_bytes=3 * 1000)
    _, window, identity = client(box)
    for mid in (1, 2):
        box.take(window, identity, [message(mid, payload=b"x" * 900)])

    assert not box.full


def test_a_refusal_alone_is_answered_without_kafka() -> None:
    """A client that sends nothing but forbidden messages gets its answers at the next sweep."""
    box, kafka = inbox()
    device, window, identity = client(box)
    box.take(window, identity, [message(7, topic=b"no")])

    kafka.sweep()

    assert device.acknowledged == [7 | NOT_AUTHORIZED << REASON_SHIFT]


def test_a_session_gets_the_answers_for_a_connection_that_is_gone() -> None:
    """What a session still waits for goes to it, and nothing goes to a connection without a session."""
    box, kafka = inbox()
    (kept, its, identity), (lost, other, another), session = client(box), client(box, "d2"), PlayedDevice()
    box.take(its, identity, [message(1)])
    box.take(other, another, [message(2)])
    box.forget(its, session)
    box.forget(other)
    box.forget(other, session)  # too late: nobody waits any more
    for _, _, answer in list(kafka.sent):
        answer(None, None)
    kafka.sweep()

    assert (kept.acknowledged, lost.acknowledged, session.acknowledged) == ([], [], [1])


def test_an_event_that_kafka_does_not_take_is_counted() -> None:
    """An event has nobody who could send it again, so its loss is counted; a message comes again from its client."""
    box, kafka = inbox()
    _, window, identity = client(box)
    name, labels = "tidegate_ingress_messages_dropped_total", {"source": "devices", "reason": "not_delivered"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    box.put("events", Outgoing(b"d1", b"x", [], 0))
    box.take(window, identity, [message(1)])
    for _, _, answer in list(kafka.sent):
        answer(DENIED, None)
    kafka.sweep()

    assert REGISTRY.get_sample_value(name, labels) == before + 1
