"""The actions of a worker, kept as the configuration wants them while it changes.

1. All wanted actions are compiled. If one cannot be, nothing changes: the last good configuration goes on, and status says why.
2. Actions that go are drained and stopped, those that differ are replaced, or turned in place if that suffices (steps.py).
3. A store is opened for each digest of a connector, and closed when no action uses it any more.

Other actions do not notice. What changed is one line in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from agents import metrics
from agents.runner import ActionRunner
from agents.steps import ActionStep, Digests, digests_of, runs, steps
from agents.stream.kafka_log import SharedTopicIds
from pipeline.action import CompiledAction, compile_action
from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.s3.store import S3Store
from pipeline.control.objects import Snapshot
from pipeline.errors import ConfigError
from pipeline.log import get_logger

log = get_logger("tidegate.worker")


@dataclass(frozen=True, slots=True)
class RunningAction:
    """An action that runs, and how to stop it."""

    runner: ActionRunner
    digests: Digests
    stop: asyncio.Event
    task: asyncio.Task[None]


class Supervisor:
    """Runs the actions of a configuration. `group` gets their tasks: one that fails is our fault, and ends the process."""

    def __init__(self, config: Config, producer: Producer, group: asyncio.TaskGroup, only: Sequence[str] = ()) -> None:
        """`only` names the actions to run; the default is all."""
        self.config = config
        self.problem = ""  # why the newest configuration does not run; empty if it does
        self._producer = producer
        self._group = group
        self._only = frozenset(only)
        topics = {config.kafka.messages_topic, config.kafka.events_topic}
        self._ids = SharedTopicIds(TopicIds(config.kafka, "worker-topics"), topics)
        self._running: dict[str, RunningAction] = {}
        self._stores: dict[str, S3Store] = {}

    @property
    def runners(self) -> list[ActionRunner]:
        """All that run, in the order in which they were started."""
        return [each.runner for each in self._running.values()]

    async def take(self, snapshot: Snapshot) -> None:
        """Become what the configuration in Kafka is now. If that cannot run, the last good one goes on."""
        config, self.problem = snapshot.config, snapshot.problem
        try:
            found = await self.become(config)
        except ConfigError as error:
            self.problem = f"revision {config.revision} cannot run here: {error}"
            log.error("config.unusable", revision=config.revision, error=str(error))
            return
        told = {verb: [each.action for each in found if each.verb == verb] for verb in _VERBS}
        if found:
            log.info(
                "config.applied", revision=config.revision, **{verb: names for verb, names in told.items() if names}
            )

    async def become(self, config: Config) -> list[ActionStep]:
        """Run the actions of this configuration, and no others; what that took.

        Raises ConfigError, and then nothing has changed.
        """
        names = [name for name in config.actions.s3 if runs(config, name) and (not self._only or name in self._only)]
        compiled = await asyncio.to_thread(lambda: {name: compile_action(config, name) for name in names})
        used = [("connectors", "s3", each.connector) for each in compiled.values()]
        require_secrets(config, *used, *(("actions", "s3", name) for name in compiled))
        wanted = {name: digests_of(config, each) for name, each in compiled.items()}
        self.config = config
        found = steps({name: each.digests for name, each in self._running.items()}, wanted)
        await asyncio.gather(*(self._end(each) for each in found if each.verb in ("stop", "replace")))
        for name, digests in wanted.items():
            await self._go_on(next((each for each in found if each.action == name), None), compiled[name], digests)
        await self._close_stores({each.digests.store for each in self._running.values()})
        return found

    async def close(self) -> None:
        """Drain and stop all actions, and close their stores."""
        for each in self._running.values():
            each.stop.set()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*(each.task for each in self._running.values()), return_exceptions=True)
        await self._close_stores(set())

    async def _go_on(self, step: ActionStep | None, action: CompiledAction, digests: Digests) -> None:
        name = action.name
        if step is not None and step.verb in ("start", "replace"):
            await self._start(action, digests)
            return
        before = self._running[name]
        if step is not None:
            before.runner.turn_to(action)
            self._running[name] = RunningAction(before.runner, digests, before.stop, before.task)
        before.runner.is_revision(action.revision)

    async def _start(self, action: CompiledAction, digests: Digests) -> None:
        store = self._stores.get(digests.store)
        if store is None:
            store = S3Store(self.config.connectors.s3[action.connector])
            await store.__aenter__()
            self._stores[digests.store] = store
        runner, stop = ActionRunner(action, self.config, store, self._producer, self._ids), asyncio.Event()
        task = self._group.create_task(runner.run(stop), name=f"action {action.name}")
        self._running[action.name] = RunningAction(runner, digests, stop, task)

    async def _end(self, step: ActionStep) -> None:
        """Drain and stop an action. Its numbers go with it, unless it is replaced."""
        each = self._running.pop(step.action)
        each.stop.set()
        await each.task
        if step.verb == "stop":
            metrics.forget(step.action)

    async def _close_stores(self, used: set[str]) -> None:
        for digest in self._stores.keys() - used:
            await self._stores.pop(digest).__aexit__(None, None, None)


_VERBS = ("start", "stop", "replace", "turn")
