"""What our own page asks beside EMQX's calls: the user, the forms, and what a draft would be told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.config.schema import schema as schema_of_configuration
from pipeline.errors import ConfigError, NotFoundError
from pipeline.web.answers import Json, RequestError
from pipeline.web.desk import Desk
from pipeline.web.document import body_of, errors, json_body, told
from pipeline.web.evidence import letters
from pipeline.web.objects import drafts
from pipeline.web.objects.bodies import Body
from pipeline.web.objects.kinds import KINDS
from pipeline.web.people.accounts import has_users
from pipeline.web.shapes import ref

ACTIONS_MAX: Final = 20
TRIED_ACTIONS: Final = {
    "type": "array",
    "maxItems": ACTIONS_MAX,
    "items": {"oneOf": [{"type": "string"}, ref("NewAction")]},
}

router = APIRouter(tags=["page"])


@router.get("/session", responses=told(200, "Session"), openapi_extra={"security": []})
async def session(request: Request, desk: Desk) -> Response:
    """The user of this request; without a login `session` is null. `first`: there is no user yet."""
    try:
        caller = await desk.sessions.caller(request)
    except RequestError:
        found = None
    else:
        found = {"username": caller.name, "role": caller.role, "version": version("tidegate")}
    return Json({"session": found, "first": not has_users(desk.log.snapshot.objects)})


@router.get("/schemas/{setting}", responses=told(200, "JsonSchemas") | errors(404))
async def form_schemas(setting: str) -> Response:
    """The JSON Schemas of the settings, from which forms are made: of connectors, actions or sources."""
    if setting not in KINDS:
        raise NotFoundError.among("setting", setting[:80], KINDS)
    types = {type_: section.__name__ for type_, section in KINDS[setting].types.items()}
    return Json({"types": types, "components": {"schemas": schema_of_configuration()["$defs"]}})


@router.post(
    "/{setting}_check", responses=told(200, "Checked") | errors(400, 404, 413, 415), openapi_extra=body_of("Draft")
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
    openapi_extra=json_body(
        {"sql": "string", "context": ref("EventFields"), "letter": "string", "actions": TRIED_ACTIONS},
        *("context", "letter", "actions"),
    ),
)
async def trial(desk: Desk, body: Body) -> Response:
    """What a statement makes of an event, and the object that each action makes of each row. Nothing is written.

    The event is that of `context`, or that of a dead letter: `letter` is its place.
    """
    sql, actions = statement_in(body)
    snapshot, letter = desk.log.snapshot, body.get("letter")
    if letter is None:
        sample = drafts.sampled(snapshot.config, body.get("context"))
    else:
        sample = await asyncio.to_thread(letters.sample, snapshot.config, str(letter))
    return Json(await asyncio.to_thread(drafts.tried, snapshot, sql, sample, actions))


def statement_in(body: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """The statement and the actions that a body wants to try. Raises ConfigError."""
    sql, actions = body.get("sql"), body.get("actions", [])
    if not isinstance(sql, str) or not sql:
        raise ConfigError("expected a text that is not empty", where="root.sql")
    if not isinstance(actions, list) or len(actions) > ACTIONS_MAX:
        raise ConfigError(f"expected a list of at most {ACTIONS_MAX} actions", where="root.actions")
    return sql, actions
