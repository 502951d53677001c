"""The actions of a worker, kept as the configuration wants them: see pipeline/control/reload/supervisor.py.

A store is opened for each digest of a connector, and closed when no action uses it any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from agents import metrics
from agents.runner import ActionRunner
from agents.steps import needs_of, runs
from agents.stream.sharing.consumers import WorkerFetches
from agents.stream.worker_log import SharedTopicIds
from pipeline.action import CompiledAction, compile_action
from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.s3.store import S3Store
from pipeline.control.reload.supervisor import Supervisor, WantedPart
from pipeline.rule.lines import LineRules
from pipeline.rule.shared import Decoded, share


class ActionPlan(Struct, frozen=True):
    """A compiled action, and the digest of its store."""

    action: CompiledAction
    store: str


class ActionSupervisor(Supervisor[ActionPlan, ActionRunner]):
    """Runs the actions of a configuration."""

    def __init__(self, config: Config, producer: Producer, group: asyncio.TaskGroup, only: Sequence[str] = ()) -> None:
        """`only` names the actions to run; the default is all."""
        super().__init__(config, group)
        self._producer = producer
        self._only = frozenset(only)
        topics = {config.kafka.messages_topic, config.kafka.events_topic}
        self._ids = SharedTopicIds(TopicIds(config.kafka, "worker-topics"), topics)
        self._fetches = WorkerFetches()
        self._decoded = Decoded()
        self._stores: dict[str, S3Store] = {}
        self._store_of: dict[str, str] = {}

    async def _wanted(self, config: Config) -> Mapping[str, WantedPart[ActionPlan]]:
        names = [name for name in config.actions.s3 if runs(config, name) and (not self._only or name in self._only)]
        compiled = await asyncio.to_thread(lambda: {name: compile_action(config, name) for name in names})
        used = [("connectors", "s3", each.connector) for each in compiled.values()]
        require_secrets(config, *used, *(("actions", "s3", name) for name in compiled))
        found: dict[str, WantedPart[ActionPlan]] = {}
        for name, action in compiled.items():
            digests, store = needs_of(config, action)
            await self._open_store(store, config, action.connector)
            found[name] = WantedPart(ActionPlan(action, store), digests)
        self._store_of = {name: each.plan.store for name, each in found.items()}
        return found

    async def _open_store(self, digest: str, config: Config, connector: str) -> None:
        if digest not in self._stores:
            store = S3Store(config.connectors.s3[connector])
            await store.__aenter__()
            self._stores[digest] = store

    def _made(self, config: Config, plan: ActionPlan) -> ActionRunner:
        return ActionRunner(plan.action, config, self._stores[plan.store], self._producer, self._ids, self._fetches)

    def _kept(self, runner: ActionRunner, plan: ActionPlan, *, turned: bool) -> None:
        if turned:
            runner.turn_to(plan.action)
        runner.is_revision(plan.action.revision)

    def _forgotten(self, name: str) -> None:
        metrics.forget(name)

    async def _settled(self, names: set[str]) -> None:
        evaluators = [runner.evaluator for runner in self.runners.values()]
        share([each for each in evaluators if isinstance(each, LineRules)], self._decoded)
        used = {self._store_of[name] for name in names}
        for digest in self._stores.keys() - used:
            await self._stores.pop(digest).__aexit__(None, None, None)
