"""The sources of an ingress, kept as the configuration wants them: see pipeline/control/reload/supervisor.py.

A source is replaced for each change of its settings: it stops reading, acknowledges what Kafka has, and connects again. It keeps
its clientid, so the broker keeps its session and what comes meanwhile. A source that is removed or disabled leaves its session
to the broker, for `session_expiry`, because it may come back.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ingress import metrics
from ingress.listener.server import Listener
from ingress.runner import Carrier, SourceRunner
from ingress.source import Source
from pipeline.config import Config
from pipeline.config.base.source import SourceSection
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.producer import Producer
from pipeline.control.reload.steps import Digests, decisive, digest
from pipeline.control.reload.supervisor import Supervisor, WantedPart
from pipeline.extras import needed


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """A source by the id `type:name`, how to open it, and the revision of the configuration that has it."""

    id: str
    open_carrier: Callable[[], Carrier]
    revision: int


class SourceSupervisor(Supervisor[SourcePlan, SourceRunner]):
    """Runs the sources of a configuration."""

    def __init__(self, config: Config, producer: Producer, group: asyncio.TaskGroup) -> None:
        super().__init__(config, group)
        self._producer = producer
        self._sessions: dict[tuple[str, str, str], set[str]] = defaultdict(
            set
        )  # filters of sessions, by source and broker

    async def _wanted(self, config: Config) -> Mapping[str, WantedPart[SourcePlan]]:
        found: dict[str, WantedPart[SourcePlan]] = {}
        for id, source in sources_of(config).items():
            type_, _, name = id.partition(":")
            require_secrets(config, ("sources", type_, name))
            same = digest([id, decisive(source)])
            plan = SourcePlan(id, lambda id=id: self._opened(config, id), config.revision)  # type: ignore[misc]
            found[id] = WantedPart(plan, Digests(same, same))
        return found

    def _opened(self, config: Config, id: str) -> Carrier:
        """Open a source. One of MQTT knows what the source before it has subscribed to in the same session."""
        source = config.sources.mqtt.get(id.removeprefix("mqtt:"))
        session = self._sessions[id, source.server, source.clientid] if source is not None else None
        return open_carrier(config, id, self._producer, session)

    def _made(self, config: Config, plan: SourcePlan) -> SourceRunner:
        return SourceRunner(plan.id, plan.open_carrier, plan.revision, again=config.control is not None)

    def _kept(self, runner: SourceRunner, plan: SourcePlan, *, turned: bool) -> None:
        runner.revision = plan.revision

    def _forgotten(self, name: str) -> None:
        source = name.partition(":")[2]
        if all(each.partition(":")[2] != source for each in self.runners):
            metrics.forget(source)

    async def _settled(self, names: set[str]) -> None:
        """Sources share nothing."""


def sources_of(config: Config) -> dict[str, SourceSection]:
    """The enabled sources of a configuration by id."""
    kinds: Mapping[str, Mapping[str, SourceSection]] = {
        "mqtt": config.sources.mqtt,
        "exhook": config.sources.exhook,
        "listener": config.sources.listener,
    }
    return {
        f"{type_}:{name}": source for type_, each in kinds.items() for name, source in each.items() if source.enable
    }


def open_carrier(config: Config, id: str, producer: Producer, session: set[str] | None = None) -> Carrier:
    """The source with this id, which does not run yet. `session`: see Source. Raises ConfigError."""
    type_, _, name = id.partition(":")
    if type_ == "mqtt":
        source = config.sources.mqtt[name]
        return Source(name, source, pipeline=config.pipeline, kafka=config.kafka, producer=producer, session=session)
    if type_ == "exhook":
        with needed("exhook", "sources.exhook"):
            from ingress.exhook.server import ExHookServer
        return ExHookServer(name, config.sources.exhook[name], kafka=config.kafka, producer=producer)
    return Listener(name, config.sources.listener[name], kafka=config.kafka, producer=producer)
