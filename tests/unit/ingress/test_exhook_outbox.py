"""Records of ExHook for which no sender waits: their bound, and the count of lost ones."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
import structlog
from prometheus_client import REGISTRY

from ingress.exhook.outbox import Outbox
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.producer import Producer
from pipeline.record import Outgoing
from tests.faults.simulation.clock import tell
from tests.parts.played_kafka import DENIED, TOO_LARGE, PlayedKafka


def outbox(name: str, *, records_max: int = 100, bytes_max: int = 1000) -> tuple[Outbox, PlayedKafka]:
    kafka = PlayedKafka()
    settings = KafkaConfig(bootstrap_servers="k:1")
    return Outbox(name, cast(Producer, kafka), settings, records_max=records_max, bytes_max=bytes_max), kafka


def record(size: int = 10, *, at_ms: int = 1000) -> Outgoing:
    return Outgoing(b"d1", b"x" * size, [], at_ms)


def counted(source: str, name: str, **labels: str) -> float:
    """A metric of one outbox."""
    return REGISTRY.get_sample_value(f"tidegate_ingress_{name}", {"source": source, **labels}) or 0


@pytest.mark.parametrize("limit", [{"records_max": 2}, {"bytes_max": 24}])
def test_what_is_beyond_the_bound_is_dropped_and_counted(limit: dict[str, int]) -> None:
    """Records beyond the bound are dropped and counted, with one log line until the outbox is empty."""
    name = f"bound {limit}"
    box, kafka = outbox(name, **limit)
    with structlog.testing.capture_logs() as lines:
        taken = [box.offer("t", record()) for _ in range(4)]
    kafka.answer(None, None)
    after = box.offer("t", record())

    assert taken == [True, True, False, False]
    assert counted(name, "messages_dropped_total", reason="queue_full") == 2
    assert [line["event"] for line in lines] == ["exhook.dropping"]
    assert after
    assert (len(box), counted(name, "records_produced_total")) == (1, 2)


def test_a_record_that_is_larger_than_the_bound_is_taken_alone() -> None:
    """A record larger than the bound is accepted if the outbox is empty, and the next one waits."""
    box, kafka = outbox("large", bytes_max=5)

    assert box.offer("t", record(50))
    assert not box.offer("t", record(1))
    kafka.answer(None)
    assert box.offer("t", record(1))


def test_a_dropping_outbox_says_so_again_after_it_was_empty() -> None:
    """Each time that the outbox is full is logged once."""
    box, kafka = outbox("again", records_max=1)
    with structlog.testing.capture_logs() as lines:
        for _ in range(2):
            box.offer("t", record())
            box.offer("t", record())
            kafka.answer(None)

    assert [line["event"] for line in lines] == ["exhook.dropping"] * 2


def test_empty_is_when_kafka_has_all() -> None:
    """The outbox is empty after Kafka's last answer."""
    box, kafka = outbox("empty")
    seen = [box.empty.is_set()]
    box.offer("t", record())
    box.offer("t", record())
    seen.append(box.empty.is_set())
    for _, _, answer in kafka.sent:
        answer(None, None)
        kafka.sweep()
        seen.append(box.empty.is_set())

    assert seen == [True, False, False, True]


def test_what_kafka_refuses_for_good_is_a_dead_letter_once() -> None:
    """A refused record becomes a dead letter, and a refused dead letter is dropped and counted."""
    box, kafka = outbox("refused")
    box.offer("t", record())
    box.offer("t", record())
    kafka.answer(TOO_LARGE, DENIED)
    under_way = len(box)
    (topic, letter, answer) = kafka.alone[0]
    answer(TOO_LARGE, None)
    kafka.sweep()

    assert (topic, dict(letter.headers)["dead_letter.source"]) == ("tidegate.dead-letter", b"exhook:refused")
    assert (under_way, len(box), len(kafka.alone)) == (1, 0, 1)
    assert counted("refused", "messages_dropped_total", reason="not_delivered") == 2
    assert box.empty.is_set()


def test_the_gauges_tell_of_the_oldest_record() -> None:
    """The gauges give the number of records under way and the age of the first."""
    box, kafka = outbox("gauges")
    for at_ms in (1000, 3000):
        box.offer("t", record(at_ms=at_ms))
    box.observe(4500)
    both = counted("gauges", "window_messages"), counted("gauges", "acknowledgement_lag_seconds")
    kafka.sent[0][2](None, None)
    box.observe(4500)
    one = counted("gauges", "window_messages"), counted("gauges", "acknowledgement_lag_seconds")
    kafka.sent[1][2](None, None)
    box.observe(4500)

    assert (both, one) == ((2, 3.5), (1, 1.5))
    assert (counted("gauges", "window_messages"), counted("gauges", "acknowledgement_lag_seconds")) == (0, 0)


def test_whoever_waits_for_room_gets_it_or_the_time_is_over() -> None:
    """A caller gets room at once, with the next answer, or not before its time limit."""
    box, kafka = outbox("room", records_max=1)

    async def story() -> list[Any]:
        loop = asyncio.get_running_loop()
        found: list[Any] = [await box.room(10, 1)]
        box.offer("t", record())
        found += [await box.room(10, 1), loop.time()]
        loop.call_later(3, kafka.answer, None)
        return [*found, await box.room(10, 1), loop.time()]

    assert tell(1, story()) == [True, False, 10, True, 13]


def test_calls_that_wait_keep_a_bounded_number_of_bytes() -> None:
    """A call for which there is no memory does not wait. One that waits alone may have any size."""
    box, kafka = outbox("waiting", records_max=1, bytes_max=100)
    box.offer("t", record())

    async def story() -> list[Any]:
        loop = asyncio.get_running_loop()
        waiting = [asyncio.create_task(box.room(10, size)) for size in (90, 11, 10)]
        await asyncio.sleep(0)
        refused = [task.done() for task in waiting]
        loop.call_later(3, kafka.answer, None)
        found = await asyncio.gather(*waiting)
        box.offer("t", record())
        loop.call_later(1, kafka.answer, None)
        return [refused, found, await box.room(10, 1_000)]

    assert tell(1, story()) == [[False, True, False], [True, False, True], True]


def test_keys_and_headers_count_too() -> None:
    """A device fills the outbox with user properties as well as with payloads."""
    box, _ = outbox("headers", bytes_max=1000)

    assert box.offer("t", Outgoing(b"d1", b"", [("pub_props", b"x" * 1000)], 1))
    assert not box.offer("t", record(0))
