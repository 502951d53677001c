"""Reads the newest records of messages and events while a trace runs, in a thread, and shows them to the traces.

It shows RECORDS_MAX a second at most. When more come, it goes on at the newest ones, and the traces have a line that says so.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicPartition

from pipeline.config import Config
from pipeline.connectors.kafka.client import ANSWER_SECONDS, Link
from pipeline.connectors.kafka.reader import record_of
from pipeline.log import get_logger
from pipeline.web.tracing.lines import sample_of_record
from pipeline.web.tracing.traces import Traces

RECORDS_MAX: Final = 200
LOOK_SECONDS: Final = 0.2

log: Final = get_logger("tidegate.api")


@asynccontextmanager
async def tracing(config: Callable[[], Config], traces: Traces, now_ms: Callable[[], int]) -> AsyncIterator[None]:
    """In the block, the traces see records."""
    closing = threading.Event()
    thread = threading.Thread(target=_watch, args=(config, traces, now_ms, closing), name="traces", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        await asyncio.to_thread(thread.join)


def _watch(config: Callable[[], Config], traces: Traces, now_ms: Callable[[], int], closing: threading.Event) -> None:
    """Wait for a trace that runs, and read while there is one."""
    while not closing.wait(LOOK_SECONDS):
        if not traces.running(now_ms()):
            continue
        try:
            _read(config, traces, now_ms, closing)
        except KafkaException as error:
            log.warning("trace.unread", error=str(error.args[0]))
            closing.wait(1)


def _read(config: Callable[[], Config], traces: Traces, now_ms: Callable[[], int], closing: threading.Event) -> None:
    kafka = config().kafka
    consumer = Link(kafka, silent=True).reader("traces", {"fetch.wait.max.ms": 100})
    try:
        _to_the_end(consumer, [kafka.messages_topic, kafka.events_topic])
        began, shown = time.monotonic(), 0
        while traces.running(now_ms()) and not closing.is_set():
            for message in consumer.consume(RECORDS_MAX, timeout=LOOK_SECONDS):
                shown += _show(config(), traces, message, now_ms())
                if shown == RECORDS_MAX:
                    closing.wait(max(0.0, began + 1 - time.monotonic()))
                    _left_out(traces, now_ms())
                    _to_the_end(consumer, [kafka.messages_topic, kafka.events_topic])
                    break
            if time.monotonic() > began + 1:
                began, shown = time.monotonic(), 0
    finally:
        consumer.close()


def _show(config: Config, traces: Traces, message: Any, now_ms: int) -> int:
    """Show one record; how many were shown."""
    if message.error() is not None:
        return 0
    sample = sample_of_record(config, record_of(message))
    if sample is None:
        return 0
    traces.take(config, sample, now_ms)
    return 1


def _to_the_end(consumer: Consumer, topics: list[str]) -> None:
    """Read the records that come from now on. A topic that does not exist yet is left out."""
    found = [consumer.list_topics(topic, ANSWER_SECONDS).topics[topic].partitions for topic in dict.fromkeys(topics)]
    places = [
        TopicPartition(topic, number, OFFSET_END)
        for topic, partitions in zip(dict.fromkeys(topics), found, strict=True)
        for number in partitions
    ]
    consumer.assign(places)


def _left_out(traces: Traces, now_ms: int) -> None:
    for trace in traces.running(now_ms):
        trace.add(now_ms, "warning", "records_left_out", {"reason": f"more than {RECORDS_MAX} records a second come"})
