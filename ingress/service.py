"""The life of the ingress process in call order: topics, producer, sources, and then the stop.

With `control`, the sources follow the configuration in Kafka (supervisor.py), and an ingress without a source is content.

A stop has an order: 1. stop reading; 2. give Kafka time to answer for the window; 3. acknowledge what Kafka has; 4. send
DISCONNECT to each broker. Messages that are left at the deadline are not acknowledged, and the broker keeps them for the next
start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from ingress.metrics import DONE, LEFT
from ingress.supervisor import SourceSupervisor, sources_of
from ingress.traced import producer_of
from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer, ensure_topics
from pipeline.connectors.otlp import exporting
from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import Snapshot
from pipeline.control.reload.following import follow, opened
from pipeline.control.reporter import reported
from pipeline.errors import ConfigError
from pipeline.log import get_logger
from pipeline.process.signals import stopping
from pipeline.web.page import Report, serving
from pipeline.web.working import telling

log: Final = get_logger("tidegate.ingress")


async def run(config: Config, *, ready: Callable[[], None] | None = None) -> None:
    """Carry messages until SIGTERM or SIGINT. `ready` is called once every source has connected and subscribed.

    Raises ConfigError and OperatorError if a person has to correct something; with `control`, it waits for that. Waits while
    Kafka or a broker is away.
    """
    topic = ConfigLog(config, patience_seconds=None) if config.control is not None else None
    if topic is None:
        _check(config)
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        stack.enter_context(stopping(stop))
        await stack.enter_async_context(exporting(config.otel, process="ingress", pipeline=config.pipeline))
        producer = producer_of(config)
        group = asyncio.TaskGroup()
        supervisor = SourceSupervisor(config, producer, group)
        report = Report(
            lambda: _problems(supervisor, producer, stop),
            lambda: _status(supervisor, producer, topic),
        )
        await stack.enter_async_context(serving("ingress", config.metrics, report))
        await asyncio.to_thread(ensure_topics, config.kafka, keep_trying=lambda: not stop.is_set())
        if stop.is_set() or (topic is not None and not await opened(topic, stop)):
            return
        if topic is not None:
            stack.push_async_exit(topic)
        await producer.connect()
        stack.push_async_callback(_closed, producer)
        objects = lambda: topic.snapshot.objects if topic is not None else {}  # noqa: E731
        await stack.enter_async_context(reported("ingress", config, report.status, lambda: supervisor.config, objects))
        await stack.enter_async_context(telling(lambda facts: log.info("ingress.working", **facts), DONE, LEFT))
        async with group, supervisor:
            await _carry(config, supervisor, topic, stop, ready)


async def _closed(producer: Producer) -> None:
    log.info("ingress.stopped", records_given_up=await producer.close(1.0))


async def _carry(
    config: Config,
    supervisor: SourceSupervisor,
    topic: ConfigLog | None,
    stop: asyncio.Event,
    ready: Callable[[], None] | None,
) -> None:
    """Run the sources until `stop`."""
    waiting: asyncio.Task[None] | None = None

    async def take(snapshot: Snapshot) -> None:
        nonlocal waiting
        await supervisor.take(snapshot)
        waiting = waiting or asyncio.create_task(_announce(supervisor, ready))

    try:
        if topic is not None:
            await follow(topic, take, stop)
        else:
            await supervisor.become(config)
            waiting = asyncio.create_task(_announce(supervisor, ready))
            await stop.wait()
    finally:
        if waiting is not None:
            waiting.cancel()


async def _announce(supervisor: SourceSupervisor, ready: Callable[[], None] | None) -> None:
    sources = supervisor.runners.values()
    for each in sources:
        await each.announced.wait()
    log.info("ingress.ready", sources=len(sources))
    if ready is not None:
        ready()


def _check(config: Config) -> None:
    """Check that the sources of a file can run. Raises ConfigError."""
    if not sources_of(config):
        raise ConfigError("expected at least one source that is enabled, found none", where="sources")
    require_secrets(config, ("sources",))


def _problems(supervisor: SourceSupervisor, producer: Producer, stop: asyncio.Event) -> list[str]:
    """Reasons why the ingress does not work now: it is stopping, Kafka is away, or a source is not connected."""
    if stop.is_set():
        return ["it stops"]
    sources = supervisor.runners.items()
    found = [f"{id} is {each.status}: {each.status_reason}" for id, each in sources if not each.connected]
    return [each.removesuffix(": ") for each in found] + ([] if producer.connected else [producer.status_reason])


def _status(supervisor: SourceSupervisor, producer: Producer, topic: ConfigLog | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "pipeline": supervisor.config.pipeline,
        "kafka": {"status": producer.status, "status_reason": producer.status_reason},
        "sources": {
            id: {"status": each.status, "status_reason": each.status_reason, "revision": each.revision}
            for id, each in supervisor.runners.items()
        },
    }
    if topic is not None:
        found |= {"revision": supervisor.config.revision, "problem": supervisor.problem or topic.error}
    return found
