"""The processes of the pipeline, and what they did together."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from pipeline.control.history import COUNTED, STEP_MS, Step
from pipeline.control.status import ProcessReport
from pipeline.errors import NotFoundError
from pipeline.web.answers import Json
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.standing import own_report

router = APIRouter(tags=["cluster"])
EDITION: Final = "Opensource"
SECONDS_MAX: Final = 3_600


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


@router.get("/monitor_current", responses=told(200, "Current") | errors())
async def current(desk: Desk) -> Response:
    """What happens now: rates over the last step, in messages a second."""
    last = desk.history.last
    counts = last.counts if last else dict.fromkeys(COUNTED, 0)
    seconds = STEP_MS / 1000
    rates = {f"{name}_msg_rate": counts[name] / seconds for name in ("received", "sent", "dropped")}
    rates |= {f"{name}_rate": counts[name] / seconds for name in ("received_bytes", "sent_bytes", "objects")}
    levels = {"connections": last.connections if last else 0, "lag": last.lag if last else 0}
    return Json({**rates, **levels, "node_count": len(_nodes(desk))})


@router.get("/monitor", responses=told(200, "Step", many=True) | errors(400))
async def monitor(desk: Desk, latest: Annotated[int, Query(ge=1)] = SECONDS_MAX) -> Response:
    """The samples of the last seconds, an hour at most, one every 10 s."""
    since = desk.now_ms() - min(latest, SECONDS_MAX) * 1000
    return Json([_sample(each) for each in desk.history.since(since)])


def _sample(sample: Step) -> dict[str, int]:
    return {"time_stamp": sample.at, **sample.counts, "connections": sample.connections, "lag": sample.lag}
