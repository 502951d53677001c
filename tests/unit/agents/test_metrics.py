"""What a worker counts."""

from __future__ import annotations

import asyncio
import random
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from agents import metrics
from agents.lanes.lane import Fetched
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from pipeline.rule.rule_set import RuleSet
from tests.faults.faults import CALM
from tests.faults.simulation.bucket import Bucket
from tests.faults.simulation.direct_bench import in_virtual_time
from tests.faults.simulation.world import Letters, kafka_record
from tests.parts.actions import direct
from tests.parts.bench import PARTITION, Bench, PlayedLog, bucket, record, told
from tests.parts.records import message


def value(name: str, action: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"action": action, **labels})


def test_an_aggregated_upload_is_counted() -> None:
    """Rows count when the ledger names them, and objects count when S3 has confirmed them."""
    store = bucket()
    seen: dict[str, Any] = {}

    async def story() -> None:
        bench = Bench(store, action="counted", aggregation={"time_interval": "1h", "max_records": 4})
        bench.offer([record(offset) for offset in range(10)])
        await asyncio.sleep(5)
        seen["before"] = (
            value("tidegate_worker_rows_written_total", "counted"),
            value("tidegate_worker_objects_total", "counted"),
        )
        await bench.stop()

    told(story)
    sizes = sum(len(body) for key, body in store.history if not key.startswith("_tidegate/"))
    assert seen["before"] == (0, 2)
    assert value("tidegate_worker_rows_written_total", "counted") == 10
    assert (
        value("tidegate_worker_objects_total", "counted")
        == value("tidegate_worker_object_seconds_count", "counted")
        == 3
    )
    assert (
        value("tidegate_worker_object_size_bytes_sum", "counted")
        == value("tidegate_worker_object_bytes_total", "counted")
        == sizes
    )
    assert value("tidegate_worker_inflight", "counted") == 0
    assert value("tidegate_worker_cuts_total", "counted") == 1


def test_a_direct_upload_is_counted() -> None:
    """Objects under way are counted, and an existing row counts as a row and not as an object."""
    rules = RuleSet({"r": 'SELECT clientid, payload.n AS n FROM "t/#"'}, node="n")
    store = Bucket(random.Random(1), CALM)
    on_the_way, rows, objects = [], [], []

    async def written() -> None:
        name = "metered"
        attempts = Attempts(name)
        letters = DeadLetters(Letters(), "dead", name, attempts)
        action, patient = direct(name, key="${clientid}/${n}", content="${n}"), PatientStore(store, attempts)  # type: ignore[arg-type]
        lane = DirectLane(PARTITION, lambda: None, DirectWriter(action, patient, letters, PlayedLog(end=5)))
        records = [
            kafka_record(n, b"c%d" % n, b'{"n": %d}' % n, [("topic", b"t/1"), ("clientid", b"c%d" % n)])
            for n in range(5)
        ]
        lane.reserve(Fetched(0, 5, 1))
        lane.offer(rules.evaluate(records))
        lane.drain()
        running = asyncio.create_task(lane.run())
        await asyncio.sleep(0.001)
        on_the_way.append(value("tidegate_worker_inflight", name))
        await running
        rows.append(value("tidegate_worker_rows_written_total", name))
        objects.append(value("tidegate_worker_objects_total", name))

    async def story() -> None:
        await written()
        await written()

    told(story)
    assert on_the_way == [5, 5]
    assert rows == [5, 10]
    assert objects == [5, 5]
    assert value("tidegate_worker_inflight", "metered") == 0


def test_what_became_of_records_is_counted_for_each_rule() -> None:
    """Each rule counts matched records as passed, without result, or failed."""
    rules = RuleSet(
        {
            "hot": 'SELECT payload.t AS t FROM "t/#" WHERE payload.t > 20',
            "sum": 'SELECT payload.t - 1 AS t FROM "t/1"',
        },
        node="n",
    )
    records = [
        message(1, b'{"t": 30}'),
        message(2, b'{"t": 10}', topic=b"t/2"),
        message(3, b'{"t": 10}'),
        message(4, b'{"t": "x"}'),
        message(5, b'{"t": 99}', topic=b"other"),
    ]

    metrics.count_batch("by-rule", rules.evaluate(records))

    found = {
        rule: [
            value(f"tidegate_worker_rule_{what}_total", "by-rule", rule=rule)
            for what in ("matched", "passed", "no_result", "failed")
        ]
        for rule in ("hot", "sum")
    }
    assert found == {"hot": [4, 1, 2, 1], "sum": [3, 2, 0, 1]}


def test_rows_of_a_rule_are_counted_for_each_action() -> None:
    """Rows that an action is given, and those that become dead letters in it; a record on which the rule failed is neither."""
    rules = RuleSet({"rows": 'FOREACH payload.a FROM "t/#"', "one": 'SELECT payload.a[1] AS x FROM "t/#"'}, node="n")
    metrics.count_batch("by-row", rules.evaluate([kafka_record(0, b"c", b'{"a": [1, 2, 3]}')]))

    assert metrics.RULE_ROWS.labels("by-row", "rows")._value.get() == 3
    assert metrics.RULE_ROWS.labels("by-row", "one")._value.get() == 1


def test_latency_is_that_of_a_row_or_of_an_entrys_first_and_last_record() -> None:
    """A direct row counts once; an entry of the ledger counts the age of its first and its last record, however many it has."""
    now_ms = int(time.time() * 1000)
    meter = metrics.ObjectMeter("latent")
    meter.row(now_ms - 200_000)
    for first, last in ((20_000, 15_000), (10_000, 6_000)):  # seconds from each edge of a bucket
        meter.arrived([kafka_record(0, b"c", b"")._replace(timestamp=now_ms - age) for age in (first, 12_000, last)])
    meter.cut(6)
    meter.cut(0)  # a turn without records has none
    meter.row(now_ms + 60_000)  # clocks that differ

    below = {
        each.labels["le"]: each.value
        for each in metrics.LATENCY.labels("latent")._child_samples()
        if each.name == "_bucket"
    }
    assert (below["0.01"], below["1.0"], below["10.0"], below["30.0"], below["300.0"]) == (1, 1, 2, 3, 4)


@given(
    st.lists(st.tuples(st.integers(0, 1 << 32), st.floats(0, 1e5), st.sampled_from([0, 1, 10_000, 10**8])), max_size=30)
)
def test_the_meter_of_rows_tells_in_one_step_what_the_other_tells_in_many(
    objects: list[tuple[int, float, int]],
) -> None:
    """Each bucket, sum and counter is the same, for sizes and times on the edges of buckets, too."""
    both = metrics.ObjectMeter("one-by-one"), metrics.RowMeter("at-once")
    now_ms = int(time.time() * 1000) - 6_000  # no edge of a bucket is near these ages

    async def story() -> None:
        for meter in both:
            for size_bytes, seconds, age_ms in [*objects, (256, 0.001, 0), (257, 0.0025, 0)]:
                meter.confirmed(size_bytes, seconds)
                meter.row(now_ms - age_ms)
        assert value("tidegate_worker_objects_total", "at-once") == 0
        await asyncio.sleep(2 * metrics.TOLD_SECONDS_MAX)

    in_virtual_time(story())

    for name in ("objects_total", "object_bytes_total", "rows_written_total"):
        assert value(f"tidegate_worker_{name}", "at-once") == value(f"tidegate_worker_{name}", "one-by-one")
    for histogram in (metrics.OBJECT_SIZE, metrics.OBJECT_SECONDS, metrics.LATENCY):
        each, together = (
            [
                (sample.name, sample.labels, sample.value)
                for sample in histogram.labels(action)._child_samples()
                if sample.name in {"_bucket", "_count"}
            ]
            for action in ("one-by-one", "at-once")
        )
        assert together == each
    for action in ("one-by-one", "at-once"):
        metrics.forget(action)


def test_what_is_forgotten_is_an_actions_and_not_the_workers() -> None:
    """The counters of an action that is gone go with it; what its worker shares stays."""
    metrics.FETCHES.labels("gone", "kafka").inc()
    metrics.SHARED_BYTES.set(5)
    metrics.forget("gone")

    assert REGISTRY.get_sample_value("tidegate_worker_fetches_total", {"action": "gone", "source": "kafka"}) is None
    assert REGISTRY.get_sample_value("tidegate_worker_shared_bytes") == 5
