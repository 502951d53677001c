"""Reports of processes, as workers and ingresses write them."""

from __future__ import annotations

from typing import Any

from pipeline.control.status import Part, Parts, ProcessReport, encode
from tests.parts.rest import Api

WORKER = "worker@a-1-1"
OTHER = "worker@b-1-1"
INGRESS = "ingress@a-2-1"


def part(status: str = "connected", reason: str = "", rate: float = 0.0, **counters: int) -> Part:
    """One object in one process. In names of counters, __ stands for a dot."""
    rates = {"rate": rate, "rate_last5m": rate / 2, "rate_max": rate * 2}
    return Part(status, reason, {name.replace("__", "."): count for name, count in counters.items()}, rates)


def report(api: Api, node: str, *, revision: int = 7, **parts: dict[str, Part]) -> None:
    """A process that follows a revision of the configuration reports now."""
    found: dict[Parts, Any] = {}
    for name, each in parts.items():
        kind: Any = name
        found[kind] = each
    kind, _, _ = node.partition("@")
    value = encode(
        ProcessReport(
            node, kind, 0, "1.0", revision, started_at=api.clock.now_ms - 5_000, rss_bytes=1 << 20, parts=found
        )
    )
    api.services.board.take(node, api.clock.now_ms, value)
