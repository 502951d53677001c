"""What this process says of itself: its /status, and its counters for Prometheus, under the names of EMQX.

The counters are those that the process has anyway, so a report costs nothing where records are handled. Each action reads the
records of a rule by itself. So a rule's counters are those of its first enabled action, and no record counts twice.
"""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

from prometheus_client import REGISTRY

from pipeline.config import Config
from pipeline.control import latency
from pipeline.control.latency import counters_of
from pipeline.control.objects import Stored
from pipeline.control.status import Part, Parts, ProcessReport, reset_key
from pipeline.control.status_topic import node_name, reporting
from pipeline.errors import EvaluationError, RecordError

MINUTES_5: Final = 300.0
RATE_SECONDS: Final = 10.0

# EMQX's names, and our metrics that they are the sum of.
OF_ACTION: Final[Mapping[str, str]] = {
    "matched": "tidegate_worker_rows_total",
    "success": "tidegate_worker_rows_written_total",
    "dead_letters": "tidegate_worker_dead_letters_total",
    "retried": "tidegate_worker_action_failures_total",
    "queuing": "tidegate_worker_lag",
    "queuing_bytes": "tidegate_worker_held_bytes",
    "inflight": "tidegate_worker_inflight",
    "aggregated_upload.success": "tidegate_worker_objects_total",
    "conflated": "tidegate_worker_conflated_total",
    "objects": "tidegate_worker_objects_total",
    "object_bytes": "tidegate_worker_object_bytes_total",
}
# Causes of dead letters from which no row was made. They count as failed for the rule, since the action was never given a row.
NO_ROW: Final = (RecordError.cause, EvaluationError.cause)
OF_RULE: Final[Mapping[str, str]] = {
    "matched": "tidegate_worker_rule_matched_total",
    "passed": "tidegate_worker_rule_passed_total",
    "failed.no_result": "tidegate_worker_rule_no_result_total",
    "failed.exception": "tidegate_worker_rule_failed_total",
}
# Of all actions of a rule together, in rows. Rows that did not fail are those that the actions took.
OF_RULES_ACTIONS: Final[Mapping[str, str]] = {
    "actions.total": "tidegate_worker_rule_rows_total",
    "actions.failed": "tidegate_worker_rule_rows_failed_total",
}
OF_SOURCE: Final[Mapping[str, str]] = {
    "received": "tidegate_ingress_messages_received_total",
    "success": "tidegate_ingress_records_produced_total",
    "failed": "tidegate_ingress_dead_letters_total",
    "dropped": "tidegate_ingress_messages_dropped_total",
    "connections": "tidegate_ingress_clients",
}


@asynccontextmanager
async def reported(
    kind: str,
    base: Config,
    status: Callable[[], Mapping[str, Any]],
    config: Callable[[], Config],
    objects: Callable[[], Mapping[str, Stored]],
) -> AsyncIterator[None]:
    """In the block, this process reports to Kafka, if its configuration is there (`control`).

    `base` is the process's own file, `config` gives its present configuration, `status` what /status shows, `objects` what the
    topic holds: a reset of counters is one of them.
    """
    if base.control is None:
        yield
        return
    node = node_name(kind)
    async with reporting(base, node, Reporter(node, kind, config, status, objects).report):
        yield


class Reporter:
    """The reports of one process. `config` gives its present configuration, `status` what /status shows."""

    def __init__(
        self,
        node: str,
        kind: str,
        config: Callable[[], Config],
        status: Callable[[], Mapping[str, Any]],
        objects: Callable[[], Mapping[str, Stored]] = dict,
    ) -> None:
        self._node, self._kind = node, kind
        self._config, self._status, self._objects = config, status, objects
        self._began_ms = time.time_ns() // 1_000_000
        self._rates: dict[str, Rate] = {}

    def report(self) -> ProcessReport:
        """A report as of now."""
        config, status, counts = self._config(), self._status(), MetricSums()
        now = time.monotonic()
        parts: dict[Parts, dict[str, Part]] = {
            "actions": {
                id: self._part(reset_key("actions", id), said, self._of_action(config, id, counts), "matched", now)
                for id, said in status.get("actions", {}).items()
            },
            "sources": {
                id: self._part(
                    reset_key("sources", id), said, counts.sums(OF_SOURCE, source=id.partition(":")[2]), "received", now
                )
                for id, said in status.get("sources", {}).items()
            },
            "rules": dict(self._rules(config, counts, now)) if self._kind == "worker" else {},
        }
        return ProcessReport(
            self._node,
            self._kind,
            0,
            version("tidegate"),
            config.revision,
            str(status.get("problem", "")),
            self._began_ms,
            memory_bytes(),
            parts=parts,
        )

    def _of_action(self, config: Config, id: str, counts: MetricSums) -> dict[str, int]:
        name = id.partition(":")[2]
        found = counts.sums(OF_ACTION, action=name) | counters_of(counts.samples(latency.METRIC, action=name))
        letters = {"dead_letters": OF_ACTION["dead_letters"]}
        rowless = sum(counts.sums(letters, action=name, cause=cause)["dead_letters"] for cause in NO_ROW)
        found["failed"] = found["dead_letters"] - rowless
        found["success"] += found["conflated"]  # of such a row, all that was wanted is there: a newer one
        action = config.actions.s3.get(name)
        if action is not None and action.parameters.mode == "direct":
            found["aggregated_upload.success"] = 0
        return found

    def _rules(self, config: Config, counts: MetricSums, now: float) -> Iterator[tuple[str, Part]]:
        for id, rule in config.rules.items():
            first = next((each for each in rule.actions if _runs(config, each)), None)
            if first is None or not rule.enable:
                continue
            found = counts.sums(OF_RULE, action=first.partition(":")[2], rule=id)
            found["failed"] = found["failed.no_result"] + found["failed.exception"]
            found |= counts.sums(OF_RULES_ACTIONS, rule=id)
            found["actions.success"] = max(0, found["actions.total"] - found["actions.failed"])
            found["actions.failed.unknown"] = found["actions.failed"]
            rates = self._rate(reset_key("rules", id), found["matched"], now)
            yield id, Part("", "", found, {f"matched.{name.replace('_', '.')}": each for name, each in rates.items()})

    def _part(self, key: str, said: Mapping[str, Any], counts: dict[str, int], rated: str, now: float) -> Part:
        more = {name: value for name, value in said.items() if name not in {"status", "status_reason"}}
        return Part(said["status"], said["status_reason"], counts, self._rate(key, counts[rated], now), more)

    def _rate(self, key: str, count: int, now: float) -> dict[str, float]:
        rate, reset = self._rates.setdefault(key, Rate()), self._objects().get(key)
        if reset is not None and reset.revision > rate.reset:
            rate.begin_again(reset.revision)
        rate.take(count, now)
        return rate.shown()


class Rate:
    """How fast a counter rises: now, over five minutes, and at most."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()
        self._most = 0.0
        self.reset = -1  # the revision of the last reset that it knows

    def begin_again(self, reset: int) -> None:
        """Forget how fast it was at most."""
        self._most, self.reset = 0.0, reset

    def take(self, count: int, now: float) -> None:
        """Note the counter as of now."""
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()  # it begins again: its action was removed and came back
        self._seen.append((now, count))
        while self._seen[0][0] < now - MINUTES_5:
            self._seen.popleft()
        self._most = max(self._most, self._over(RATE_SECONDS))

    def shown(self) -> dict[str, float]:
        """The three rates, in a second."""
        return {
            "rate": round(self._over(RATE_SECONDS), 3),
            "rate_last5m": round(self._over(MINUTES_5), 3),
            "rate_max": round(self._most, 3),
        }

    def _over(self, seconds: float) -> float:
        end, last = self._seen[-1]
        begin, first = next(each for each in self._seen if each[0] >= end - seconds)
        return (last - first) / (end - begin) if end > begin else 0.0


class MetricSums:
    """All samples of this process, by name, as of when this was made."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in REGISTRY.collect():
            for each in family.samples:
                self._samples.setdefault(each.name, []).append((each.labels, each.value))

    def samples(self, metric: str, **labels: str) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """The samples of a histogram with these labels."""
        for name in (f"{metric}_count", f"{metric}_sum", f"{metric}_bucket"):
            yield from (
                (name, own, value) for own, value in self._samples.get(name, ()) if labels.items() <= own.items()
            )

    def sums(self, names: Mapping[str, str], **labels: str) -> dict[str, int]:
        """By EMQX's name, the sum of our metric over all samples with these labels."""
        return {
            name: round(sum(value for own, value in self._samples.get(ours, ()) if labels.items() <= own.items()))
            for name, ours in names.items()
        }


def _runs(config: Config, id: str) -> bool:
    action = config.actions.s3.get(id.partition(":")[2])
    return action is not None and action.enable and config.connectors.s3[action.connector].enable


def memory_bytes() -> int:
    """The most memory that the process ever had. macOS counts bytes, Linux kilobytes."""
    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024
