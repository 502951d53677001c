"""The cluster in numbers and in words: counts of objects, counters of messages, what does not work, and who changed what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.control.history import COUNTED
from pipeline.control.records import Past
from pipeline.control.status import ProcessReport
from pipeline.errors import NotFoundError
from pipeline.web.answers import Json, page_of
from pipeline.web.desk import Answer, Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.objects.kinds import KINDS
from pipeline.web.people.accounts import OWN_RECORDS
from pipeline.web.standing import of_action, of_source, own_report

router = APIRouter(tags=["overview"])
# EMQX's names of the columns of `/monitor`.
METRICS: Final = {
    "received": "messages.received",
    "sent": "messages.sent",
    "dropped": "messages.dropped",
    "received_bytes": "bytes.received",
    "sent_bytes": "bytes.sent",
}
FROM: Final = {"rest": "rest_api", "page": "dashboard", "kafka": "kafka"}  # others are commands


def _reports(services: Services) -> list[ProcessReport]:
    own = own_report(services)
    others = [each for each in services.board.reports(services.now_ms()) if each.node != own.node]
    return sorted([own, *others], key=lambda each: each.node)


# --- Numbers


@router.get("/stats", responses=told(200, "Stats") | errors())
async def stats(desk: Desk, aggregate: bool = False) -> Response:
    """How many objects there are, and how many connections each process has; `aggregate`: one object for all processes."""
    return Json(_numbers([_stats(desk, each) for each in _reports(desk)], aggregate, _objects(desk)))


@router.get("/nodes/{node}/stats", responses=told(200, "NodeStats") | errors(404))
async def stats_of_node(node: str, desk: Desk) -> Response:
    """The same of one process."""
    return Json(_stats(desk, _node(desk, node)))


@router.get("/metrics", responses=told(200, "Counters") | errors(404))
async def counters(desk: Desk, aggregate: bool = False, node: str | None = None) -> Response:
    """What each process has counted since it began; `aggregate`: the sum."""
    chosen = [_node(desk, node)] if node else _reports(desk)
    return Json(_numbers([_counters(each) for each in chosen], aggregate, {}))


def _node(services: Services, node: str) -> ProcessReport:
    reports = {each.node: each for each in _reports(services)}
    if node not in reports:
        raise NotFoundError.among("node", node[:80], reports)
    return reports[node]


def _numbers(nodes: list[Answer], aggregate: bool, of_all: dict[str, int]) -> Any:
    """One object for each process, or one for all: `of_all` has the numbers that are the same in each process."""
    if not aggregate:
        return nodes
    names = dict.fromkeys(name for each in nodes for name in each if name != "node")
    return {name: of_all.get(name, sum(each[name] for each in nodes)) for name in names}


def _objects(services: Services) -> dict[str, int]:
    config = services.log.snapshot.config
    return {f"{name}.count": len(list(kind.all(config))) for name, kind in KINDS.items()} | {
        "rules.count": len(config.rules),
        "schemas.count": len(config.schemas),
    }


def _stats(services: Services, report: ProcessReport) -> Answer:
    connections = sum(int(part.counters.get("connections", 0)) for part in report.parts.get("sources", {}).values())
    return {"node": report.node, **_objects(services), "connections.count": connections}


def _counters(report: ProcessReport) -> Answer:
    found: Answer = {"node": report.node}
    for column, name in METRICS.items():
        kind, counter = COUNTED[column]
        found[name] = sum(int(part.counters.get(counter, 0)) for part in report.parts.get(kind, {}).values())
    return found


# --- Words


@router.get("/alarms", responses=told(200, "Alarms") | errors(400))
async def alarms(desk: Desk, activated: bool = True, page: str | None = None, limit: str | None = None) -> Response:
    """What does not work now: processes with a problem, actions and sources that are not connected.

    Nobody keeps what was over long ago: `activated=false` is empty, and the charts and logs have it.
    """
    found, meta = page_of(list(_alarms(desk)) if activated else [], page, limit)
    return Json({"data": found, "meta": meta})


def _alarms(services: Services) -> Iterator[Answer]:
    config, reports = services.log.snapshot.config, _reports(services)
    for report in reports:
        if report.problem:
            yield _alarm(report.node, "configuration", report.problem)
    enabled = [each for each in KINDS["actions"].all(config) if getattr(each.section, "enable", True)]
    for each in enabled:
        yield from _unwell(f"action/{each.id}", of_action(config, reports, each))
    for each in KINDS["sources"].all(config):
        yield from _unwell(f"source/{each.id}", of_source(reports, each))


def _unwell(name: str, status: Any) -> Iterator[Answer]:
    if status.status in ("disconnected", "inconsistent"):
        nodes = [node for node, part in sorted(status.nodes.items()) if part.status != "connected"]
        yield _alarm(", ".join(nodes), name, f"{status.status}: {status.status_reason}".removesuffix(": "))


def _alarm(node: str, name: str, message: str) -> Answer:
    return {"node": node, "name": name, "message": message, "details": {}, "deactivate_at": "infinity"}


@router.get("/audit", responses=told(200, "Audit") | errors(400, 503))
async def audit(desk: Desk, page: str | None = None, limit: str | None = None) -> Response:
    """The changes with their authors, the newest first, as far as the topic has them. `/history` has the values too."""
    past = [each for each in await desk.log.history() if not each.key.startswith(OWN_RECORDS)]
    found, meta = page_of(past[::-1], page, limit)
    return Json({"data": list(_entries(found)), "meta": meta})


def _entries(past: Iterable[Past]) -> Iterator[Answer]:
    for each in past:
        kind, _, name = each.key.partition("/")
        yield {
            "created_at": datetime.fromtimestamp(each.at / 1000, UTC).isoformat(timespec="milliseconds"),
            "from": FROM.get(each.source, "cli"),
            "source": each.by,
            "operation_id": each.change,
            "operation_type": kind,
            "operation_name": f"{'put' if each.stored else 'delete'} {name}".strip(),
            "operation_result": "success",
            "revision": each.revision,
        }
