"""What a process says of itself, and how the reports of all processes add up. Pure.

Each process writes a report to the topic `tidegate.status`, under the key of its node, such as `worker@host-4711-1764230000`:
every 2 s while something changes, else every 10 s, and a deletion at an orderly end. A process that is silent for 30 s is gone.

    {"kind": "worker", "version", "revision", "problem", "started_at", "rss_bytes",
     "connectors": {"s3:lake": Part}, "actions": {"s3:hot": Part}, "rules": {"hot": Part}, "sources": {"mqtt:plant": Part},
     "jobs": [...]}

A Part is `{"status", "status_reason", "counters": {"matched": 3, …}, "rates": {"rate", "rate_last5m", "rate_max"}, "more": {…}}`.
Counters and rates have the names of EMQX's REST API. Times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct, field

SILENT_MS: Final = 30_000  # a process that is silent for longer is gone
Parts = Literal["connectors", "actions", "rules", "sources"]
PARTS: Final[tuple[Parts, ...]] = ("connectors", "actions", "rules", "sources")


class Part(Struct, frozen=True):
    """One connector, action, rule or source in one process. `more` is what only people look at."""

    status: str = ""
    status_reason: str = ""
    counters: Mapping[str, int] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


class ProcessReport(Struct, frozen=True):
    """One process. `at` is when the report was written, by the time of its record."""

    node: str
    kind: str
    at: int
    version: str = ""
    revision: int = 0
    problem: str = ""
    started_at: int = 0
    rss_bytes: int = 0
    parts: Mapping[Parts, Mapping[str, Part]] = field(default_factory=dict)
    jobs: Sequence[Mapping[str, Any]] = ()  # of an API process, as the REST API shows them in a list

    def of(self, kind: Parts, id: str) -> Part | None:
        """What the process says of one object."""
        return self.parts.get(kind, {}).get(id)


class Together(Struct, frozen=True):
    """What all processes say of one object."""

    status: str
    status_reason: str
    nodes: Mapping[str, Part]

    @property
    def counters(self) -> dict[str, int]:
        """The sum over all processes."""
        return dict(_sums(part.counters for part in self.nodes.values()))

    @property
    def rates(self) -> dict[str, float]:
        """The sum over all processes, as in EMQX."""
        return {name: round(value, 3) for name, value in _sums(part.rates for part in self.nodes.values()).items()}

    def node_status(self) -> list[dict[str, str]]:
        """The status in each process, in EMQX's form."""
        return [
            {"node": node, "status": part.status, "status_reason": part.status_reason}
            for node, part in sorted(self.nodes.items())
        ]


def _sums(maps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in maps:
        for name, value in each.items():
            found[name] = found.get(name, 0) + value
    return found


def together(reports: Iterable[ProcessReport], kind: Parts, id: str, nobody: str) -> Together:
    """The status of one object: the one that all processes say, else `inconsistent` with the reason of one that fails.

    `nobody` is the reason if no process says anything.
    """
    nodes = {report.node: part for report in reports if (part := report.of(kind, id)) is not None}
    statuses = {part.status for part in nodes.values() if part.status}
    if not statuses:
        return Together("disconnected", nobody, nodes)
    failing = [part for _, part in sorted(nodes.items()) if part.status not in ("connected", "")]
    reason = next((part.status_reason for part in failing if part.status_reason), "")
    return Together(statuses.pop() if len(statuses) == 1 else "inconsistent", reason, nodes)


def reset_key(kind: Parts, id: str) -> str:
    """The key of a reset in the topic."""
    return f"reset/{kind.removesuffix('s')}/{id.replace(':', '/')}"


# --- A report as the value of a record


def encode(report: ProcessReport) -> dict[str, Any]:
    """The value of a report's record."""
    found: dict[str, Any] = {
        name: getattr(report, name) for name in ("kind", "version", "revision", "problem", "started_at", "rss_bytes")
    }
    if report.jobs:
        found["jobs"] = list(report.jobs)
    return found | {
        kind: {id: _plain(part) for id, part in parts.items()} for kind, parts in report.parts.items() if parts
    }


def _plain(part: Part) -> dict[str, Any]:
    found = {
        "status": part.status,
        "status_reason": part.status_reason,
        "counters": dict(part.counters),
        "rates": dict(part.rates),
        "more": dict(part.more),
    }
    return {name: value for name, value in found.items() if value}


def decode(node: str, at: int, value: Mapping[str, Any]) -> ProcessReport:
    """What a record says. Raises ValueError if it is not a report."""
    try:
        parts = {kind: {str(id): Part(**each) for id, each in value[kind].items()} for kind in PARTS if value.get(kind)}
        return ProcessReport(
            node,
            str(value["kind"]),
            at,
            version=str(value.get("version", "")),
            revision=int(value.get("revision", 0)),
            problem=str(value.get("problem", "")),
            started_at=int(value.get("started_at", 0)),
            rss_bytes=int(value.get("rss_bytes", 0)),
            parts=parts,
            jobs=[{str(name): each for name, each in job.items()} for job in value.get("jobs", ())],
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"expected a report of a process: {error!r}") from None
