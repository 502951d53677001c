"""Several actions of one worker on one topic: they share what they fetch, and nothing else."""

from __future__ import annotations

import json
from functools import partial

import pytest

from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, Pipeline, aggregated, message
from tests.faults import checkers
from tests.parts.waiting import wait_until

pytestmark = pytest.mark.real
GOOD = ["one", "two", "three", "four"]
ROUNDS, MESSAGES, BACKLOG = 10, 200, 2_000
RECORDS = "tidegate_worker_records_total"


def numbers(pipeline: Pipeline, bucket: str) -> dict[str, list[int]]:
    """The numbers of all rows in a bucket, by the first part of their object's key."""
    found: dict[str, list[int]] = {}
    for key, content in checkers.data_objects(pipeline.objects(bucket)).items():
        found.setdefault(key.partition("/")[0], []).extend(json.loads(line)["n"] for line in content.splitlines())
    return {name: sorted(each) for name, each in found.items()}


def is_read(pipeline: Pipeline, count: int) -> bool:
    """Whether the actions have read so many records. They read some again if the machine is too busy for their sessions."""
    return pipeline.counted(RECORDS) >= count


def told(pipeline: Pipeline) -> str:
    """How many records the actions have read."""
    return f"the actions have read {pipeline.counted(RECORDS):.0f} records"


def test_five_actions_share_their_fetches_and_one_without_a_bucket_delays_nobody(make: Make) -> None:
    """All rows are there once for each action, fetches served several, and the one that stood still catches up."""
    pipeline = make(
        actions={
            name: aggregated(f"shared-{name}", f"{name}/${{partition}}-${{offset}}.jsonl", seconds=1)
            for name in [*GOOD, "late"]
        },
        rules={
            name: (f'SELECT payload.n AS n, {number} AS of FROM "t/#"', [name])
            for number, name in enumerate([*GOOD, "late"])
        },
        metrics_port=free_port(),
    )
    pipeline.prepare(*[f"shared-{name}" for name in GOOD])
    pipeline.worker()
    produced = 0

    def of(source: str) -> float:
        return pipeline.counted("tidegate_worker_fetches_total", f'source="{source}"')

    def have_shared() -> bool:
        """Whether a fetch has served several. How many do depends on how even the machine lets the actions run."""
        nonlocal produced
        for first in range(produced, produced + ROUNDS * MESSAGES, MESSAGES):
            pipeline.produce([message(f"c{n % 7}", b'{"n": %d}' % n) for n in range(first, first + MESSAGES)])
        produced += ROUNDS * MESSAGES
        for name in GOOD:
            pipeline.wait_for_no_lag(name)
        return of("worker") > 0

    wait_until(have_shared, 30, pipeline.tails)
    assert of("kafka") > 0
    assert pipeline.lag("late") == produced

    pipeline.store.create_bucket(Bucket="shared-late")
    pipeline.wait_for_no_lag("late", seconds=60)

    for name in [*GOOD, "late"]:
        assert numbers(pipeline, f"shared-{name}") == {name: list(range(produced))}


def test_workers_and_partitions_come_and_go_for_some_of_the_actions(make: Make) -> None:
    """Another worker takes half of one action's partitions, and is killed; the topic grows. Each action writes each row once."""
    pipeline = make(
        actions={name: aggregated("moved", f"{name}/${{partition}}-${{offset}}.jsonl", seconds=1) for name in GOOD},
        rules={name: (f'SELECT payload.n AS n, {n} AS of FROM "t/#"', [name]) for n, name in enumerate(GOOD)},
    )
    pipeline.prepare("moved")
    produced = 0

    def produce() -> None:
        nonlocal produced
        pipeline.produce([message(f"c{n % 7}", b'{"n": %d}' % n) for n in range(produced, produced + MESSAGES)])
        produced += MESSAGES

    produce()
    pipeline.worker()
    pipeline.actions = {"one": pipeline.actions["one"]}
    pipeline.rules = {"one": pipeline.rules["one"]}
    other = pipeline.worker()
    wait_until(lambda: pipeline.members("one") == 2, 20, lambda: f"one has {pipeline.members('one')} workers")
    produce()
    other.kill()
    produce()
    pipeline.connect()
    pipeline.add_partitions(6)
    produce()
    for name in GOOD:
        pipeline.wait_for_no_lag(name)

    assert numbers(pipeline, "moved") == {name: list(range(produced)) for name in GOOD}


def test_twenty_actions_read_a_backlog_and_what_comes_after_silence(make: Make) -> None:
    """Each of twenty actions writes each row of a backlog once, then one record alone, and another one after a silence."""
    names = [f"a{number}" for number in range(20)]
    pipeline = make(
        actions={name: aggregated("twenty", f"{name}/${{partition}}-${{offset}}.jsonl", seconds=1) for name in names},
        rules={name: (f'SELECT payload.n AS n, {n} AS of FROM "t/#"', [name]) for n, name in enumerate(names)},
        metrics_port=free_port(),
    )
    pipeline.prepare("twenty")
    pipeline.produce([message(f"c{n % 7}", b'{"n": %d}' % n) for n in range(BACKLOG)])
    pipeline.worker()
    wait_until(partial(is_read, pipeline, 20 * BACKLOG), 30, lambda: told(pipeline))
    for count in (BACKLOG + 1, BACKLOG + 2):
        pipeline.produce([message("c1", b'{"n": %d}' % (count - 1))])
        wait_until(partial(is_read, pipeline, 20 * count), 10, lambda: told(pipeline))
    for name in names:
        pipeline.wait_for_no_lag(name)

    assert numbers(pipeline, "twenty") == {name: list(range(BACKLOG + 2)) for name in names}
