"""Sources, and their light list."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from pipeline.config import Config
from pipeline.control.objects import Snapshot
from pipeline.control.status import Together, reset_key
from pipeline.web.answers import Json, nothing
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.objects.bodies import CallerIs
from pipeline.web.objects.kinds import KINDS, NamedObject
from pipeline.web.objects.writing import Edit, write
from pipeline.web.probes import probe_source
from pipeline.web.routes.resources import Family, router_of
from pipeline.web.standing import baselines, metrics, of_source

KIND = KINDS["sources"]


def _users(config: Config, named: NamedObject) -> Mapping[str, list[str]]:
    """No rule names a source: rules read what all of them wrote to Kafka."""
    return {"rules": []}


async def _statuses(services: Services, config: Config, sources: list[NamedObject]) -> Mapping[str, Together]:
    reports = services.board.reports(services.now_ms())
    return {each.id: of_source(reports, each) for each in sources}


async def _probe(config: Config, named: NamedObject) -> None:
    await probe_source(config, named.section)


def _removal(snapshot: Snapshot, named: NamedObject, also: bool) -> Edit:
    return Edit(deletes=frozenset([KIND.key(named.type, named.name), reset_key("sources", named.id)]))


router = router_of(Family(KIND, "Source", _statuses, _users, _probe, _removal))


@router.get("/sources_summary", responses=told(200, "SourceSummary", many=True) | errors())
async def summary(desk: Desk) -> Response:
    """All sources with their status, without their settings."""
    sources = sorted(KIND.all(desk.log.snapshot.config), key=lambda each: each.name)
    statuses = await _statuses(desk, desk.log.snapshot.config, sources)
    return Json([_line(each, statuses[each.id]) for each in sources])


def _line(named: NamedObject, status: Together) -> dict[str, object]:
    return {
        "type": named.type,
        "name": named.name,
        "enable": getattr(named.section, "enable", True),
        "description": getattr(named.section, "description", ""),
        "status": status.status,
        "status_reason": status.status_reason,
        "node_status": status.node_status(),
        "rules": [],
    }


@router.get("/sources/{id}/metrics", responses=told(200, "Metrics") | errors(404))
async def get_metrics(id: str, desk: Desk) -> Response:
    """Counters of what came in, per process and summed."""
    snapshot = desk.log.snapshot
    named = KIND.found(snapshot.config, id)
    return Json(metrics(snapshot, desk.board.reports(desk.now_ms(), "ingress"), "sources", named.id))


@router.put("/sources/{id}/metrics/reset", status_code=204, responses=errors(404, 503))
async def reset_metrics(id: str, desk: Desk, caller: CallerIs) -> Response:
    """Begin to count again at 0."""
    named = KIND.found(desk.log.snapshot.config, id)
    value = baselines(desk.board.reports(desk.now_ms(), "ingress"), "sources", named.id)
    key = reset_key("sources", named.id)
    await write(desk.log, caller, key, lambda snapshot, found: Edit({key: value}))
    return nothing()
