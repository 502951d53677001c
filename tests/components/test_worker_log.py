"""The log of a worker's life: a few lines of ours, and no traceback for a known state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.components.pipeline_parts import Make, aggregated, direct, lines, message
from tests.parts.waiting import wait_until

BUCKET = "worker-log"


def told(server: Any, event: str) -> list[Mapping[str, Any]]:
    return [line for line in lines(server) if line["event"] == event]


@pytest.mark.real
def test_every_line_is_ours(make: Make) -> None:
    """All lines are ours at start, rebalance, outage of Kafka and stop."""
    pipeline = make(
        actions={"all": direct(BUCKET, "d/${clientid}_${id}"), "some": aggregated(BUCKET, "a/${partition}-${offset}")},
        rules={"r": ('SELECT * FROM "t/#"', ["all", "some"])},
        kafka_settings={"max_message_bytes": "1MB", "session_timeout": "10s"},
    )
    pipeline.prepare(BUCKET)

    def all_there(count: int) -> bool:
        return len([key for key in pipeline.keys(BUCKET) if key.startswith("d/")]) == count

    first = pipeline.worker()
    pipeline.produce([message(f"c{n}", b"{}") for n in range(50)])
    wait_until(lambda: all_there(50), 40, pipeline.tails)
    second = pipeline.worker()
    wait_until(lambda: len(told(second, "action.assigned")) >= 2, 40, pipeline.tails)
    pipeline.kafka.stop()
    wait_until(lambda: told(first, "kafka.disconnected") and told(second, "kafka.disconnected"), 40, pipeline.tails)
    pipeline.kafka.start()
    pipeline.produce([message(f"d{n}", b"{}") for n in range(50)])
    wait_until(lambda: all_there(100), 100, pipeline.tails)
    second.stop()
    first.stop()

    printed = lines(first) + lines(second)
    strange = [line for line in printed if not line["logger"].startswith("tidegate.") or "exception" in line]
    counted = Counter(line["event"] for line in lines(second))
    assert strange == []
    assert counted.pop("action.assigned") <= 8
    # A Kafka that stops in order takes connections for a while, so that it may be gone twice.
    assert max(counted.pop("kafka.disconnected"), counted.pop("kafka.connected")) <= 2
    # A look at the bucket may be too late on a machine that is busy, and the next one says that it is there.
    assert counted.pop("action.disconnected", 0) == counted.pop("action.connected", 0)
    assert counted == {"action.started": 2, "process.stopping": 1, "worker.stopped": 1}
