"""Sources, and their light list."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from pipeline.config import Config
from pipeline.control.objects import Snapshot
from pipeline.control.status import Together, reset_key
from pipeline.web.answers import Json
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.objects.kinds import KINDS, NamedObject
from pipeline.web.objects.writing import Edit
from pipeline.web.probes import probe_source
from pipeline.web.routes.resources import Family, router_of
from pipeline.web.standing import of_source

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


router = router_of(Family(KIND, "Source", _statuses, _users, _probe, _removal, "ingress"))


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
