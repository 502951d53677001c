"""The life of the ingress process, in call order: topics, producer, sources; then, when asked to stop, the way back.

Stopping is designed: reading stops first, Kafka gets its time to answer for the window, what it has is acknowledged,
and each broker gets a DISCONNECT. What is not done by the deadline was not acknowledged, and the broker keeps it for
the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import structlog

from ingress import metrics
from ingress.listener.server import Listener
from ingress.source import Source
from pipeline.config import Config
from pipeline.connectors.kafka.producer import Producer, ensure_topics
from pipeline.errors import ConfigError

log: Final = structlog.get_logger("tidegate.ingress")

STOP_SECONDS: Final = 20.0  # below the 30 s that Kubernetes and systemd give, with room for the producer's own end


async def run(config: Config, *, ready: Callable[[], None] | None = None) -> None:
    """Carry messages until SIGTERM or SIGINT. `ready` is called once every source has connected and subscribed.

    Raises ConfigError and OperatorError for what no waiting mends; Kafka or a broker being away is waited for.
    """
    if not config.sources.mqtt and not config.sources.exhook and not config.sources.listener:
        raise ConfigError("expected at least one source, found none", where="sources")
    stopping = asyncio.Event()
    with _signals(stopping):
        await asyncio.to_thread(ensure_topics, config.kafka, keep_trying=lambda: not stopping.is_set())
        if stopping.is_set():
            return
        producer = Producer(config.kafka, client_id=f"tidegate-ingress-{config.pipeline}")
        await producer.connect()
        sources = _sources(config, producer)
        close_page = _open_page(config, sources)
        try:
            await _carry(sources, stopping, ready)
        finally:
            left = await producer.close(1.0)
            close_page()
        log.info("ingress.stopped", records_given_up=left)


class Carrier(Protocol):
    """What brings messages or events: `run` returns after `stop`. `connected`: whether it can bring any now."""

    connected: bool
    connected_once: asyncio.Event

    async def run(self) -> None: ...

    def stop(self, deadline_seconds: float) -> None: ...


def _sources(config: Config, producer: Producer) -> list[Carrier]:
    found: list[Carrier] = [
        Source(name, source, pipeline=config.pipeline, kafka=config.kafka, producer=producer)
        for name, source in config.sources.mqtt.items()
    ]
    if config.sources.exhook:
        from ingress.exhook.server import ExHookServer  # gRPC takes 20 MB, which only those pay who use it

        found += [
            ExHookServer(name, source, kafka=config.kafka, producer=producer)
            for name, source in config.sources.exhook.items()
        ]
    found += [
        Listener(name, source, kafka=config.kafka, producer=producer)
        for name, source in config.sources.listener.items()
    ]
    return found


async def _carry(sources: Sequence[Carrier], stopping: asyncio.Event, ready: Callable[[], None] | None) -> None:
    """Run all sources until `stopping`. An error in one of them is a fault of ours: it ends the process."""
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(source.run()) for source in sources]
        waits = [group.create_task(_announce(sources, ready))]
        await _stopped_or_failed(stopping, runs)
        for source in sources:
            source.stop(STOP_SECONDS)
        for task in waits:
            task.cancel()


async def _announce(sources: Sequence[Carrier], ready: Callable[[], None] | None) -> None:
    for source in sources:
        await source.connected_once.wait()
    log.info("ingress.ready", sources=len(sources))
    if ready is not None:
        ready()


async def _stopped_or_failed(stopping: asyncio.Event, runs: list[asyncio.Task[None]]) -> None:
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait([stop, *runs], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stopping`; the second one of them ends the process the usual way."""
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        stopping.set()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(each)

    for each in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(each, on_signal, each)
    try:
        yield
    finally:
        for each in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
                loop.remove_signal_handler(each)


def _open_page(config: Config, sources: Sequence[Carrier]) -> Callable[[], None]:
    if not config.metrics.ingress_port:
        return lambda: None

    def healthy() -> bool:
        return all(source.connected for source in sources)

    try:
        return metrics.serve(config.metrics.bind, config.metrics.ingress_port, healthy)
    except OSError as error:
        where = f"{config.metrics.bind}:{config.metrics.ingress_port}"
        raise ConfigError(f"cannot listen on {where}: {error.strerror}", where="metrics.ingress_port") from None
