"""Logs one line a minute while a process works: what it did since the last line, and what is left to do.

A process without work logs nothing. This file does not know what the counters count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Final

from prometheus_client import Counter, Gauge

from pipeline.process.beside import beside

LINE_SECONDS: Final = 60.0


Say = Callable[[dict[str, int]], object]


def telling(
    say: Say, done: Mapping[str, Counter], left: Mapping[str, Gauge], *, seconds: float = LINE_SECONDS
) -> AbstractAsyncContextManager[None]:
    """In the block, call `say` every `seconds` with the growth of each counter and the value of each gauge."""
    return beside(_tell(say, done, left, seconds), "working")


async def _tell(say: Say, done: Mapping[str, Counter], left: Mapping[str, Gauge], seconds: float) -> None:
    before = {name: total(counter) for name, counter in done.items()}
    while True:
        await asyncio.sleep(seconds)
        now = {name: total(counter) for name, counter in done.items()}
        facts = {name: now[name] - before[name] for name in now} | {name: total(gauge) for name, gauge in left.items()}
        before = now
        if any(facts.values()):
            say(facts)


def total(metric: Counter | Gauge) -> int:
    """The sum of a metric over all its labels."""
    samples = [sample for family in metric.collect() for sample in family.samples]
    return round(sum(sample.value for sample in samples if not sample.name.endswith("_created")))
