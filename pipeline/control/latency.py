"""How long records take from their arrival until their rows are durable, as counters that add up over processes. Pure.

The counters are those of a histogram: `latency.count`, `latency.sum_ms`, and `latency.le.<seconds>`, which count what took at
most so long. docs/operations.md says what is observed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

METRIC: Final = "tidegate_worker_latency_seconds"
COUNT: Final = "latency.count"
SUM_MS: Final = "latency.sum_ms"
_BELOW: Final = "latency.le."
_SHARES: Final = {"p50_seconds": 0.5, "p95_seconds": 0.95, "p99_seconds": 0.99}


def counters_of(samples: Iterable[tuple[str, Mapping[str, str], float]]) -> dict[str, int]:
    """The counters of a histogram's samples for Prometheus: name, labels, value."""
    found = {COUNT: 0, SUM_MS: 0}
    for name, labels, value in samples:
        if name == f"{METRIC}_count":
            found[COUNT] += round(value)
        elif name == f"{METRIC}_sum":
            found[SUM_MS] += round(value * 1000)
        elif name == f"{METRIC}_bucket":
            below = _BELOW + labels["le"].removesuffix(".0")
            found[below] = found.get(below, 0) + round(value)
    return found


def buckets(counters: Mapping[str, int]) -> dict[str, int]:
    """How many took at most so many seconds, by the seconds as a text; the last is +Inf."""
    found = {name.removeprefix(_BELOW): count for name, count in counters.items() if name.startswith(_BELOW)}
    return dict(sorted(found.items(), key=lambda each: float(each[0])))


def latency_of(counters: Mapping[str, int]) -> dict[str, Any]:
    """The histogram for people: mean, buckets, and the bucket's end below which half, 95 % and 99 % are; null if unknown."""
    count, below = counters.get(COUNT, 0), buckets(counters)
    shares = {
        name: next((float(le) for le, seen in below.items() if le != "+Inf" and seen >= share * count), None)
        for name, share in _SHARES.items()
    }
    return {
        "count": count,
        "mean_seconds": round(counters.get(SUM_MS, 0) / count / 1000, 3) if count else None,
        **(shares if count else dict.fromkeys(_SHARES)),
        "buckets": below,
    }
