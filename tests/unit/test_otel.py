"""Spans of OpenTelemetry: what a worker and an ingress say of objects and batches, and that nothing is done if nobody asks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from agents import object_traces
from agents.metrics import ObjectMeter, Writing
from agents.object_traces import TRACES_MAX
from ingress import traced
from ingress.traced import TracedProducer, producer_of
from ingress.window import Delivery, Window
from pipeline.config.load import parse
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.otlp import LINKS_MAX, exporting, spans
from pipeline.errors import ConfigError, RefusedError
from pipeline.mqtt.traceparent import TraceParent
from pipeline.record import TRACEPARENT, Outgoing, Record
from tests.parts.records import published

CONFIG = parse("pipeline: p\nkafka: {bootstrap_servers: '127.0.0.1:1'}\n", name="my.yaml")


def traceparent(number: int, flags: str = "01") -> bytes:
    return f"00-{number:032x}-{number:016x}-{flags}".encode()


def trace(number: int) -> TraceParent:
    return TraceParent(number, number, True)


def record(offset: int, text: bytes) -> Record:
    return published(extra=[(TRACEPARENT, text)] if text else [])._replace(offset=offset)


class Told:
    """In place of Spans: what was made."""

    def __init__(self) -> None:
        self.made_ones: list[dict[str, Any]] = []

    def made(
        self, name: str, kind: str, traces: Sequence[TraceParent], began_ns: int, facts: Mapping[str, Any], **more: Any
    ) -> None:
        self.made_ones.append({"name": name, "traces": list(traces), "facts": dict(facts)} | more)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """Somebody wants spans."""
    told = Told()
    monkeypatch.setattr(object_traces, "spans", lambda: told)
    monkeypatch.setattr(traced, "spans", lambda: told)
    return told


def test_nothing_of_opentelemetry_is_imported_unless_it_is_wanted() -> None:
    """Both processes start without OpenTelemetry's libraries, and `exporting(None)` loads none."""
    program = """
import asyncio, sys
import agents.worker, ingress.service
from pipeline.connectors.otlp import exporting
async def main():
    async with exporting(None, process="worker", pipeline="p"):
        pass
asyncio.run(main())
print([name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf"))])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.strip() == "[]"


def test_nothing_is_done_for_a_record_unless_spans_are_wanted() -> None:
    """Without `otel`, the ingress has the plain producer, and a meter neither remembers traces nor makes another `Writing`."""
    meter = ObjectMeter("plain")
    meter.arrived([record(1, traceparent(1))])

    assert spans() is None
    assert type(producer_of(CONFIG)) is Producer
    assert meter._traces is None
    assert type(meter.writing("b", "k", origin=record(1, traceparent(1)))) is Writing
    assert type(meter.writing_rows("b", "k", [1], 1)) is Writing


async def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process whose configuration has `otel` does not start without the libraries."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with_otel = parse("pipeline: p\nkafka: {bootstrap_servers: 'k:1'}\notel: {endpoint: 'http://c:4318'}\n", name="x")

    with pytest.raises(ConfigError, match=r"tidegate\[otel\]"):
        async with exporting(with_otel.otel, process="worker", pipeline="p"):
            pass


def test_a_direct_object_is_the_child_of_its_message(told: Told) -> None:
    """Its span has the one trace; a message that is not traced, or whose sender does not record it, has none."""
    meter = ObjectMeter("direct")
    for text in (traceparent(7), traceparent(8, "00"), b"wrong", b""):
        with meter.writing("lake", "k/1", origin=record(1, text)) as writing:
            writing.confirmed(10)

    facts = {
        "aws.s3.bucket": "lake",
        "aws.s3.key": "k/1",
        "tidegate.action": "s3:direct",
        "tidegate.rows": 1,
        "tidegate.object.size_bytes": 10,
    }
    assert told.made_ones == [
        {"name": "write object", "traces": [trace(7)], "facts": facts, "child": True, "error": ""}
    ]


def test_an_aggregated_object_is_linked_to_the_messages_that_it_holds(told: Told) -> None:
    """Messages of other objects, filtered ones and rows that came during the upload are not linked."""
    meter = ObjectMeter("aggregated")
    meter.arrived([record(offset, traceparent(offset)) for offset in range(1, 9)])
    with meter.writing_rows("lake", "k", [2, 2, 5, 6, 8], 4) as writing:
        writing.confirmed(10)
    with meter.writing_rows("lake", "untraced", [30, 31], 2):
        pass

    (made,) = told.made_ones
    assert (made["traces"], made["child"]) == ([trace(2), trace(5), trace(6)], False)


def test_traces_and_links_are_bounded(told: Told) -> None:
    """The newest messages are remembered, and the newest of these are linked."""
    meter = ObjectMeter("bounded")
    meter.arrived([record(offset, traceparent(offset)) for offset in range(1, TRACES_MAX + 11)])
    for offsets in (range(1, TRACES_MAX + 11), range(1, 11)):
        with meter.writing_rows("lake", "k", offsets, len(offsets)):
            pass

    (made,) = told.made_ones
    assert made["traces"] == [trace(number) for number in range(TRACES_MAX + 11 - LINKS_MAX, TRACES_MAX + 11)]


def test_a_refused_object_has_a_failed_span(told: Told) -> None:
    """The span says what the store said, and has no size."""
    meter = ObjectMeter("refused")
    with pytest.raises(RefusedError):
        with meter.writing("lake", "k", origin=record(1, traceparent(7))):
            raise RefusedError("the key is too long", reason="KeyTooLong")

    (made,) = told.made_ones
    assert made["error"] == "RefusedError: the key is too long"
    assert "tidegate.object.size_bytes" not in made["facts"]


class Answers:
    """In place of librdkafka: keeps what is produced, and answers when the test wants."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open: list[Any] = []
        monkeypatch.setattr(Producer, "produce", lambda producer, topic, record, answer: self.open.append(answer))


def test_a_batch_has_one_span_that_ends_with_kafkas_last_answer(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records between two polls are a batch. Each delivery is told as without spans, and untraced records are left alone."""
    kafka, producer = Answers(monkeypatch), producer_of(CONFIG)
    assert isinstance(producer, TracedProducer)
    delivered: list[Any] = []
    for number in (1, 0, 2):
        headers = [(TRACEPARENT, traceparent(number)), ("metrics", b"{}")] if number else []
        producer.produce("m", Outgoing(b"k", b"", headers, 1), lambda error, message: delivered.append(error))
    producer._next_batch()
    producer.produce("m", Outgoing(b"k", b"", [(TRACEPARENT, traceparent(3))], 1), lambda error, message: None)
    for answer, error in zip(kafka.open[:3], (None, None, "too large"), strict=True):
        assert told.made_ones == []
        answer(error, None)

    (made,) = told.made_ones
    assert delivered == [None, None, "too large"]
    assert (made["name"], made["traces"], made["error"]) == ("send m", [trace(1), trace(2)], "too large")
    assert made["facts"]["messaging.batch.message_count"] == 2


def test_a_run_is_traced_as_its_records_are(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes in a run has the spans of single records, and each delivery is told of its own answer."""
    kafka, producer = Answers(monkeypatch), producer_of(CONFIG)
    window = Window(100, 1000)
    run = [Delivery(window, n, "m", b"k", b"", [(TRACEPARENT, traceparent(n))] if n else [], 1, 0) for n in (1, 0, 2)]

    producer.produce_all(run)
    for answer in kafka.open:
        answer(None, None)

    assert [made["traces"] for made in told.made_ones] == [[trace(1), trace(2)]]
    assert all(each.done for each in run)


def test_a_batch_that_was_answered_at_once_is_over(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after its last answer, before the next poll, is another batch with a span of its own."""
    kafka, producer = Answers(monkeypatch), producer_of(CONFIG)
    for number in (1, 2):
        producer.produce("m", Outgoing(b"k", b"", [(TRACEPARENT, traceparent(number))], 1), lambda error, message: None)
        kafka.open.pop()(None, None)

    assert [made["traces"] for made in told.made_ones] == [[trace(1)], [trace(2)]]
