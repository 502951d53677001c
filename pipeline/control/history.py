"""What the whole cluster did in the last hour, one sample every 10 s, for charts. Pure: times are arguments.

Counters of processes only rise; one that starts again begins at 0 under another name. So a sample holds what each process has
counted more than in its sample before, and a new process counts from its start only if that was seen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from pipeline.control.status import Parts, ProcessReport

STEP_SECONDS: Final = 10.0
STEP_MS: Final = 10_000
KEPT: Final = 360  # samples: an hour

# The columns of a sample, and the counters that they are the sum of.
COUNTED: Final[Mapping[str, tuple[Parts, str]]] = {
    "received": ("sources", "received"),
    "received_bytes": ("sources", "received_bytes"),
    "sent": ("actions", "success"),
    "sent_bytes": ("actions", "object_bytes"),
    "objects": ("actions", "objects"),
    "dropped": ("actions", "failed"),
    "latency_count": ("actions", "latency.count"),
    "latency_ms": ("actions", "latency.sum_ms"),
}


class Step(NamedTuple):
    """What happened in the step before `at`. `connections` and `lag` (in records) are those of its end."""

    at: int
    counts: Mapping[str, int]
    connections: int
    lag: int


class History:
    """The samples of the last hour."""

    def __init__(self) -> None:
        self._before: dict[str, dict[str, int]] | None = None
        self._samples: deque[Step] = deque(maxlen=KEPT)

    def sample(self, now_ms: int, reports: Iterable[ProcessReport]) -> None:
        """Take a sample of the present reports."""
        wanted = list(reports)
        totals = {each.node: {name: _total(each, *where) for name, where in COUNTED.items()} for each in wanted}
        if self._before is not None:
            connections, lag = _total_of(wanted, "sources", "connections"), _total_of(wanted, "actions", "queuing")
            self._samples.append(Step(now_ms, self._growth(totals), connections, lag))
        self._before = totals

    def _growth(self, totals: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        assert self._before is not None
        found = dict.fromkeys(COUNTED, 0)
        for node, counts in totals.items():
            before = self._before.get(node, {})
            for name, count in counts.items():
                found[name] += max(0, count - before.get(name, 0))
        return found

    def since(self, at: int) -> list[Step]:
        """The samples since a time, oldest first."""
        return [each for each in self._samples if each.at > at]

    @property
    def last(self) -> Step | None:
        """The newest sample."""
        return self._samples[-1] if self._samples else None


def _total_of(reports: Iterable[ProcessReport], kind: Parts, name: str) -> int:
    return sum(_total(each, kind, name) for each in reports)


def _total(report: ProcessReport, kind: Parts, name: str) -> int:
    return sum(int(part.counters.get(name, 0)) for part in report.parts.get(kind, {}).values())
