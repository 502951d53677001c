"""One action of a worker: run, started again from what is durable when its lanes cannot go on, drained when it is to end.

A change of its rules, keys or contents is taken up in place, without a rebalance: a lane turns at a cut (aggregated), or
between two batches (direct).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Final, cast

from agents.metrics import RESTARTS
from agents.sinks import bucket_check, writers
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.patient_store import PatientStore
from agents.sinks.writers import Outside
from agents.stream import app as wiring
from agents.stream.app import ActionApp
from agents.stream.groups import require_group
from agents.stream.sharing.consumers import WorkerFetches
from agents.stream.stop import ANSWER_SECONDS_MAX, is_done_before
from agents.stream.worker_log import ReadLog, SharedTopicIds, WorkerLog, watch
from pipeline.action import CompiledAction
from pipeline.config import Config
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.reader import goes_to
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import InternalError, TidegateError
from pipeline.log import get_logger
from pipeline.retry import RESTART, RESTART_STABLE_SECONDS
from pipeline.rule.batch import Evaluator

DRAIN_SECONDS: Final = 20.0

log = get_logger("tidegate.worker")


class ActionRunner:
    """Runs one action of the configuration until it must stop."""

    def __init__(
        self,
        action: CompiledAction,
        config: Config,
        store: S3Store,
        producer: Producer,
        topic_ids: SharedTopicIds,
        fetches: WorkerFetches | None = None,
    ) -> None:
        self.name = name = action.name
        self._action = action
        self._config = config
        self._store = store
        self.attempts = attempts = Attempts(name, cap_seconds=action.options.resume_interval)
        dead_letters = DeadLetters(producer, config.kafka.dead_letter_topic, name, attempts, pipeline=config.pipeline)
        self.app: ActionApp | None = None
        self._topic_ids = topic_ids
        self._fetches = fetches
        kafka = WorkerLog(topic_ids, attempts, self._consumer, partial(goes_to, config.kafka))
        self._writer = writers.writer_of(action, Outside(PatientStore(store, attempts), dead_letters, kafka))

    @property
    def group(self) -> str:
        """The action's consumer group."""
        return f"{self._config.pipeline}.{self.name}"

    @property
    def evaluator(self) -> Evaluator:
        """What makes the rows of the action as it is now."""
        return self._action.evaluator

    def turn_to(self, action: CompiledAction) -> None:
        """Go on under another version of the action, which reads the same topics and writes to the same place.

        What else may differ is a matter of `steps.needs_of`.
        """
        self._action = action
        writers.turn(self._writer, action)
        if self.app is not None:
            self.app.rules = action.evaluator
            self.app.lanes.turn()

    def is_revision(self, revision: int) -> None:
        """The action is the same in this revision of the configuration."""
        if revision > self._action.revision:
            self._action = replace(self._action, revision=revision)
            writers.turn(self._writer, self._action)
            if self.app is not None:
                self.app.lanes.turn()

    def status(self) -> dict[str, object]:
        """The action's status for /status, with the names and words of EMQX's REST API if it has them."""
        lanes = self.app.lanes if self.app else None
        return {
            "status": self.attempts.status,
            "status_reason": self.attempts.status_reason,
            "revision": self._action.revision,
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
                async with self._running(stop) as app:
                    if app is not None:
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
    async def _running(self, stop: asyncio.Event) -> AsyncIterator[ActionApp | None]:
        """The app while it runs, or None if `stop` came before it had started."""
        if not await is_done_before(stop, require_group(self._config.kafka, self.group)):
            yield None
            return
        lanes_of = writers.lanes_of(self._writer)
        app = wiring.build(self.group, self._action, self._config.kafka, lanes_of, self._fetches)
        self.app = app
        async with wiring.running(app, stop) as started:
            if not started:
                yield None
                return
            log.info("action.started", action=self.name, group=self.group, rules=sorted(self._action.rules.statements))
            yield app

    async def _watch(self, app: ActionApp, stop: asyncio.Event) -> None:
        """Wait until `stop`, or until a lane or Faust itself fails."""
        watching = asyncio.create_task(watch(self._action.topics, self._topic_ids, app.lanes.replaced, self.attempts))
        try:
            # Not `wait_until_stopped`: when that is cancelled, it leaves two tasks that nobody ends.
            await app.wait_first(stop.wait(), asyncio.shield(app.lanes.failed))
            if app.lanes.failed.done():
                app.lanes.failed.result()
            if not stop.is_set():
                raise InternalError(f"Faust stopped by itself: {app.crash_reason!r}") from app.crash_reason
            if not await app.lanes.drain(DRAIN_SECONDS):
                log.warning("action.stopped_early", action=self.name)
            with suppress(TimeoutError):  # the next owner reads again what is not committed
                async with asyncio.timeout(ANSWER_SECONDS_MAX):
                    await app.consumer.commit()
        finally:
            watching.cancel()

    def _consumer(self) -> ReadLog:
        """The consumer of the app that runs now."""
        assert self.app is not None
        return cast(ReadLog, self.app.consumer)
