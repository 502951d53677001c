"""The processes of the pipeline."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.control.status import ProcessReport
from pipeline.errors import NotFoundError
from pipeline.web.answers import Json
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.standing import own_report

router = APIRouter(tags=["cluster"])
EDITION: Final = "Opensource"


def _nodes(services: Services) -> list[dict[str, Any]]:
    now = services.now_ms()
    reports = [each for each in services.board.reports(now) if each.node != services.node]
    own = own_report(services)
    return [_answer(each, now) for each in sorted([own, *reports], key=lambda each: each.node)]


def _answer(report: ProcessReport, now_ms: int) -> dict[str, Any]:
    """One process. What it does not report is left out: load, CPU and memory of machines are for other programs to watch."""
    known = {"memory_used": report.rss_bytes} if report.rss_bytes else {}
    return {
        "node": report.node,
        "node_status": "running",
        "role": "core",
        "kind": report.kind,
        "version": report.version,
        "edition": EDITION,
        "uptime": max(0, now_ms - report.started_at),
        "revision": report.revision,
        "problem": report.problem,
        **known,
    }


@router.get("/nodes", responses=told(200, "Node", many=True) | errors())
async def list_nodes(desk: Desk) -> Response:
    """Every process that reports."""
    return Json(_nodes(desk))


@router.get("/nodes/{node}", responses=told(200, "Node") | errors(404))
async def get_node(node: str, desk: Desk) -> Response:
    """One process."""
    nodes = {each["node"]: each for each in _nodes(desk)}
    if node not in nodes:
        raise NotFoundError.among("node", node[:80], nodes)
    return Json(nodes[node])


@router.get("/cluster", responses=told(200, "Cluster") | errors())
async def cluster(desk: Desk) -> Response:
    """The pipeline as a cluster: its name, its processes, and the one that answers."""
    nodes = [each["node"] for each in _nodes(desk)]
    return Json({"name": desk.log.snapshot.config.pipeline, "nodes": nodes, "self": own_report(desk).node})
