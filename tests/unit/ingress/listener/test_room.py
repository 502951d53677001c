"""When a listener's inbox and its clients' windows are full, and when they have room again."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.record import Outgoing
from tests.parts.inboxes import client, inbox, message


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
