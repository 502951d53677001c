"""What our own page asks beside EMQX's calls: the user, the forms, what a draft would be told, and the numbers of now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from pipeline.config.schema import schema as schema_of_configuration
from pipeline.errors import ConfigError, NotFoundError
from pipeline.web.answers import Json, RequestError
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, json_body, told
from pipeline.web.objects import drafts
from pipeline.web.objects.bodies import Body
from pipeline.web.objects.kinds import KINDS
from pipeline.web.people.accounts import has_users
from pipeline.web.standing import metrics, of_action

LIVE_SECONDS: Final = 1.0
ACTIONS_MAX: Final = 20

router = APIRouter(tags=["page"])


@router.get("/session", responses=told(200, "Session"))
async def session(request: Request, desk: Desk) -> Response:
    """The user of this request; without a login `session` is null. `first`: there is no user yet."""
    try:
        caller = await desk.sessions.caller(request)
    except RequestError:
        found = None
    else:
        found = {"username": caller.name, "role": caller.role, "version": version("tidegate")}
    return Json({"session": found, "first": not has_users(desk.log.snapshot.objects)})


@router.get("/schemas/{setting}", responses=told(200, "Free") | errors(404))
async def form_schemas(setting: str) -> Response:
    """The JSON Schemas of the settings, from which forms are made: of connectors, actions or sources."""
    if setting not in KINDS:
        raise NotFoundError.among("setting", setting[:80], KINDS)
    types = {type_: section.__name__ for type_, section in KINDS[setting].types.items()}
    return Json({"types": types, "components": {"schemas": schema_of_configuration()["$defs"]}})


@router.post(
    "/{setting}_check", responses=told(200, "Checked") | errors(400, 404, 413, 415), openapi_extra=json_body({})
)
async def check(setting: str, desk: Desk, body: Body, sql: str = "") -> Response:
    """What would refuse this action or rule if it were stored, and what is only worth a look. Nothing is stored.

    `sql`: the statement that would feed the action, as long as no stored rule does.
    """
    if setting not in ("actions", "rules"):
        raise NotFoundError(f"expected /actions_check or /rules_check, found /{setting[:80]}_check")
    snapshot = desk.log.snapshot
    draft = drafts.action_of(snapshot, body, sql) if setting == "actions" else drafts.rule_of(snapshot, body)
    return Json(await asyncio.to_thread(drafts.findings, snapshot, draft))


@router.post(
    "/rule_trial",
    responses=told(200, "Trial") | errors(400, 404, 413, 415, 503),
    openapi_extra=json_body({"sql": {"type": "string"}, "context": {"type": "object"}, "actions": {"type": "array"}}),
)
async def trial(desk: Desk, body: Body) -> Response:
    """What a statement makes of an event, and the object that each action makes of each row. Nothing is written."""
    sql, actions = statement_in(body)
    return Json(await asyncio.to_thread(drafts.tried, desk.log.snapshot, sql, body.get("context"), actions))


def statement_in(body: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The statement and the actions that a body wants to try. Raises ConfigError."""
    sql, actions = body.get("sql"), body.get("actions", [])
    if not isinstance(sql, str) or not sql:
        raise ConfigError("expected a text that is not empty", where="root.sql")
    if not isinstance(actions, list) or len(actions) > ACTIONS_MAX:
        raise ConfigError(f"expected a list of at most {ACTIONS_MAX} actions", where="root.actions")
    return sql, actions


# --- The numbers of now


@router.get("/live", include_in_schema=False)
async def live(desk: Desk) -> Response:
    """Statuses and rates as server-sent events, one a second while something changes."""
    return StreamingResponse(_events(desk), media_type="text/event-stream")


async def _events(services: Services) -> AsyncIterator[bytes]:
    before = b""
    while not services.closing.is_set():
        now = orjson.dumps(_numbers(services))
        # A comment keeps the connection, and tells the server that the page is gone.
        yield b": \n\n" if now == before else b"data: " + now + b"\n\n"
        before = now
        with suppress(TimeoutError):
            async with asyncio.timeout(LIVE_SECONDS):
                await services.closing.wait()


def _numbers(services: Services) -> dict[str, Any]:
    snapshot = services.log.snapshot
    reports = services.board.reports(services.now_ms())
    status: dict[str, str] = {}
    rates: dict[str, float] = {}
    for action in KINDS["actions"].all(snapshot.config):
        status[f"action/{action.id}"] = of_action(snapshot.config, reports, action).status
        rates[f"action/{action.id}"] = metrics(snapshot, reports, "actions", action.id)["metrics"]["rate"]
    for id in snapshot.config.rules:
        rates[f"rule/{id}"] = metrics(snapshot, reports, "rules", id)["metrics"]["matched.rate"]
    return {"revision": snapshot.revision, "status": status, "rates": rates}
