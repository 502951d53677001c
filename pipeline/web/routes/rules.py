"""Rules: the paged list with its filters, create, change, delete, and metrics."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from pipeline.control.objects import Snapshot, Stored
from pipeline.control.status import reset_key
from pipeline.errors import NotFoundError
from pipeline.web.answers import Json, RequestError, nothing, page_of
from pipeline.web.desk import Desk, Services
from pipeline.web.document import body_of, errors, told
from pipeline.web.objects.bodies import Body, CallerIs, IfMatch, etag
from pipeline.web.objects.kinds import KINDS
from pipeline.web.objects.rules import FILTERS, filtered, new_id, rule_answer, settings_of_rule
from pipeline.web.objects.writing import Edit, write
from pipeline.web.standing import baselines, metrics, of_action

router = APIRouter(tags=["rules"])


def _statuses(services: Services, snapshot: Snapshot) -> dict[str, str]:
    reports = services.board.reports(services.now_ms())
    actions = KINDS["actions"].all(snapshot.config)
    return {each.id: of_action(snapshot.config, reports, each).status for each in actions}


def _known(snapshot: Snapshot, id: str) -> str:
    if id not in snapshot.config.rules:
        raise NotFoundError(f"no rule {id[:255]!r}")
    return id


async def _one(services: Services, snapshot: Snapshot, id: str, status: int = 200) -> Response:
    answer = rule_answer(snapshot, _known(snapshot, id), _statuses(services, snapshot))
    stored = snapshot.objects.get(f"rule/{id}")
    return Json(answer, status_code=status, headers=etag(stored.revision) if stored else {})


@router.get("/rules", responses=told(200, "Rules") | errors(400))
async def list_rules(
    request: Request,
    desk: Desk,
    page: str | None = None,
    limit: str | None = None,
    enable: str | None = None,
    like_id: str | None = None,
    like_from: str | None = None,
    match_from: str | None = None,
    like_description: str | None = None,
    from_: Annotated[str | None, Query(alias="from")] = None,
    action: Annotated[list[str] | None, Query()] = None,
    source: Annotated[list[str] | None, Query()] = None,
) -> Response:
    """The rules that pass all filters, by id, page by page. Several values of `action` or `source` mean one of them."""
    snapshot = desk.log.snapshot
    if enable not in (None, "true", "false"):
        raise RequestError("BAD_REQUEST", f"enable: expected true or false, found {enable[:40]!r}")
    asked = {name: request.query_params.getlist(name) for name in FILTERS}
    ids, meta = page_of(filtered(snapshot.config, sorted(snapshot.config.rules), asked), page, limit)
    statuses = _statuses(desk, snapshot)
    return Json({"data": [rule_answer(snapshot, id, statuses) for id in ids], "meta": meta})


@router.post(
    "/rules",
    status_code=201,
    responses=told(201, "Rule") | errors(400, 413, 415, 503),
    openapi_extra=body_of("NewRule"),
)
async def create_rule(request: Request, desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Create a rule. Without an id it gets one."""
    id = new_id(body)
    request.state.at = f"rules.{id}"

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        if found is not None:
            raise RequestError("BAD_REQUEST", f"there is already a rule {id}")
        return Edit({f"rule/{id}": settings_of_rule(id, body)})

    return await _one(desk, await write(desk.log, caller, f"rule/{id}", made), id, 201)


@router.get("/rules/{id}", responses=told(200, "Rule") | errors(404))
async def get_rule(id: str, desk: Desk) -> Response:
    """One rule. The header ETag has its revision."""
    return await _one(desk, desk.log.snapshot, id)


@router.put(
    "/rules/{id}",
    responses=told(200, "Rule") | errors(400, 404, 409, 412, 413, 415, 503),
    openapi_extra=body_of("ChangedRule"),
)
async def change_rule(
    id: str, request: Request, desk: Desk, caller: CallerIs, body: Body, if_match: IfMatch
) -> Response:
    """Change some fields of a rule; the others stay."""
    request.state.at = f"rules.{id}"

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _known(snapshot, id)
        stored: Any = found.value if found else {}
        return Edit({f"rule/{id}": {**stored, **settings_of_rule(id, body)}})

    return await _one(desk, await write(desk.log, caller, f"rule/{id}", made, if_match), id)


@router.delete("/rules/{id}", status_code=204, responses=errors(404, 409, 412, 503))
async def delete_rule(id: str, desk: Desk, caller: CallerIs, if_match: IfMatch) -> Response:
    """Delete a rule. Its actions stay."""

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _known(snapshot, id)
        return Edit(deletes=frozenset([f"rule/{id}", reset_key("rules", id)]))

    await write(desk.log, caller, f"rule/{id}", made, if_match)
    return nothing()


@router.get("/rules/{id}/metrics", responses=told(200, "RuleMetrics") | errors(404))
async def get_metrics(id: str, desk: Desk) -> Response:
    """What the rule made of records, per process and summed."""
    snapshot = desk.log.snapshot
    reports = desk.board.reports(desk.now_ms(), "worker")
    return Json({"id": _known(snapshot, id), **metrics(snapshot, reports, "rules", id)})


@router.put("/rules/{id}/metrics/reset", status_code=204, responses=errors(404, 503))
async def reset_metrics(id: str, desk: Desk, caller: CallerIs) -> Response:
    """Begin to count again at 0."""
    _known(desk.log.snapshot, id)
    value = baselines(desk.board.reports(desk.now_ms(), "worker"), "rules", id)
    await write(desk.log, caller, reset_key("rules", id), lambda snapshot, found: Edit({reset_key("rules", id): value}))
    return nothing()
