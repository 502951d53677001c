"""The topic of the reports of all processes: write one's own there, and follow those of the others.

The key of a record is `<pipeline>/<node>`, so several pipelines may have one topic. A report is written every 2 s while it
changes, else every 10 s, and deleted at an orderly end. Nothing rests on these records: after one that is lost comes the next.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka import Producer as Librdkafka

from pipeline.config import Config
from pipeline.connectors.kafka.client import Link
from pipeline.connectors.kafka.topics import ensure_status_topic
from pipeline.control.board import Board
from pipeline.control.follower import LOOK_SECONDS, POLL_SECONDS, open_reader, opened_again
from pipeline.control.status import ProcessReport, encode
from pipeline.errors import ConnectorError, TidegateError
from pipeline.log import get_logger

TICK_SECONDS: Final = 2.0
QUIET_TICKS: Final = 5  # a report that does not change is written every so many ticks
GOODBYE_SECONDS: Final = 2.0

log: Final = get_logger("tidegate.status")


def node_name(kind: str) -> str:
    """The name of this process: its kind, the machine, its number there, and when it began."""
    return f"{kind}@{socket.gethostname()}-{os.getpid()}-{int(time.time())}"


@asynccontextmanager
async def reporting(config: Config, node: str, report: Callable[[], ProcessReport]) -> AsyncIterator[None]:
    """In the block, write what `report` gives. It is called on the event loop. Kafka's absence holds up nothing."""
    task = asyncio.create_task(_written(config, node, report), name="status")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _written(config: Config, node: str, report: Callable[[], ProcessReport]) -> None:
    """Report until cancelled. A process whose reports Kafka refuses goes on without them."""
    try:
        await _report(config, node, report)
    except TidegateError as error:
        log.error("status.unwritten", topic=_topic(config), error=str(error))


async def _report(config: Config, node: str, report: Callable[[], ProcessReport]) -> None:
    topic, key = _topic(config), f"{config.pipeline}/{node}".encode()
    link = Link(config.kafka, silent=True)
    producer = _producer(link)
    before, quiet = b"", 0
    try:
        await _ensured(config)
        while True:
            if link.refresh(producer):
                producer = _opened_again(link, producer)
            value = orjson.dumps(encode(report()))
            quiet = quiet + 1 if value == before else 0
            if quiet % QUIET_TICKS == 0:
                _produce(producer, topic, key, value)
            before = value
            producer.poll(0)
            await asyncio.sleep(TICK_SECONDS)
    finally:
        _produce(producer, topic, key, None)
        await asyncio.to_thread(producer.flush, GOODBYE_SECONDS)


def _producer(link: Link) -> Librdkafka:
    return link.producer("tidegate-status", {"message.timeout.ms": 10_000})


def _opened_again(link: Link, producer: Librdkafka) -> Librdkafka:
    """A producer with the certificates that are in their files now, or the same one if they cannot be used."""
    try:
        return _producer(link)
    except ConnectorError as error:
        link.certificates_are_bad(error)
        return producer


def _produce(producer: Librdkafka, topic: str, key: bytes, value: bytes | None) -> None:
    with suppress(BufferError, KafkaException):  # the next report comes in two seconds
        producer.produce(topic, value, key, partition=0)


async def _ensured(config: Config) -> None:
    """Create the topic, as soon as Kafka is there."""
    wanted = True

    def create() -> None:
        ensure_status_topic(config.kafka, _topic(config), keep_trying=lambda: wanted)

    try:
        await asyncio.to_thread(create)
    finally:
        wanted = False


def _topic(config: Config) -> str:
    assert config.control is not None
    return config.control.status_topic


# --- Following the others


@asynccontextmanager
async def following(config: Config, board: Board) -> AsyncIterator[None]:
    """In the block, the board has the reports of all processes of this pipeline."""
    loop, closing = asyncio.get_running_loop(), threading.Event()

    def take(node: str, at: int, value: Mapping[str, Any] | None) -> None:
        with suppress(ValueError):  # a later program may report in a form that this one does not know
            board.take(node, at, value)

    def read() -> None:
        try:
            ensure_status_topic(config.kafka, _topic(config), keep_trying=lambda: not closing.is_set())
            _read(config, lambda *record: loop.call_soon_threadsafe(take, *record), closing)
        except TidegateError as error:
            log.error("status.unread", topic=_topic(config), error=str(error))

    thread = threading.Thread(target=read, name="status", daemon=True)
    thread.start()
    try:
        yield
    finally:
        closing.set()
        await asyncio.to_thread(thread.join)


def newest(config: Config, board: Board, seconds: float) -> None:
    """Give the board what the topic holds now. Blocks, `seconds` at most."""
    closing = threading.Event()
    timer = threading.Timer(seconds, closing.set)
    timer.start()

    def take(node: str, at: int, value: Mapping[str, Any] | None) -> None:
        with suppress(ValueError):
            board.take(node, at, value)

    _read(config, take, closing, at_end=closing.set)
    timer.cancel()


def _read(
    config: Config,
    take: Callable[[str, int, Any], object],
    closing: threading.Event,
    at_end: Callable[[], None] = lambda: None,
) -> None:
    """Read until told to stop. Blocks. `at_end` is called when there is nothing more to read now.

    librdkafka connects again by itself when Kafka was away.
    """
    link, prefix, following = Link(config.kafka, silent=True), f"{config.pipeline}/", 0
    consumer, look_at = open_reader(link, "tidegate-status"), time.monotonic() + LOOK_SECONDS
    try:
        consumer.assign([TopicPartition(_topic(config), 0, following)])
        while not closing.is_set():
            message = consumer.poll(POLL_SECONDS)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + LOOK_SECONDS
                if (fresh := opened_again(link, "tidegate-status", consumer)) is not None:
                    consumer.close()
                    consumer = fresh
                    consumer.assign([TopicPartition(_topic(config), 0, following)])
            if message is None:
                continue
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    at_end()
                else:
                    closing.wait(POLL_SECONDS)
                continue
            following = (message.offset() or 0) + 1
            key = (message.key() or b"").decode("utf-8", "replace")
            if key.startswith(prefix):
                take(key.removeprefix(prefix), message.timestamp()[1], _value(message.value()))
    finally:
        consumer.close()


def _value(text: bytes | None) -> Any:
    """The value of a record; an empty mapping, which is not a report, for what is not JSON."""
    if text is None:
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
