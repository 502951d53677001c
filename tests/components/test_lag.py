"""`tidegate doctor` on how far actions are behind: what the ledger and the group say, against what Kafka has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.components.pipeline_parts import Make, Pipeline, aggregated, direct, message
from tests.parts.waiting import patient

pytestmark = pytest.mark.real


def examined(pipeline: Pipeline) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status, and all checks by name."""
    done = pipeline.command("doctor", "--output", "json")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {each["name"]: each for each in json.loads(done.stdout)["checks"]}


def lags(pipeline: Pipeline) -> tuple[int, dict[str, dict[str, Any]]]:
    """Exit status, and the check of each action's lag."""
    status, checks = examined(pipeline)
    return status, {name: checks[f"lag of s3:{name}"] for name in pipeline.actions}


def test_a_lag_is_held_against_what_kafka_has(make: Make) -> None:
    """Nothing to go; another pipeline's ledger; records to go; records that Kafka deleted before a worker read them."""
    bucket = "lags"
    pipeline = make(
        actions={"rows": aggregated(bucket, "rows/${partition}.jsonl"), "raw": direct(bucket, "raw/${id}")},
        rules={"r": ('SELECT payload.n AS n, id FROM "t/#"', ["rows", "raw"])},
    )
    pipeline.prepare(bucket)
    before_all = lags(pipeline)
    pipeline.produce([message(f"c{number % 20}", b'{"n": %d}' % number) for number in range(200)])
    worker = pipeline.worker()
    for action in pipeline.actions:
        pipeline.wait_for_no_lag(action)
    worker.stop()
    at_the_end = lags(pipeline)
    own, pipeline.name = pipeline.name, "another"  # which has actions of the same names
    shared = examined(pipeline)[1]
    pipeline.name = own
    pipeline.produce([message("c1", b'{"n": 1}') for _ in range(50)], partition=0)
    behind = lags(pipeline)
    end = pipeline.ends()[0]
    admin = AdminClient({"bootstrap.servers": pipeline.kafka.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(pipeline.topic, 0, end - 10)]).values():
        future.result(patient(20))
    lost = lags(pipeline)

    assert {check["found"] for check in before_all[1].values()} == {"not begun; 0 records wait in 4 partitions"}
    assert {check["found"] for check in at_the_end[1].values()} == {"0 records to go in 4 partitions"}
    assert shared["ledger of s3:rows"]["state"] == "warn"
    assert f"of the pipeline {own}" in shared["ledger of s3:rows"]["found"]
    assert {check["found"] for check in behind[1].values()} == {"50 records to go in 4 partitions"}
    assert (before_all[0], at_the_end[0], behind[0], lost[0]) == (0, 0, 0, 1)
    assert {check["state"] for check in lost[1].values()} == {"bad"}
    assert "the ledger of" in lost[1]["rows"]["found"]
    assert "the committed offset of" in lost[1]["raw"]["found"]
    assert all("40 records are gone" in check["found"] for check in lost[1].values())
