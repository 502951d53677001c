"""The worker process in the order of its life: connect, start the actions, watch them, drain, stop.

Each action runs separately. If it cannot go on (its fence was lost, its objects are not ours), it restarts from what is durable,
and the other actions continue. A stop drains: within a deadline, the worker writes what it has read, the ledger and the offsets.
The next owner reads the rest again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Final, cast

from agents.metrics import DONE, LEFT, RESTARTS
from agents.sinks import bucket_check, writers
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.patient_store import PatientStore
from agents.sinks.writers import Outside
from agents.stream import app as wiring
from agents.stream.app import ActionApp
from agents.stream.kafka_log import ReadLog, SharedTopicIds, WorkerLog, watch
from pipeline import collector
from pipeline.action import CompiledAction, compile_action, statements_of
from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer, ensure_topics
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.s3.store import S3Store
from pipeline.control.reporter import reported
from pipeline.errors import ConfigError, InternalError, NotFoundError, TidegateError
from pipeline.log import get_logger
from pipeline.retry import RESTART, RESTART_STABLE_SECONDS
from pipeline.signals import stopping
from pipeline.web.page import Report, serving
from pipeline.web.working import telling

DRAIN_SECONDS: Final = 20.0

log = get_logger("tidegate.worker")


class ActionRunner:
    """Runs one action of the configuration until it must stop."""

    def __init__(
        self, action: CompiledAction, config: Config, store: S3Store, producer: Producer, topic_ids: SharedTopicIds
    ) -> None:
        self.name = name = action.name
        self._action = action
        self._config = config
        self._store = store
        self.attempts = attempts = Attempts(name, cap_seconds=action.options.resume_interval)
        dead_letters = DeadLetters(producer, config.kafka.dead_letter_topic, name, attempts, pipeline=config.pipeline)
        self.app: ActionApp | None = None
        self._topic_ids = topic_ids
        kafka = WorkerLog(topic_ids, attempts, self._consumer)
        self._writer = writers.writer_of(action, Outside(PatientStore(store, attempts), dead_letters, kafka))

    @property
    def group(self) -> str:
        """The action's consumer group."""
        return f"{self._config.pipeline}.{self.name}"

    def status(self) -> dict[str, object]:
        """The action's status for /status, with the names and words of EMQX's REST API if it has them."""
        lanes = self.app.lanes if self.app else None
        return {
            "status": self.attempts.status,
            "status_reason": self.attempts.status_reason,
            "consumer_group": self.group,
            "partitions": [f"{topic}[{number}]" for topic, number in sorted(lanes.partitions())] if lanes else [],
            "stopped_partitions": self._stopped(),
            "held_bytes": lanes.held_bytes if lanes else 0,
        }

    def problems(self) -> list[str]:
        """Reasons why the action does not work now, for /readyz. Empty while it works."""
        if self.app is None or not self.app.lanes.assigned:
            return [f"s3:{self.name} has no place in its consumer group {self.group} yet"]
        if self.attempts.status == "disconnected":
            return [f"s3:{self.name} is disconnected: {self.attempts.status_reason}"]
        return [f"s3:{self.name} stands still in {where}: {why}" for where, why in self._stopped().items()]

    def _stopped(self) -> dict[str, str]:
        """Partitions that stand still, with the reasons."""
        lanes = self.app.lanes if self.app else None
        found = [lane for each in lanes.partitions() if (lane := lanes.lane(each)) is not None] if lanes else []
        return {f"{lane.partition.topic}[{lane.partition.partition}]": lane.stopped for lane in found if lane.stopped}

    async def run(self, stop: asyncio.Event) -> None:
        """Run the app and check its bucket until `stop`."""
        async with asyncio.TaskGroup() as group:
            group.create_task(bucket_check.watch(self._config.actions.s3[self.name], self._store, self.attempts, stop))
            await self._run(stop)

    async def _run(self, stop: asyncio.Event) -> None:
        """Run the app, and restart it if its lanes cannot go on. Drain and stop it on `stop`."""
        waits, clock = RESTART.waits(random.random), asyncio.get_running_loop().time
        while not stop.is_set():
            began = clock()
            try:
                async with self._running() as app:
                    await self._watch(app, stop)
            except Exception as error:
                RESTARTS.labels(self.name).inc()
                if clock() - began > RESTART_STABLE_SECONDS:
                    waits = RESTART.waits(random.random)
                wait = waits.after(error)
                known = isinstance(error, TidegateError) and error.fault != "us"
                log.error(
                    "action.failed",
                    action=self.name,
                    error=str(error) or repr(error),
                    again_in_seconds=round(wait, 1),
                    exc_info=None if known else error,
                )
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await stop.wait()

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[ActionApp]:
        app = wiring.build(self.group, self._action, self._config.kafka, writers.lanes_of(self._writer))
        self.app = app
        app.finalize()
        await app.start()
        log.info("action.started", action=self.name, group=self.group, rules=sorted(self._action.rules.statements))
        try:
            yield app
        finally:
            await app.stop()
            await app.lanes.close()

    async def _watch(self, app: ActionApp, stop: asyncio.Event) -> None:
        """Wait until `stop`, or until a lane or Faust itself fails."""
        stopped = asyncio.create_task(stop.wait())
        crashed = asyncio.create_task(app.wait_until_stopped())
        watching = asyncio.create_task(watch(self._action.topics, self._topic_ids, app.lanes.replaced))
        try:
            waited: set[asyncio.Future[Any]] = {stopped, crashed, app.lanes.failed}
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            if app.lanes.failed.done():
                app.lanes.failed.result()
            if not stop.is_set():
                raise InternalError(f"Faust stopped by itself: {app.crash_reason!r}") from app.crash_reason
            if not await app.lanes.drain(DRAIN_SECONDS):
                log.warning("action.stopped_early", action=self.name)
            await app.consumer.commit()
        finally:
            stopped.cancel()
            crashed.cancel()
            watching.cancel()

    def _consumer(self) -> ReadLog:
        """The consumer of the app that runs now."""
        assert self.app is not None
        return cast(ReadLog, self.app.consumer)


async def serve(
    config: Config,
    *,
    actions: Sequence[str] = (),
    stop: asyncio.Event | None = None,
    ready: Callable[[], None] | None = None,
) -> None:
    """Run a worker until SIGTERM, SIGINT or `stop`. `actions` names the actions to run; the default is all that have
    rules.

    Raises ConfigError before anything starts if the configuration cannot be run.
    """
    collector.slow_down()
    stop = stop or asyncio.Event()
    runners: list[ActionRunner] = []
    producer = Producer(config.kafka, process="worker")
    report = Report(
        lambda: _problems(runners, producer, stop),
        lambda: _status(config, runners, producer),
    )
    async with AsyncExitStack() as stack:
        stack.enter_context(stopping(stop))
        await stack.enter_async_context(serving("worker", config.metrics, report))
        chosen = [compile_action(config, name) for name in _chosen(config, actions)]
        require_secrets(config, *(("connectors", "s3", action.connector) for action in chosen))
        runners += await _runners(config, chosen, producer, stack)
        await asyncio.to_thread(ensure_topics, config.kafka, keep_trying=lambda: not stop.is_set())
        if stop.is_set():
            return
        await producer.connect()
        stack.push_async_callback(producer.close, 5.0)
        await stack.enter_async_context(reported("worker", config, report.status))
        if ready:
            ready()
        await stack.enter_async_context(telling(lambda facts: log.info("worker.working", **facts), DONE, LEFT))
        async with asyncio.TaskGroup() as group:
            for runner in runners:
                group.create_task(runner.run(stop))
    log.info("worker.stopped")


def _problems(runners: Sequence[ActionRunner], producer: Producer, stop: asyncio.Event) -> list[str]:
    """Reasons why the worker does not work now: it is stopping, Kafka is away, or an action does not work."""
    if stop.is_set():
        return ["it stops"]
    found = [] if producer.connected else [producer.status_reason]
    return found + [problem for runner in runners for problem in runner.problems()]


def _status(config: Config, runners: Sequence[ActionRunner], producer: Producer) -> dict[str, object]:
    return {
        "pipeline": config.pipeline,
        "kafka": {"status": producer.status, "status_reason": producer.status_reason},
        "actions": {f"s3:{each.name}": each.status() for each in runners},
    }


async def connect(config: Config) -> dict[str, str]:
    """Check the bucket of each action that would run. Returns "connected" or the reason for each."""
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


def _chosen(config: Config, actions: Sequence[str]) -> list[str]:
    """The requested actions. Raises ConfigError if one does not exist, or if nothing would run."""
    wanted = dict.fromkeys(name.removeprefix("s3:") for name in actions) or config.actions.s3
    unknown = [name for name in wanted if name not in config.actions.s3]
    if unknown:
        raise NotFoundError.among("action", unknown[0], config.actions.s3)
    chosen = [name for name in config.actions.s3 if name in wanted and _runs(config, name)]
    if not chosen:
        raise ConfigError("nothing to do: no enabled rule feeds an enabled action with an enabled connector")
    return chosen


def _runs(config: Config, name: str) -> bool:
    """Whether an action and its connector are enabled, and an enabled rule feeds it."""
    action = config.actions.s3[name]
    return action.enable and config.connectors.s3[action.connector].enable and bool(statements_of(config, name))


async def _runners(
    config: Config, actions: Sequence[CompiledAction], producer: Producer, stack: AsyncExitStack
) -> list[ActionRunner]:
    """Make a runner for each action. Actions with the same connector share its store."""
    stores: dict[str, S3Store] = {}
    for action in actions:
        if action.connector not in stores:
            stores[action.connector] = await stack.enter_async_context(S3Store(config.connectors.s3[action.connector]))
    topics = {topic for action in actions for topic in action.topics}
    ids = SharedTopicIds(TopicIds(config.kafka, "worker-topics"), topics)
    return [ActionRunner(action, config, stores[action.connector], producer, ids) for action in actions]
