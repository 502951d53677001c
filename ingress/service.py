"""The life of the ingress process in call order: topics, producer, sources, and then the stop.

A stop has an order: 1. stop reading; 2. give Kafka time to answer for the window; 3. acknowledge what Kafka has; 4. send
DISCONNECT to each broker. Messages that are left at the deadline are not acknowledged, and the broker keeps them for the next
start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

from ingress.listener.server import Listener
from ingress.metrics import DONE, LEFT
from ingress.source import Source
from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer, ensure_topics
from pipeline.control.reporter import reported
from pipeline.errors import ConfigError
from pipeline.extras import needed
from pipeline.log import get_logger
from pipeline.process.signals import stopping
from pipeline.web.page import Report, serving
from pipeline.web.working import telling

log: Final = get_logger("tidegate.ingress")

STOP_SECONDS: Final = 20.0  # below the 30 s of Kubernetes and systemd, with time for the end of the producer


async def run(config: Config, *, ready: Callable[[], None] | None = None) -> None:
    """Carry messages until SIGTERM or SIGINT. `ready` is called once every source has connected and subscribed.

    Raises ConfigError and OperatorError if a person has to correct something. Waits while Kafka or a broker is away.
    """
    if not config.sources.mqtt and not config.sources.exhook and not config.sources.listener:
        raise ConfigError("expected at least one source, found none", where="sources")
    require_secrets(config, ("sources",))
    stop = asyncio.Event()
    producer = Producer(config.kafka, process="ingress")
    sources = _sources(config, producer)
    report = Report(
        lambda: _problems(sources, producer, stop),
        lambda: _status(config, sources, producer),
    )
    with stopping(stop):
        async with serving("ingress", config.metrics, report):
            await asyncio.to_thread(ensure_topics, config.kafka, keep_trying=lambda: not stop.is_set())
            if stop.is_set():
                return
            await producer.connect()
            try:
                async with (
                    reported("ingress", config, report.status),
                    telling(lambda facts: log.info("ingress.working", **facts), DONE, LEFT),
                ):
                    await _carry(sources.values(), stop, ready)
            finally:
                left = await producer.close(1.0)
            log.info("ingress.stopped", records_given_up=left)


class Carrier(Protocol):
    """A source of messages or events. `run` returns after `stop`. `connected` says whether the source works now."""

    connected: bool
    connected_once: asyncio.Event

    @property
    def status_reason(self) -> str:
        """The reason why it is not connected, for people; empty if it is unknown."""

    async def run(self) -> None: ...

    def stop(self, deadline_seconds: float) -> None: ...


def _sources(config: Config, producer: Producer) -> dict[str, Carrier]:
    """All sources of the configuration by kind and name."""
    found: dict[str, Carrier] = {
        f"mqtt:{name}": Source(name, source, pipeline=config.pipeline, kafka=config.kafka, producer=producer)
        for name, source in config.sources.mqtt.items()
    }
    if config.sources.exhook:
        with needed("exhook", "sources.exhook"):
            from ingress.exhook.server import ExHookServer

        for name, exhook in config.sources.exhook.items():
            found[f"exhook:{name}"] = ExHookServer(name, exhook, kafka=config.kafka, producer=producer)
    for name, listener in config.sources.listener.items():
        found[f"listener:{name}"] = Listener(name, listener, kafka=config.kafka, producer=producer)
    return found


def _problems(sources: Mapping[str, Carrier], producer: Producer, stop: asyncio.Event) -> list[str]:
    """Reasons why the ingress does not work now: it is stopping, Kafka is away, or a source is not connected."""
    if stop.is_set():
        return ["it stops"]
    found = [f"{name} is {_word(each)}: {each.status_reason}" for name, each in sources.items() if not each.connected]
    return [each.removesuffix(": ") for each in found] + ([] if producer.connected else [producer.status_reason])


def _status(config: Config, sources: Mapping[str, Carrier], producer: Producer) -> dict[str, Any]:
    return {
        "pipeline": config.pipeline,
        "kafka": {"status": producer.status, "status_reason": producer.status_reason},
        "sources": {
            name: {"status": _word(each), "status_reason": each.status_reason} for name, each in sources.items()
        },
    }


def _word(source: Carrier) -> str:
    if source.connected:
        return "connected"
    return "disconnected" if source.connected_once.is_set() or source.status_reason else "connecting"


async def _carry(sources: Collection[Carrier], stop: asyncio.Event, ready: Callable[[], None] | None) -> None:
    """Run all sources until `stop`. An error in a source is a fault of ours, and ends the process."""
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(source.run()) for source in sources]
        waits = [group.create_task(_announce(sources, ready))]
        await _stopped_or_failed(stop, runs)
        for source in sources:
            source.stop(STOP_SECONDS)
        for task in waits:
            task.cancel()


async def _announce(sources: Collection[Carrier], ready: Callable[[], None] | None) -> None:
    for source in sources:
        await source.connected_once.wait()
    log.info("ingress.ready", sources=len(sources))
    if ready is not None:
        ready()


async def _stopped_or_failed(stop: asyncio.Event, runs: list[asyncio.Task[None]]) -> None:
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([stopped, *runs], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
