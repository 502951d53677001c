"""The bucket that the product wrote, one damage to it, and what `verify` says of it then."""

from __future__ import annotations

import asyncio
import functools
import os
import random
from collections.abc import Sequence
from datetime import timedelta

from agents.operate.verify import Report, Verifier
from agents.operate.verify_direct import DirectDone, DirectVerifier, Note
from pipeline.config import DirectParameters
from pipeline.upload.ledger_check import Finding
from tests.faults.damages.made import BUCKET, aggregated_action, direct_action, write_everything
from tests.faults.damages.scene import Damage, Scene, Thing
from tests.faults.damages.store import BEGIN, MemoryStore

SEEDS = int(os.environ.get("TIDEGATE_DAMAGE_SEEDS", "2"))
NOW = BEGIN + timedelta(days=1)


@functools.cache
def made() -> MemoryStore:
    """The bucket as the product wrote it."""
    store = MemoryStore()
    asyncio.run(write_everything(store, 1))
    return store


def copy_of(store: MemoryStore) -> MemoryStore:
    return MemoryStore(dict(store.objects))


def scene_of(store: MemoryStore, action: str, partition: int, seed: int) -> Scene:
    objects = {key: Thing(stored.body, dict(stored.metadata)) for (_, key), stored in store.objects.items()}
    return Scene(objects, action, partition, random.Random(seed))


def damaged(damage: Damage, action: str, partition: int, seed: int) -> tuple[MemoryStore, Scene]:
    """The bucket after one damage."""
    store = copy_of(made())
    scene = scene_of(store, action, partition, seed)
    before = dict(scene.objects)
    damage.do(scene)
    for key in before.keys() - scene.objects.keys():
        del store.objects[BUCKET, key]
    for key, thing in scene.objects.items():
        if before.get(key) != thing:
            store.place(BUCKET, key, *thing)
    assert store.objects != made().objects
    return store, scene


def verified(store: MemoryStore, action: str, *, deep: bool, sweep: bool = False) -> list[Report]:
    """What `verify` says of one action."""

    async def all_reports() -> list[Report]:
        parameters = aggregated_action(action, 0).parameters
        verifier = Verifier(action, parameters, store, deep=deep, sweep=sweep, now=lambda: NOW)  # type: ignore[arg-type]
        return [report async for report in verifier.reports()]

    return asyncio.run(all_reports())


def findings(reports: list[Report]) -> list[Finding]:
    return [report for report in reports if isinstance(report, Finding)]


def verified_direct(store: MemoryStore, *, deep: bool, **parameters: str) -> list[Finding | DirectDone | Note]:
    """What `verify` says of the direct action, some of whose settings may be others."""

    async def all_reports() -> list[Finding | DirectDone | Note]:
        action = direct_action()
        settings = action.parameters.model_copy(update=parameters)
        assert isinstance(settings, DirectParameters)
        verifier = DirectVerifier(action.mark, settings, store, deep=deep)  # type: ignore[arg-type]
        return [report async for report in verifier.reports()]

    return asyncio.run(all_reports())


def kinds(reports: Sequence[object]) -> set[str]:
    return {report.kind for report in reports if isinstance(report, Finding)}
