"""The worker process, in the order of its life: connect, start the actions, watch over them, drain, stop.

Each action runs on its own (runner.py). With `control`, the actions follow the configuration in Kafka (supervisor.py), and a
worker without an action is content. A stop drains: the worker writes what was read, then the ledger and the offsets, within a
deadline. The next owner reads the rest again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from agents.metrics import DONE, LEFT
from agents.sinks import bucket_check
from agents.steps import runs
from agents.supervisor import ActionSupervisor
from pipeline.action import compile_action
from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer, ensure_topics
from pipeline.connectors.otlp import exporting
from pipeline.connectors.s3.store import S3Store
from pipeline.control.config_log import ConfigLog
from pipeline.control.reload.following import follow, opened
from pipeline.control.reporter import reported
from pipeline.errors import ConfigError, NotFoundError
from pipeline.log import get_logger
from pipeline.process import collector
from pipeline.process.signals import stopping
from pipeline.web.page import Report, serving
from pipeline.web.working import telling

log: Final = get_logger("tidegate.worker")


async def serve(
    config: Config,
    *,
    actions: Sequence[str] = (),
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Run a worker until SIGTERM, SIGINT or `stop`. `actions` names the actions to run; the default is all that have
    rules.

    Raises ConfigError before anything starts if the configuration cannot be run. With `control`, it waits for one that can.
    """
    collector.slow_down()
    stop = stop or asyncio.Event()
    producer = Producer(config.kafka, process="worker")
    named = [name.removeprefix("s3:") for name in actions]
    async with AsyncExitStack() as stack:
        stack.enter_context(stopping(stop))
        await stack.enter_async_context(exporting(config.otel, process="worker", pipeline=config.pipeline))
        group = asyncio.TaskGroup()
        supervisor = ActionSupervisor(config, producer, group, named)
        topic = ConfigLog(config, patience_seconds=None) if config.control is not None else None
        report = Report(
            lambda: _problems(supervisor, producer, stop),
            lambda: _status(supervisor, producer, topic),
        )
        await stack.enter_async_context(serving("worker", config.metrics, report))
        if topic is None:
            _check(config, named)
        await asyncio.to_thread(ensure_topics, config.kafka, keep_trying=lambda: not stop.is_set())
        if stop.is_set() or (topic is not None and not await opened(topic, stop)):
            return
        if topic is not None:
            stack.push_async_exit(topic)
        await producer.connect()
        stack.push_async_callback(producer.close, 5.0)
        objects = lambda: topic.snapshot.objects if topic is not None else {}  # noqa: E731
        await stack.enter_async_context(reported("worker", config, report.status, lambda: supervisor.config, objects))
        if ready:
            ready()
        await stack.enter_async_context(telling(lambda facts: log.info("worker.working", **facts), DONE, LEFT))
        async with group, supervisor:
            if topic is None:
                await supervisor.become(config)
                await stop.wait()
            else:
                await follow(topic, supervisor.take, stop)
    log.info("worker.stopped")


def _problems(supervisor: ActionSupervisor, producer: Producer, stop: asyncio.Event) -> list[str]:
    """Why the worker does not work now: it stops, Kafka is away, or an action is not where it should be."""
    if stop.is_set():
        return ["it stops"]
    found = [] if producer.connected else [producer.status_reason]
    return found + [problem for runner in supervisor.runners.values() for problem in runner.problems()]


def _status(supervisor: ActionSupervisor, producer: Producer, topic: ConfigLog | None) -> dict[str, object]:
    found: dict[str, object] = {
        "pipeline": supervisor.config.pipeline,
        "kafka": {"status": producer.status, "status_reason": producer.status_reason},
        "actions": {f"s3:{each.name}": each.status() for each in supervisor.runners.values()},
    }
    if topic is not None:
        found |= {"revision": supervisor.config.revision, "problem": supervisor.problem or topic.error}
    return found


async def connect(config: Config) -> dict[str, str]:
    """Ask for the bucket of each action that would run: "connected", or why not."""
    found = {}
    for name in _chosen(config, ()):
        action = config.actions.s3[name]
        bucket = bucket_check.bucket_of(action)
        if bucket is None:
            found[name] = "not checked: the bucket is a template"
            continue
        async with S3Store(config.connectors.s3[action.connector]) as store:
            error = await bucket_check.failure(store, bucket, action.resource_opts.health_check_timeout)
        found[name] = f"disconnected: {error}" if error else "connected"
    return found


def _check(config: Config, names: Sequence[str]) -> None:
    """Check that the actions of a file can run. Raises ConfigError."""
    chosen = [compile_action(config, name) for name in _chosen(config, names)]
    used = [("connectors", "s3", action.connector) for action in chosen]
    require_secrets(config, *used, *(("actions", "s3", action.name) for action in chosen))


def _chosen(config: Config, actions: Sequence[str]) -> list[str]:
    """The actions to run of those that were asked for. Raises ConfigError if one does not exist, or if there are none."""
    wanted = dict.fromkeys(actions) or config.actions.s3
    unknown = [name for name in wanted if name not in config.actions.s3]
    if unknown:
        raise NotFoundError.among("action", unknown[0], config.actions.s3)
    chosen = [name for name in config.actions.s3 if name in wanted and runs(config, name)]
    if not chosen:
        raise ConfigError("nothing to do: no enabled rule feeds an enabled action with an enabled connector")
    return chosen
