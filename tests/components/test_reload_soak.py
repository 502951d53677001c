"""Replacements leave nothing behind: the supervisors of a worker and of an ingress, between a real Kafka and a real S3.

TIDEGATE_REPLACEMENTS makes it longer: 1000 is a soak.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import REGISTRY

from agents.supervisor import ActionSupervisor
from ingress.supervisor import SourceSupervisor
from pipeline.config import Config
from pipeline.config.load import load
from pipeline.connectors.kafka.producer import Producer, ensure_topics
from tests.components.pipeline_parts import Make, aggregated, direct
from tests.parts.part import MqttPart
from tests.parts.waiting import until

pytestmark = [pytest.mark.real, pytest.mark.slow]
REPLACEMENTS = int(os.environ.get("TIDEGATE_REPLACEMENTS", "6"))
WARM = 2  # replacements before the first count
LEFT_BYTES_MAX = 60_000  # of memory for each replacement: an action takes many times as much
REPORTED_EVERY = 50  # replacements: a soak of an hour says how it goes
SLACK = 3  # sockets and tasks that come and go by themselves


def counts() -> dict[str, int]:
    """What must not grow."""
    gc.collect()
    return {
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "files and sockets": len(os.listdir("/proc/self/fd")),
        "series": sum(len(family.samples) for family in REGISTRY.collect()),
    }


def more_than(before: dict[str, int]) -> dict[str, int]:
    """What has grown."""
    return {name: count for name, count in counts().items() if count > before[name] + SLACK}


def left_tasks(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What asyncio says of tasks that nobody ended, now that nothing refers to them."""
    gc.collect()
    return [each for each in caplog.messages if "destroyed" in each]


@pytest.fixture
def traced() -> Iterator[None]:
    """tracemalloc is off again after the test, when no client of Kafka is left.

    CPython's tracemalloc.stop() races with threads that call Python: a process whose librdkafka calls back then ends by SIGSEGV.
    """
    yield
    tracemalloc.stop()


def config(settings: dict[str, Any], number: int, broker: MqttPart) -> Config:
    """A configuration in which an aggregated action, a direct one and a source differ from the last, and come and go."""
    name = f"of-{number % 2}"
    limit = {"max_buffer_bytes": f"{16 + number % 7}MB"}
    actions = {
        "rows": {**aggregated("soak", "a/${partition}-${offset}-${epoch}.jsonl"), "resource_opts": limit},
        name: {**direct("soak", "d/${id}"), "resource_opts": limit},
    }
    rule = {"sql": f'SELECT *, {number} AS v FROM "t/#"', "actions": ["s3:rows", f"s3:{name}"]}
    sources = {"mqtt": {name: {"server": broker.server_address, "topics": [f"soak{number}/#"]}}}
    return load({**settings, "actions": {"s3": actions}, "rules": {"r": rule}, "sources": sources})


@pytest.mark.usefixtures("traced")
@pytest.mark.timeout(90 + 10 * REPLACEMENTS)
async def test_replacements_leave_nothing_behind(
    make: Make, mqtt_broker: MqttPart, caplog: pytest.LogCaptureFixture
) -> None:
    """After some dozens of replaced actions and sources, memory, threads, tasks, sockets and series are what they were.

    Nobody leaves a task for the garbage collector.
    """
    left_tasks(caplog)  # of earlier tests
    caplog.clear()
    left: list[str] = []
    pipeline = make()
    await asyncio.to_thread(pipeline.prepare, "soak")
    settings = pipeline.whole()
    first = config(settings, 0, mqtt_broker)
    await asyncio.to_thread(ensure_topics, first.kafka)
    producer = Producer(first.kafka, process="worker")
    await producer.connect()
    group = asyncio.TaskGroup()
    async with (
        group,
        ActionSupervisor(first, producer, group) as actions,
        SourceSupervisor(first, producer, group) as sources,
    ):

        async def turn(number: int) -> None:
            wanted = config(settings, number, mqtt_broker)
            await actions.become(wanted)
            await sources.become(wanted)
            await until(lambda: not [each for runner in actions.runners.values() for each in runner.problems()], 60)
            await until(lambda: all(each.connected for each in sources.runners.values()), 30)

        for number in range(WARM):
            await turn(number)
        before = counts()
        tracemalloc.start()
        held = tracemalloc.get_traced_memory()[0]
        for number in range(WARM, WARM + REPLACEMENTS):
            await turn(number)
            left += left_tasks(caplog)
            caplog.clear()  # what was logged holds memory, and errors hold all that they saw
            if number % REPORTED_EVERY == 0:
                print(f"{number}: {tracemalloc.get_traced_memory()[0] - held} bytes more, {counts()}", flush=True)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - held
        # A started action has tasks that come and go.
        await until(lambda: not more_than(before), 30, lambda: str(more_than(before)))
        print(f"{REPLACEMENTS} replacements: {grown} bytes more, {before} before, {counts()} after")
    await producer.close(1.0)

    assert left + left_tasks(caplog) == []
    assert grown < 2_000_000 + LEFT_BYTES_MAX * REPLACEMENTS
