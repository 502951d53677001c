"""Dead letters: find them, and read one. The jobs send them again (jobs.py), and `/rule_trial` tries a rule on one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from pipeline.web.answers import Json
from pipeline.web.desk import Desk
from pipeline.web.document import errors, told
from pipeline.web.evidence import letters

router = APIRouter(tags=["dead letters"], prefix="/dead_letters")
LIMIT_MAX: Final = 1_000


@router.get("", responses=told(200, "Letters") | errors(400, 404, 503))
async def list_letters(
    desk: Desk,
    action: str | None = None,
    rule: str | None = None,
    cause: str | None = None,
    clientid: str | None = None,
    since: Annotated[int, Query(ge=0)] = 0,
    again: bool = False,
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> Response:
    """The letters that were not sent again (with `again`: all), newest first. Copies are one. `groups` counts them."""
    asked = {"action": action, "rule": rule, "cause": cause, "clientid": clientid, "since": since, "again": again}
    config = desk.log.snapshot.config
    return Json(await asyncio.to_thread(letters.page, config, letters.wanted_by(asked), page, limit))


@router.get("/{place}", responses=told(200, "WholeLetter") | errors(400, 404, 503))
async def get_letter(place: str, desk: Desk) -> Response:
    """One whole letter, by its place partition:offset."""
    return Json(await asyncio.to_thread(letters.one, desk.log.snapshot.config, place))
