"""The worker's metrics for Prometheus. They are incremented per batch and per object, never per record."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from prometheus_client import Counter, Gauge, Histogram

from agents.object_traces import ObjectSpan, traces_of
from pipeline.record import Record
from pipeline.rule.batch import RowBatch

RECORDS: Final = Counter("tidegate_worker_records", "Records read from Kafka.", ["action"])
ROWS: Final = Counter("tidegate_worker_rows", "Rows that rules made from these records.", ["action"])
FILTERED: Final = Counter("tidegate_worker_filtered", "Records from which no rule made a row.", ["action"])
MISSING: Final = Counter("tidegate_worker_missing", "Offsets that Kafka had deleted before they were read.", ["action"])
DEAD_LETTERS: Final = Counter(
    "tidegate_worker_dead_letters", "Records sent to the dead letter topic.", ["action", "cause"]
)
REDRIVEN: Final = Counter(
    "tidegate_worker_redriven",
    "Dead letters that were sent again, as an aggregated upload met them: taken, repeated, or over.",
    ["action", "outcome"],
)
OBJECTS: Final = Counter("tidegate_worker_objects", "Objects that S3 confirmed.", ["action"])
OBJECT_BYTES: Final = Counter("tidegate_worker_object_bytes", "Bytes of these objects.", ["action"])
OBJECT_SIZE: Final = Histogram(
    "tidegate_worker_object_size_bytes",
    "Bytes of each object that S3 confirmed.",
    ["action"],
    buckets=[1 << power for power in range(8, 31, 2)],
)
OBJECT_SECONDS: Final = Histogram(
    "tidegate_worker_object_seconds",
    "From the first try to write an object to S3's confirmation.",
    ["action"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600),
)
INFLIGHT: Final = Gauge("tidegate_worker_inflight", "Objects on their way to S3, including repeated ones.", ["action"])
ROWS_WRITTEN: Final = Counter(
    "tidegate_worker_rows_written",
    "Rows that are in S3; for aggregated upload, rows that the ledger names.",
    ["action"],
)
OVERWRITTEN: Final = Counter(
    "tidegate_worker_overwritten", "Objects that a later row with the same key replaced.", ["action"]
)
CONFLATED: Final = Counter(
    "tidegate_worker_conflated", "Rows that were not written, because a newer row waited for the same key.", ["action"]
)
FAILURES: Final = Counter(
    "tidegate_worker_action_failures", "Failed calls of S3 or Kafka; each is repeated.", ["action", "reason"]
)
CUTS: Final = Counter("tidegate_worker_cuts", "Cuts of aggregated uploads.", ["action"])
RESTARTS: Final = Counter("tidegate_worker_action_restarts", "Restarts of an action after an error.", ["action"])
LAG: Final = Gauge(
    "tidegate_worker_lag",
    "Records between the durable offset and the end of the partition.",
    ["action", "topic", "partition"],
)
FETCHES: Final = Counter(
    "tidegate_worker_fetches",
    "Fetches of a partition that brought records: from kafka, or from another action of this worker that had asked for the same.",
    ["action", "source"],
)
SHARED_BYTES: Final = Gauge(
    "tidegate_worker_shared_bytes", "Bytes of fetches that are kept a moment, because another action may want them too."
)
HELD_BYTES: Final = Gauge("tidegate_worker_held_bytes", "Bytes read from Kafka and not yet durable.", ["action"])
STATUS: Final = Gauge(
    "tidegate_worker_action_connected", "1 if the last request to the store succeeded, 0 if it failed.", ["action"]
)

_OF_RULE: Final = ["action", "rule"]
RULE_MATCHED: Final = Counter("tidegate_worker_rule_matched", "Records that match the rule's FROM.", _OF_RULE)
RULE_PASSED: Final = Counter(
    "tidegate_worker_rule_passed", "Of these, records from which the rule made rows.", _OF_RULE
)
RULE_NO_RESULT: Final = Counter(
    "tidegate_worker_rule_no_result",
    "Of these, records without a row: WHERE was not true, or FOREACH had no elements.",
    _OF_RULE,
)
RULE_FAILED: Final = Counter(
    "tidegate_worker_rule_failed", "Of these, records on which the rule failed: dead letters.", _OF_RULE
)

RULE_ROWS: Final = Counter("tidegate_worker_rule_rows", "Rows of the rule that this action was given.", _OF_RULE)
RULE_ROWS_FAILED: Final = Counter(
    "tidegate_worker_rule_rows_failed", "Of these, rows that became dead letters in the action.", _OF_RULE
)
LATENCY: Final = Histogram(
    "tidegate_worker_latency_seconds",
    "From the arrival of a record until its rows are durable.",
    ["action"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 14400),
)

# How long the metrics of objects may be behind.
TOLD_SECONDS_MAX: Final = 0.05

# The facts of the line a minute.
DONE: Final = {
    "records": RECORDS,
    "rows_written": ROWS_WRITTEN,
    "objects": OBJECTS,
    "bytes": OBJECT_BYTES,
    "dead_letters": DEAD_LETTERS,
}
LEFT: Final = {"lag": LAG}


def count_batch(action: str, batch: RowBatch) -> None:
    """Count the outcomes of a batch, and for each rule that matched some of its records."""
    RECORDS.labels(action).inc(len(batch.records))
    rows_by_rule = batch.rows_by_rule
    ROWS.labels(action).inc(sum(rows_by_rule.values()))
    FILTERED.labels(action).inc(batch.filtered_count)
    failed: dict[str, int] = {}
    for letter in batch.dead:
        failed[letter.rule] = failed.get(letter.rule, 0) + 1
    for rule, matched in batch.matched.items():
        no_result, wrong = batch.no_result.get(rule, 0), failed.get(rule, 0)
        RULE_MATCHED.labels(action, rule).inc(matched)
        RULE_PASSED.labels(action, rule).inc(matched - no_result - wrong)
        RULE_NO_RESULT.labels(action, rule).inc(no_result)
        RULE_FAILED.labels(action, rule).inc(wrong)
    for rule, rows in rows_by_rule.items():
        RULE_ROWS.labels(action, rule).inc(rows)


class ObjectMeter:
    """Counts the objects of one action. Its labels are resolved once."""

    def __init__(self, action: str) -> None:
        self._inflight = INFLIGHT.labels(action)
        self._objects, self._bytes = OBJECTS.labels(action), OBJECT_BYTES.labels(action)
        self._size, self._seconds = OBJECT_SIZE.labels(action), OBJECT_SECONDS.labels(action)
        self._rows, self._cuts = ROWS_WRITTEN.labels(action), CUTS.labels(action)
        self._latency = LATENCY.labels(action)
        self._arrivals: tuple[int, int] | None = None  # of the first and the last record since the last entry
        self._traces = traces_of(action)

    def writing(self, bucket: str, key: str, *, origin: Record) -> Writing:
        """Count an object of this record's row that begins its upload now."""
        span = self._traces and self._traces.of_record(bucket, key, origin)
        return TracedWriting(self, span) if span else Writing(self)

    def writing_rows(self, bucket: str, key: str, offsets: Sequence[int], rows: int) -> Writing:
        """Count an object of the first `rows` rows with these offsets that begins its upload now."""
        span = self._traces and self._traces.of_rows(bucket, key, offsets, rows)
        return TracedWriting(self, span) if span else Writing(self)

    def begun(self) -> None:
        """Count an object on its way."""
        self._inflight.inc()

    def ended(self) -> None:
        """Count it no more."""
        self._inflight.dec()

    def confirmed(self, size_bytes: int, seconds: float) -> None:
        """Count an object that S3 has confirmed."""
        self._objects.inc()
        self._bytes.inc(size_bytes)
        self._size.observe(size_bytes)
        self._seconds.observe(seconds)

    def row(self, arrival_ms: int) -> None:
        """Count a row that is in S3, whose record arrived then."""
        self._rows.inc()
        self._durable(arrival_ms)

    def arrived(self, records: Sequence[Record]) -> None:
        """Note a batch whose rows come into the next entry of the ledger."""
        if records:
            first = self._arrivals[0] if self._arrivals else records[0].timestamp
            self._arrivals = first, records[-1].timestamp
            if self._traces is not None:
                self._traces.arrived(records)

    def cut(self, rows: int) -> None:
        """Count an entry of the ledger."""
        self._cuts.inc()
        self._rows.inc(rows)
        for each in self._arrivals or ():
            self._durable(each)
        self._arrivals = None

    def _durable(self, arrival_ms: int) -> None:
        self._latency.observe(max(0.0, time.time() - arrival_ms / 1000))


class RowMeter(ObjectMeter):
    """Counts the objects of a direct action. There is one for each row, so the metrics learn of many at once.

    Eleven increments under a lock for each object would be a tenth of its cost. `tell` tells the metrics what is new.
    """

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self._sizes: list[int] = []
        self._took: list[float] = []
        self._ages: list[float] = []
        self._timer: asyncio.TimerHandle | None = None
        self._under_way = 0
        self._inflight.set_function(lambda: self._under_way)

    def begun(self) -> None:
        self._under_way += 1

    def ended(self) -> None:
        self._under_way -= 1

    def confirmed(self, size_bytes: int, seconds: float) -> None:
        self._sizes.append(size_bytes)
        self._took.append(seconds)
        self._tell_soon()

    def row(self, arrival_ms: int) -> None:
        self._ages.append(max(0.0, time.time() - arrival_ms / 1000))
        self._tell_soon()

    def _tell_soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(TOLD_SECONDS_MAX, self.tell)

    def tell(self) -> None:
        """Tell the metrics what was counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        (sizes, took, ages), (self._sizes, self._took, self._ages) = (self._sizes, self._took, self._ages), ([], [], [])
        self._objects.inc(len(sizes))
        self._bytes.inc(sum(sizes))
        self._rows.inc(len(ages))
        _observe_all(self._size, sizes)
        _observe_all(self._seconds, took)
        _observe_all(self._latency, ages)


def _observe_all(histogram: Histogram, amounts: Sequence[float]) -> None:
    """Do what `observe` does with each amount. It looks at all buckets, and takes two locks."""
    histogram._sum.inc(sum(amounts))
    places = [bisect_left(histogram._upper_bounds, amount) for amount in amounts]
    for place in set(places):
        histogram._buckets[place].inc(places.count(place))


class Writing:
    """In the block, an object is on its way. Call `confirmed` when S3 has it."""

    __slots__ = ("_began", "_meter")

    def __init__(self, meter: ObjectMeter) -> None:
        self._meter = meter
        self._began = time.perf_counter()

    def __enter__(self) -> Self:
        self._meter.begun()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._meter.ended()

    def confirmed(self, size_bytes: int) -> None:
        """Note that S3 has the object."""
        self._meter.confirmed(size_bytes, time.perf_counter() - self._began)


class TracedWriting(Writing):
    """The same for an object with traced messages: a span of OpenTelemetry ends with the block."""

    __slots__ = ("_span",)

    def __init__(self, meter: ObjectMeter, span: ObjectSpan) -> None:
        super().__init__(meter)
        self._span = span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._span.end(error)

    def confirmed(self, size_bytes: int) -> None:
        super().confirmed(size_bytes)
        self._span.written(size_bytes)


def forget(action: str) -> None:
    """Remove all metrics of an action that is gone. A counter of it that somebody still holds counts for nobody."""
    for metric in list(globals().values()):
        if isinstance(metric, Counter | Gauge | Histogram) and metric is not SHARED_BYTES:
            metric.remove_by_labels({"action": action})
