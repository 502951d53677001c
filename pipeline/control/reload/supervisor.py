"""Keeps the parts of a process as the configuration wants them while it changes: actions of a worker, sources of an ingress.

1. All wanted parts are prepared. If one cannot be, nothing changes: the last good configuration goes on, and status says why.
2. Parts that go are drained and stopped, those that differ are replaced, or turned in place if that suffices (steps.py).

Other parts do not notice. What changed is one line in the log. This file does not know what a part does.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from msgspec import Struct

from pipeline.config import Config
from pipeline.control.objects import Snapshot
from pipeline.control.reload.steps import VERBS, Digests, PartStep, steps
from pipeline.errors import ConfigError
from pipeline.log import get_logger

log: Final = get_logger("tidegate.control")


class Runner(Protocol):
    """A part that runs."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`, and end in order. What it raises is our fault, and ends the process."""


Running = TypeVar("Running", bound=Runner)
Plan = TypeVar("Plan")


class WantedPart(Struct, Generic[Plan], frozen=True):
    """A part as the configuration wants it: what to make of it, and what that depends on."""

    plan: Plan
    digests: Digests


class RunningPart(Struct, Generic[Running], frozen=True):
    """A part that runs, and how to stop it."""

    runner: Running
    digests: Digests
    stop: asyncio.Event
    task: asyncio.Task[None]


class Supervisor(ABC, Generic[Plan, Running]):
    """Runs the parts of a configuration. Use it as a context manager: it drains and stops them at its end.

    `group` gets their tasks: one that fails ends the process.
    """

    def __init__(self, config: Config, group: asyncio.TaskGroup) -> None:
        self.config = config
        self.problem = ""  # why the newest configuration does not run; empty if it does
        self._group = group
        self._members: dict[str, RunningPart[Running]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._members.values():
            each.stop.set()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*(each.task for each in self._members.values()), return_exceptions=True)
        await self._settled(set())

    @property
    def runners(self) -> dict[str, Running]:
        """All that run by name, in the order in which they were started."""
        return {name: each.runner for name, each in self._members.items()}

    async def take(self, snapshot: Snapshot) -> None:
        """Become what the configuration in Kafka is now. If that cannot run, the last good one goes on."""
        config, self.problem = snapshot.config, snapshot.problem
        try:
            found = await self.become(config)
        except ConfigError as error:
            self.problem = f"revision {config.revision} cannot run here: {error}"
            log.error("config.unusable", revision=config.revision, error=str(error))
            return
        if found:
            told = {verb: names for verb in VERBS if (names := [each.name for each in found if each.verb == verb])}
            log.info("config.applied", revision=config.revision, **told)

    async def become(self, config: Config) -> list[PartStep]:
        """Run the parts of this configuration, and no others; what that took.

        Raises ConfigError, and then nothing has changed.
        """
        wanted = await self._wanted(config)
        digests = {name: each.digests for name, each in wanted.items()}
        found = steps({name: each.digests for name, each in self._members.items()}, digests)
        made = {
            each.name: self._made(config, wanted[each.name].plan) for each in found if each.verb in ("start", "replace")
        }
        self.config = config
        await asyncio.gather(*(self._end(each) for each in found if each.verb in ("stop", "replace")))
        for name, each in wanted.items():
            if name in made:
                self._start(name, made[name], each.digests)
            else:
                self._go_on(name, each)
        await self._settled(set(wanted))
        return found

    # --- What the processes differ in

    @abstractmethod
    async def _wanted(self, config: Config) -> Mapping[str, WantedPart[Plan]]:
        """The parts to run, each checked. Raises ConfigError."""

    @abstractmethod
    def _made(self, config: Config, plan: Plan) -> Running:
        """A new part, which does not run yet and may never run. Raises ConfigError."""

    @abstractmethod
    def _kept(self, runner: Running, plan: Plan, *, turned: bool) -> None:
        """A part goes on under this plan; `turned`: it differs from the last one."""

    @abstractmethod
    def _forgotten(self, name: str) -> None:
        """A part is gone: its numbers go with it."""

    @abstractmethod
    async def _settled(self, names: set[str]) -> None:
        """These parts run, and no others."""

    # --- Single steps

    def _start(self, name: str, runner: Running, digests: Digests) -> None:
        stop = asyncio.Event()
        task = self._group.create_task(runner.run(stop), name=name)
        self._members[name] = RunningPart(runner, digests, stop, task)

    def _go_on(self, name: str, wanted: WantedPart[Plan]) -> None:
        before = self._members[name]
        self._kept(before.runner, wanted.plan, turned=before.digests != wanted.digests)
        self._members[name] = RunningPart(before.runner, wanted.digests, before.stop, before.task)

    async def _end(self, step: PartStep) -> None:
        """Drain and stop a part."""
        each = self._members.pop(step.name)
        each.stop.set()
        await each.task
        if step.verb == "stop":
            self._forgotten(step.name)
