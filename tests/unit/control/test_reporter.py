"""What a process says of itself: its counters under EMQX's names, and how fast they rise."""

from __future__ import annotations

from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

import agents.metrics
import ingress.metrics
from agents.metrics import (
    CONFLATED,
    DEAD_LETTERS,
    LATENCY,
    ROWS,
    ROWS_WRITTEN,
    RULE_FAILED,
    RULE_MATCHED,
    RULE_NO_RESULT,
    RULE_PASSED,
    RULE_ROWS,
    RULE_ROWS_FAILED,
)
from pipeline.config.load import load
from pipeline.control.latency import METRIC, latency_of
from pipeline.control.objects import Stored
from pipeline.control.reporter import OF_ACTION, OF_RULE, OF_RULES_ACTIONS, OF_SOURCE, Rate, Reporter
from pipeline.control.status import decode, encode
from tests.parts.config_log import BASE

ACTION = {"connector": "lake", "parameters": {"bucket": "iot", "key": "${id}"}}
OBJECTS = {
    "connectors": {"s3": {"lake": {"host": "s3.plant"}}},
    "actions": {"s3": {"reporter-a": ACTION, "reporter-b": ACTION}},
    "rules": {"reporter-hot": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:reporter-a", "s3:reporter-b"]}},
}
STATUS = {
    "actions": {f"s3:reporter-{each}": {"status": "connected", "status_reason": "", "held_bytes": 7} for each in "ab"}
}


def add(counter: Counter, count: int, *labels: str) -> None:
    counter.labels(*labels).inc(count)


def test_a_report_has_the_counters_of_the_process() -> None:
    """Counters of an action are its own; a rule with two actions, each of which reads for itself, counts no record twice."""
    config = load({**BASE, **OBJECTS})
    reporter = Reporter("worker@a", "worker", lambda: config, lambda: STATUS)
    before = reporter.report()
    for name in ("reporter-a", "reporter-b"):
        add(ROWS, 5, name)
        add(ROWS_WRITTEN, 4, name)
        for counter, count in ((RULE_MATCHED, 9), (RULE_PASSED, 5), (RULE_NO_RESULT, 3), (RULE_FAILED, 1)):
            add(counter, count, name, "reporter-hot")
        add(RULE_ROWS, 5, name, "reporter-hot")
        add(RULE_ROWS_FAILED, 1, name, "reporter-hot")

    after = decode("worker@a", 1, encode(reporter.report()))

    action, rule = after.of("actions", "s3:reporter-a"), after.of("rules", "reporter-hot")
    first = before.of("rules", "reporter-hot")
    assert action is not None
    assert rule is not None
    assert first is not None
    assert (action.status, action.counters["matched"], action.counters["success"]) == ("connected", 5, 4)
    assert (action.counters["aggregated_upload.success"], action.more) == (0, {"held_bytes": 7})
    grown = {name: rule.counters[name] - first.counters[name] for name in rule.counters}
    rows = {"actions.total": 10, "actions.failed": 2, "actions.failed.unknown": 2, "actions.success": 8}
    assert grown == {"matched": 9, "passed": 5, "failed": 4, "failed.no_result": 3, "failed.exception": 1, **rows}
    assert set(rule.rates) == {"matched.rate", "matched.rate.last5m", "matched.rate.max"}


def test_an_action_fails_on_rows_and_not_on_records_without_any() -> None:
    """What is matched is written, failed or waits. A record on which a rule failed gave no row: the rule's count has it."""
    config = load({**BASE, **OBJECTS})
    reporter = Reporter("worker@a", "worker", lambda: config, lambda: STATUS)
    before = reporter.report().of("actions", "s3:reporter-a")
    add(ROWS, 5, "reporter-a")
    add(ROWS_WRITTEN, 3, "reporter-a")
    for cause, count in (("evaluation", 4), ("record", 2), ("render", 1), ("access_denied", 1)):
        add(DEAD_LETTERS, count, "reporter-a", cause)

    after = reporter.report().of("actions", "s3:reporter-a")

    assert before is not None
    assert after is not None
    names = ("matched", "success", "failed", "dead_letters")
    assert [after.counters[name] - before.counters[name] for name in names] == [5, 3, 2, 8]


def test_a_conflated_row_is_a_success() -> None:
    """All that was wanted of it is in S3, in a newer row; it is also counted by itself."""
    config = load({**BASE, **OBJECTS})
    reporter = Reporter("worker@a", "worker", lambda: config, lambda: STATUS)
    before = reporter.report().of("actions", "s3:reporter-a")
    add(ROWS_WRITTEN, 2, "reporter-a")
    add(CONFLATED, 74, "reporter-a")

    after = reporter.report().of("actions", "s3:reporter-a")

    assert before is not None
    assert after is not None
    grown = {name: after.counters[name] - before.counters[name] for name in ("success", "conflated")}
    assert grown == {"success": 76, "conflated": 74}


def test_every_counter_is_one_that_the_processes_have() -> None:
    """Each metric that a report sums is declared by the worker or the ingress."""
    declared = {
        each._name + ("_total" if each._type == "counter" else "")
        for module in (agents.metrics, ingress.metrics)
        for each in vars(module).values()
        if isinstance(each, MetricWrapperBase)
    }
    assert {METRIC, *OF_ACTION.values(), *OF_RULE.values(), *OF_RULES_ACTIONS.values(), *OF_SOURCE.values()} <= declared


def test_rates_are_of_ten_seconds_of_five_minutes_and_the_most() -> None:
    """A counter that rose fast for a minute and then stood still has three different rates."""
    rate = Rate()
    for second in range(0, 301, 2):
        rate.take(min(second, 60) * 10, float(second))

    assert rate.shown() == {"rate": 0.0, "rate_last5m": 2.0, "rate_max": 10.0}


def test_a_counter_that_begins_again_has_no_negative_rate() -> None:
    """A counter that falls begins at nothing."""
    rate = Rate()
    rate.take(100, 0.0)
    rate.take(5, 2.0)

    assert rate.shown()["rate"] == 0.0


def test_latency_adds_up_over_processes() -> None:
    """The histogram of an action is counters, so that those of two processes have a sum, a mean and shares."""
    config = load({**BASE, **OBJECTS})
    for seconds in (0.02, 0.02, 0.02, 7.0):
        LATENCY.labels("reporter-b").observe(seconds)
    report = Reporter("worker@a", "worker", lambda: config, lambda: STATUS).report()
    part = decode("worker@a", 1, encode(report)).of("actions", "s3:reporter-b")
    assert part is not None

    found = latency_of({name: 2 * count for name, count in part.counters.items()})

    assert (found["count"], found["mean_seconds"]) == (8, 1.765)
    assert (found["p50_seconds"], found["p95_seconds"], found["p99_seconds"]) == (0.025, 10.0, 10.0)
    assert (found["buckets"]["0.01"], found["buckets"]["0.025"], found["buckets"]["+Inf"]) == (0, 6, 8)
    assert list(found["buckets"])[-1] == "+Inf"
    nothing = latency_of({})
    assert (nothing["count"], nothing["mean_seconds"], nothing["p50_seconds"], nothing["buckets"]) == (
        0,
        None,
        None,
        {},
    )


def test_a_reset_forgets_the_highest_rate() -> None:
    """After a reset in the topic the most is counted anew; the same reset does so only once."""
    config, objects = load({**BASE, **OBJECTS}), dict[str, Stored]()
    reporter = Reporter("worker@a", "worker", lambda: config, lambda: STATUS, lambda: objects)
    rate = reporter._rates["reset/action/s3/reporter-a"] = Rate()
    rate.take(0, -20.0)
    rate.take(1000, -18.0)
    objects["reset/action/s3/reporter-a"] = Stored({"nodes": {}}, 5, "admin", 1, "rest")

    reporter.report()
    assert rate.shown()["rate_max"] == 0.0
    rate._most = 7.0
    reporter.report()
    assert rate.shown()["rate_max"] == 7.0
