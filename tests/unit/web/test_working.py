"""The line a minute of a process that works."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry, Counter, Gauge

from pipeline.web import working
from tests.faults.simulation.clock import tell


def test_a_line_tells_what_was_done_since_the_last_one() -> None:
    """A line has the growth of counters and the state of gauges, and an idle process logs none."""
    registry = CollectorRegistry()
    rows = Counter("rows", "", ["action"], registry=registry)
    lag = Gauge("lag", "", ["action"], registry=registry)
    said: list[tuple[float, dict[str, int]]] = []
    rows.labels("before").inc(1000)

    async def story() -> None:
        now = asyncio.get_running_loop().time
        async with working.telling(lambda facts: said.append((now(), facts)), {"rows": rows}, {"lag": lag}):
            await asyncio.sleep(90)
            rows.labels("a").inc(3)
            rows.labels("b").inc(4)
            await asyncio.sleep(60)
            lag.labels("a").set(7)
            await asyncio.sleep(60)
            lag.labels("a").set(0)
            await asyncio.sleep(300)

    tell(1, story())
    assert [(round(at - said[0][0]), facts) for at, facts in said] == [
        (0, {"rows": 7, "lag": 0}),
        (60, {"rows": 0, "lag": 7}),
    ]
