"""The counters of rules, actions and connectors for Prometheus, under the names of EMQX.

The processes' own pages (/metrics) have more, under our names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import PlainTextResponse, Response

from pipeline.control.objects import Snapshot
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, raw
from pipeline.web.objects.kinds import KINDS
from pipeline.web.standing import metrics, of_action, of_connectors

router = APIRouter(tags=["metrics"])
Mode = Literal["node", "all_nodes_aggregated", "all_nodes_unaggregated"]

Line = tuple[str, dict[str, str], float]  # name, labels, value


@router.get(
    "/prometheus/data_integration",
    response_class=PlainTextResponse,
    responses=raw("text/plain", "The metrics in the text format of Prometheus.") | errors(400),
)
async def data_integration(desk: Desk, mode: Mode = "all_nodes_aggregated") -> Response:
    """Counters and statuses. `all_nodes_unaggregated`: one line for each process, with its name as the label `node`.

    `node` is the same as `all_nodes_aggregated`, since this process runs no rules itself.
    """
    snapshot = desk.log.snapshot
    lines = [*_counts(snapshot), *_rules(desk, snapshot, mode), *_actions(desk, snapshot, mode)]
    connectors = list(KINDS["connectors"].all(snapshot.config))
    statuses = await of_connectors(desk, snapshot.config, connectors)
    for each in connectors:
        enabled = bool(getattr(each.section, "enable", True))
        lines.append(("emqx_connector_enable", {"id": each.id}, enabled))
        lines.append(("emqx_connector_status", {"id": each.id}, statuses[each.id].status == "connected"))
    return Response(_text(lines), media_type=CONTENT_TYPE_LATEST)


def _counts(snapshot: Snapshot) -> Iterator[Line]:
    config = snapshot.config
    yield "emqx_rules_count", {}, len(config.rules)
    yield "emqx_actions_count", {}, sum(len(rule.actions) for rule in config.rules.values())
    yield "emqx_connectors_count", {}, len(config.connectors.s3)
    yield "emqx_schema_registrys_count", {}, len(config.schemas)


def _rules(services: Services, snapshot: Snapshot, mode: Mode) -> Iterator[Line]:
    reports = services.board.reports(services.now_ms(), "worker")
    for id, rule in sorted(snapshot.config.rules.items()):
        yield "emqx_rule_enable", {"id": id}, rule.enable
        yield from _counters("rule", id, metrics(snapshot, reports, "rules", id), mode)


def _actions(services: Services, snapshot: Snapshot, mode: Mode) -> Iterator[Line]:
    reports = services.board.reports(services.now_ms(), "worker")
    for each in sorted(KINDS["actions"].all(snapshot.config)):
        status = of_action(snapshot.config, reports, each)
        yield "emqx_action_enable", {"id": each.id}, bool(getattr(each.section, "enable", True))
        yield "emqx_action_status", {"id": each.id}, status.status == "connected"
        found = metrics(snapshot, reports, "actions", each.id)
        yield from _counters("action", each.id, found, mode)
        yield from _latency(each.id, found["latency"])


def _latency(id: str, found: dict[str, Any]) -> Iterator[Line]:
    """EMQX has no such metric, so its name is ours."""
    for le, count in found["buckets"].items():
        yield "tidegate_action_latency_seconds_bucket", {"id": id, "le": le}, count
    yield "tidegate_action_latency_seconds_count", {"id": id}, found["count"]
    yield "tidegate_action_latency_seconds_sum", {"id": id}, (found["mean_seconds"] or 0) * found["count"]


def _counters(kind: str, id: str, found: dict[str, Any], mode: Mode) -> Iterator[Line]:
    whole = [({"id": id}, found["metrics"])]
    each = [({"id": id, "node": node["node"]}, node["metrics"]) for node in found["node_metrics"]]
    for labels, counters in each if mode == "all_nodes_unaggregated" else whole:
        for name, value in counters.items():
            if not name.startswith(("rate", "matched.rate")):
                yield f"emqx_{kind}_{name.replace('.', '_')}", labels, value


def _text(lines: list[Line]) -> str:
    """Prometheus's text form: the lines of one metric stand together."""
    found: dict[str, list[str]] = {}
    for name, labels, value in lines:
        text = ",".join(f'{key}="{_escaped(each)}"' for key, each in labels.items())
        found.setdefault(name, []).append(
            f"{name}{{{text}}} {float(value):.17g}" if text else f"{name} {float(value):.17g}"
        )
    gauge = re.compile(r"emqx_.*_(count|enable|status|queuing|queuing_bytes|inflight)")
    return "".join(
        f"# TYPE {name} {'gauge' if gauge.fullmatch(name) else 'counter'}\n" + "\n".join(values) + "\n"
        for name, values in found.items()
    )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
