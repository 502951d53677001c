"""`tidegate worker --processes`: one command, several workers between a real Kafka and a real S3 server."""

from __future__ import annotations

import os
import signal
from urllib.request import urlopen

import pytest

from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, aggregated, lines, message
from tests.faults import checkers
from tests.parts.waiting import patient, wait_until

pytestmark = pytest.mark.real


def test_a_worker_that_is_killed_comes_back_and_nothing_is_lost(make: Make) -> None:
    """The workers share the partitions, each has a page, and SIGTERM to the command stops all of them in order."""
    pipeline = make(
        actions={"rows": aggregated("processes", "x/${partition}-${offset}.jsonl", seconds=1)},
        rules={"r": ('SELECT payload.n AS n FROM "t/#"', ["rows"])},
        metrics_port=free_port(),
    )
    pipeline.prepare("processes")
    command = pipeline.worker("--processes", "2")

    def pids() -> dict[int, int]:
        return {line["number"]: line["pid"] for line in lines(command) if line["event"] == "process.started"}

    def is_back() -> bool:
        said = [(line["event"], line.get("number", line.get("process"))) for line in lines(command)]
        return (
            ("action.started", 2) in said[said.index(("process.ended", 2)) :] if ("process.ended", 2) in said else False
        )

    wait_until(lambda: pipeline.members("rows") == 2, 30, pipeline.tails)
    for number in (0, 1):
        assert urlopen(f"http://127.0.0.1:{pipeline.metrics_port + number}/healthz", timeout=patient(5)).status == 200
    pipeline.produce([message(f"c{number % 7}", b'{"n": %d}' % number) for number in range(500)])
    before = pids()
    os.kill(before[2], signal.SIGKILL)
    pipeline.produce([message(f"c{number % 7}", b'{"n": %d}' % number) for number in range(500, 1000)])
    # The first one may do all the work before the other is back, and a signal ends Python while it starts, without a word.
    wait_until(is_back, 30, pipeline.tails)
    pipeline.wait_for_no_lag("rows", seconds=60)
    os.kill(command.pid, signal.SIGTERM)
    wait_until(lambda: command.exit_status is not None, 30, pipeline.tails)

    assert command.exit_status == 0
    assert pids()[1] == before[1]
    assert pids()[2] != before[2]
    assert {line.get("process") for line in lines(command) if line["event"] == "worker.stopped"} == {1, 2}
    assert checkers.exactly_once(pipeline.objects("processes"), list(range(1000)), "n") == []
    assert checkers.whole_objects(pipeline.objects("processes")) == []
