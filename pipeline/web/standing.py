"""The status of connectors, actions, rules and sources, made of what all processes report."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from pipeline.action import statements_of
from pipeline.config import Config, S3Action, S3Connector
from pipeline.control.latency import latency_of
from pipeline.control.objects import Snapshot
from pipeline.control.reporter import memory_bytes
from pipeline.control.status import Part, Parts, ProcessReport, Together, reset_key, together
from pipeline.web.desk import Services
from pipeline.web.objects.kinds import NamedObject
from pipeline.web.probes import bucket_of

NOT_INSTALLED: Final = "Not installed"
NO_WORKER: Final = "no worker reports on it"
NO_RULE: Final = "no enabled rule uses it, so no worker runs it"
BEGINS: Final = "workers are about to run it"
NO_INGRESS: Final = "no ingress reports on it"

# The names that metrics have in EMQX, in its order, and one that it does not have. What nobody has counted is 0.
ACTION_METRICS: Final = (
    *("matched", "success", "failed", "dropped", "dropped.expired", "dropped.queue_full"),
    *("dropped.resource_not_found", "dropped.resource_stopped", "dropped.other"),
    *("queuing", "queuing_bytes", "inflight", "retried", "late_reply", "received"),
    *("aggregated_upload.success", "aggregated_upload.failure", "conflated"),
)
ACTION_RATES: Final = ("rate", "rate_last5m", "rate_max")
RULE_METRICS: Final = (
    *("matched", "passed", "failed", "failed.exception", "failed.no_result"),
    *("actions.total", "actions.success", "actions.failed", "actions.failed.out_of_service"),
    *("actions.failed.unknown", "actions.discarded"),
)
RULE_RATES: Final = ("matched.rate", "matched.rate.last5m", "matched.rate.max")


def of_action(config: Config, reports: Iterable[ProcessReport], named: NamedObject) -> Together:
    """An action: as its workers say. Without a rule it stands still, and a new one is not away until workers know of it."""
    action = named.section
    assert isinstance(action, S3Action)
    connector = config.connectors.s3.get(action.connector)
    if not action.enable or connector is None or not connector.enable:
        return Together("disconnected", NOT_INSTALLED, {})
    wanted = list(reports)
    found = together(wanted, "actions", named.id, NO_WORKER)
    if found.nodes:
        return found
    if not statements_of(config, named.name):
        return Together("stopped", NO_RULE, {})
    if any(each.kind == "worker" and not each.problem and each.revision < config.revision for each in wanted):
        return Together("connecting", BEGINS, {})
    return found


def of_source(reports: Iterable[ProcessReport], named: NamedObject) -> Together:
    """A source: as its ingresses say."""
    if not getattr(named.section, "enable", True):
        return Together("stopped", "", {})
    return together(reports, "sources", named.id, NO_INGRESS)


async def of_connectors(services: Services, config: Config, connectors: Iterable[NamedObject]) -> dict[str, Together]:
    """Connectors by id: as the workers of their actions say; without such workers, as this process finds them."""
    reports = services.board.reports(services.now_ms())
    wanted = list(connectors)
    found = await asyncio.gather(*(_of_connector(services, config, reports, each) for each in wanted))
    services.checks.keep(f"s3:{name}" for name in config.connectors.s3)
    return {each.id: status for each, status in zip(wanted, found, strict=True)}


async def _of_connector(
    services: Services, config: Config, reports: Sequence[ProcessReport], named: NamedObject
) -> Together:
    connector = named.section
    assert isinstance(connector, S3Connector)
    if not connector.enable:
        return Together("stopped", "", {})
    users = {f"s3:{name}": each for name, each in config.actions.s3.items() if each.connector == named.name}
    nodes = {report.node: part for report in reports if (part := _through(report, users)) is not None}
    if not nodes:
        nodes = {services.node: await services.checks.of(named.id, connector, map(bucket_of, users.values()))}
    return together(
        [ProcessReport(node, "", 0, parts={"connectors": {"it": part}}) for node, part in nodes.items()],
        "connectors",
        "it",
        "",
    )


def _through(report: ProcessReport, actions: Iterable[str]) -> Part | None:
    """What one worker says of a connector, by its actions: connected if one of them is, else the first that is not."""
    parts = [part for id in actions if (part := report.of("actions", id)) is not None]
    return next((part for part in parts if part.status == "connected"), parts[0] if parts else None)


def own_report(services: Services) -> ProcessReport:
    """What this process says of itself."""
    snapshot = services.log.snapshot
    known = version("tidegate"), snapshot.revision, snapshot.problem, services.began_ms, memory_bytes()
    jobs = [{**each.shown(), "notes": []} for each in services.jobs.all()]  # whoever wants the notes asks this process
    return ProcessReport(services.node, "api", services.now_ms(), *known, jobs=jobs)


# --- Metrics


def metrics(snapshot: Snapshot, reports: Iterable[ProcessReport], kind: Parts, id: str) -> dict[str, Any]:
    """The counters and rates of one object, per process and summed, since they were reset."""
    names, rates = (RULE_METRICS, RULE_RATES) if kind == "rules" else (ACTION_METRICS, ACTION_RATES)
    reset = snapshot.objects.get(reset_key(kind, id))
    baselines: Mapping[str, Any] = reset.value["nodes"] if reset else {}
    nodes = {
        report.node: _metrics(part, baselines.get(report.node, {}), names, rates)
        for report in reports
        if (part := report.of(kind, id)) is not None
    }
    whole = {name: sum(each[name] for each in nodes.values()) for name in names}
    summed = {name: round(sum(each[name] for each in nodes.values()) + 0.0, 3) for name in rates}
    found = {
        "metrics": whole | summed,
        "node_metrics": [{"node": node, "metrics": each} for node, each in nodes.items()],
    }
    if kind == "actions":
        found["latency"] = latency_of(_since(reports, kind, id, baselines))
    return found


def _since(
    reports: Iterable[ProcessReport], kind: Parts, id: str, before: Mapping[str, Mapping[str, int]]
) -> dict[str, int]:
    """The counters of latency over all processes since they were reset."""
    found: dict[str, int] = {}
    for report in reports:
        part = report.of(kind, id)
        for name, count in part.counters.items() if part else ():
            if name.startswith("latency."):
                found[name] = found.get(name, 0) + max(0, count - int(before.get(report.node, {}).get(name, 0)))
    return found


def baselines(reports: Iterable[ProcessReport], kind: Parts, id: str) -> dict[str, Any]:
    """The value of a reset: what each process has counted so far. A process that starts again begins at nothing."""
    found = {report.node: dict(part.counters) for report in reports if (part := report.of(kind, id)) is not None}
    return {"nodes": found}


_GAUGES: Final = frozenset({"queuing", "queuing_bytes", "inflight"})


def _metrics(part: Part, before: Mapping[str, int], names: Sequence[str], rates: Sequence[str]) -> dict[str, Any]:
    counted = {
        name: max(0, int(part.counters.get(name, 0)) - (0 if name in _GAUGES else int(before.get(name, 0))))
        for name in names
    }
    return counted | {name: float(part.rates.get(name, 0.0)) for name in rates}
