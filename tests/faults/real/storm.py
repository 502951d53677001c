"""What goes wrong between real processes, each a named value that knows how to strike and how it ends, drawn from a seed.

A storm is some of them, one after the other, while records are produced. What hangs, sleeps or is cut off at its end is mended
then.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.demo.process import Server
from tests.components.pipeline_parts import Pipeline
from tests.parts.faulty_s3 import Fault, FaultyS3, Kind
from tests.parts.waiting import let_pass, patient

UPLOADS: Final = ("PUT",)


@dataclass
class Scene:
    """Where faults strike."""

    pipeline: Pipeline
    proxy: FaultyS3
    chance: random.Random
    alive: list[Server] = field(default_factory=list)
    frozen: list[Server] = field(default_factory=list)
    rules: int = 0

    def take(self) -> Server:
        """A worker at work, which another one replaces."""
        victim = self.alive.pop(self.chance.randrange(len(self.alive)))
        self.alive.append(self.pipeline.worker(wait=False))
        return victim

    def calm(self) -> None:
        """End the storm: S3 works again, and frozen workers wake up."""
        self.proxy.heal()
        for zombie in self.frozen:
            zombie.resume()
        self.frozen.clear()


class Strike(Protocol):
    """A fault."""

    def strike(self, scene: Scene) -> None:
        """Let it happen. Returns at once, or when it is over."""


@dataclass(frozen=True)
class Kill:
    """SIGKILL for a worker."""

    def strike(self, scene: Scene) -> None:
        scene.take().kill()


@dataclass(frozen=True)
class Freeze:
    """SIGSTOP for a worker, which sleeps longer than its session and wakes up without its partitions."""

    def strike(self, scene: Scene) -> None:
        victim = scene.take()
        victim.pause()
        scene.frozen.append(victim)


@dataclass(frozen=True)
class Wake:
    """All frozen workers go on."""

    def strike(self, scene: Scene) -> None:
        for zombie in scene.frozen:
            zombie.resume()
        scene.frozen.clear()


@dataclass(frozen=True)
class Stop:
    """An orderly stop and a new worker, which cause two rebalances."""

    def strike(self, scene: Scene) -> None:
        scene.take().stop()


@dataclass(frozen=True)
class BreakS3:
    """The store fails in this way for a share of the requests, until the next fault of S3 or the end of the storm."""

    fault: Fault

    def strike(self, scene: Scene) -> None:
        scene.proxy.inject(self.fault)


@dataclass(frozen=True)
class Felt:
    """Nothing more goes wrong until this fault of S3 has broken a request, if records are on their way to the store."""

    kind: Kind

    def strike(self, scene: Scene) -> None:
        let_pass(patient(10), unless=lambda: scene.proxy.injected(self.kind) > 0)


@dataclass(frozen=True)
class HealS3:
    """The store works again."""

    def strike(self, scene: Scene) -> None:
        scene.proxy.heal()


@dataclass(frozen=True)
class ChangeRule:
    """A deployment: the rule makes other rows from the same records, and one worker after the other gets it."""

    def strike(self, scene: Scene) -> None:
        scene.rules += 1
        text = f'SELECT clientid, payload.n AS n, {scene.rules} AS rule FROM "t/#" WHERE payload.keep = true'
        scene.pipeline.rules["r"] = text, ["rows"]
        scene.take().stop()


@dataclass(frozen=True)
class Outage:
    """All workers die and others come. Meanwhile something happens to the bucket, the group or the topic."""

    what: Callable[[Pipeline], object]

    def strike(self, scene: Scene) -> None:
        for worker in [*scene.alive, *scene.frozen]:
            worker.kill()
        scene.frozen.clear()
        self.what(scene.pipeline)
        scene.alive = [scene.pipeline.worker(wait=False) for _ in scene.alive]


LOST_ANSWERS: Final = BreakS3(Fault("lose_answer", methods=UPLOADS))
S3_FAULTS: Final = (
    LOST_ANSWERS,
    BreakS3(Fault("error", chance=0.5, status=503, code="SlowDown")),
    BreakS3(Fault("hang", chance=0.05, methods=UPLOADS)),
    BreakS3(Fault("hang_after", chance=0.05, methods=UPLOADS)),
    BreakS3(Fault("cut_sent", chance=0.3, methods=UPLOADS)),
    BreakS3(Fault("cut_before", chance=0.3)),
    BreakS3(Fault("delay", chance=0.5, seconds=0.3)),
)


def drawn(chance: random.Random, *, steps: int) -> list[Strike]:
    """Draw a storm: each step has one fault of a process, and one of S3 or its end."""
    processes: Sequence[Strike] = (Kill(), Freeze(), Stop(), Wake())
    storm: list[Strike] = []
    for _ in range(steps):
        storm.append(chance.choice(S3_FAULTS) if chance.random() < 0.7 else HealS3())
        storm.append(chance.choice(processes))
    return storm
