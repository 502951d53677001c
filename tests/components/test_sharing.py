"""Several actions of one worker on one topic: they share what they fetch, and nothing else."""

from __future__ import annotations

import json

import pytest

from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, Pipeline, aggregated, message
from tests.faults import checkers

pytestmark = pytest.mark.real
GOOD = ["one", "two", "three", "four"]
ROUNDS, MESSAGES = 10, 200


def numbers(pipeline: Pipeline, bucket: str) -> list[int]:
    """The numbers of all rows in a bucket."""
    objects = checkers.data_objects(pipeline.objects(bucket)).values()
    return sorted(json.loads(line)["n"] for content in objects for line in content.splitlines())


def test_five_actions_share_their_fetches_and_one_without_a_bucket_delays_nobody(make: Make) -> None:
    """All rows are there once for each action, most fetches served several, and the one that stood still catches up."""
    pipeline = make(
        actions={
            name: aggregated(f"shared-{name}", "${partition}-${offset}.jsonl", seconds=1) for name in [*GOOD, "late"]
        },
        rules={
            name: (f'SELECT payload.n AS n, {number} AS of FROM "t/#"', [name])
            for number, name in enumerate([*GOOD, "late"])
        },
        metrics_port=free_port(),
    )
    pipeline.prepare(*[f"shared-{name}" for name in GOOD])
    pipeline.worker()
    for number in range(ROUNDS):
        first = number * MESSAGES
        pipeline.produce([message(f"c{n % 7}", b'{"n": %d}' % n) for n in range(first, first + MESSAGES)])
    for name in GOOD:
        pipeline.wait_for_no_lag(name)

    assert pipeline.lag("late") == ROUNDS * MESSAGES
    of_kafka, of_others = [
        pipeline.counted("tidegate_worker_fetches_total", f'source="{source}"') for source in ("kafka", "worker")
    ]
    assert of_others > of_kafka > 0

    pipeline.store.create_bucket(Bucket="shared-late")
    pipeline.wait_for_no_lag("late", seconds=60)

    for name in [*GOOD, "late"]:
        assert numbers(pipeline, f"shared-{name}") == list(range(ROUNDS * MESSAGES))
