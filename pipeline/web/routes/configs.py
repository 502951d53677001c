"""Every object in one document, as HOCON or JSON, and the settings of the rule engine, which have one value here."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import PlainTextResponse, Response

from pipeline.control.objects import Snapshot, Stored
from pipeline.emqx.reading import from_text
from pipeline.errors import ConfigError
from pipeline.web.answers import Json, RequestError
from pipeline.web.desk import Desk
from pipeline.web.document import JSON, body_of, errors, told
from pipeline.web.objects.bodies import Body, CallerIs, read_body
from pipeline.web.objects.bulk import ENGINE_SETTINGS, ROOTS, check_engine, edit, given, hocon, seen
from pipeline.web.objects.writing import Edit, write

router = APIRouter(tags=["configs"])
TEXT: Final = "text/plain"
BYTES_MAX: Final = 2 << 20  # HOCON of this size is read in a few seconds
_WRITTEN: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "Written. There is no body."}}
_TEXT_OR_JSON: Final[dict[str, Any]] = {
    TEXT: {"schema": {"type": "string"}},
    JSON: {"schema": {"$ref": "#/components/schemas/Configs"}},
}
_READ: Final[dict[int | str, dict[str, Any]]] = {200: {"description": "The objects.", "content": _TEXT_OR_JSON}}


@router.get("/configs", responses=_READ | errors(400))
async def get_configs(request: Request, desk: Desk, key: str | None = None) -> Response:
    """Every object, or those under one root, `key`, with all settings. Secrets are masked.

    The answer is HOCON if Accept has text/plain, else JSON.
    """
    if key is not None and key not in ROOTS:
        raise RequestError("BAD_REQUEST", f"key: expected one of {', '.join(ROOTS)}, found {key[:80]!r}")
    found = {root: each for root, each in seen(desk.log.snapshot).items() if key in (None, root)}
    if TEXT not in request.headers.get("accept", "").lower():
        return Json(found)
    return PlainTextResponse(hocon(found))


@router.put(
    "/configs",
    responses=_WRITTEN | errors(400, 409, 413, 415, 503),
    openapi_extra={"requestBody": {"required": True, "content": _TEXT_OR_JSON}},
)
async def put_configs(
    request: Request,
    desk: Desk,
    caller: CallerIs,
    mode: Literal["merge", "replace"] = "merge",
    ignore_readonly: Annotated[bool, Query(description="Leave out what cannot be set here.")] = False,
) -> Response:
    """Write objects, all at once or none. `merge` changes only what is given.

    `replace`: objects under the given roots that are not given are deleted, and the others have only the given settings.
    """
    written = given(await _document(request), ignore_others=ignore_readonly)

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        return edit(snapshot, written, replace=mode == "replace")

    now = made(desk.log.snapshot, None)
    keys = [*now.puts, *sorted(now.deletes)]
    if keys:
        await write(desk.log, caller, keys[0], made)
    return Response()


async def _document(request: Request) -> dict[str, Any]:
    """The settings in a body. Raises RequestError or ConfigError."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in (TEXT, JSON):
        raise RequestError("UNSUPPORTED_MEDIA_TYPE", f"expected a body of type {TEXT} (HOCON) or {JSON}")
    try:
        text = (await read_body(request, BYTES_MAX)).decode()
    except UnicodeDecodeError:
        raise ConfigError("expected UTF-8 text", where="root") from None
    found = await asyncio.to_thread(from_text, text, "root")
    if not found:
        raise ConfigError("expected settings, found none", where="root")
    return found


@router.get("/rule_engine", responses=told(200, "RuleEngine") | errors())
async def get_engine() -> Response:
    """The settings of the rule engine that have a meaning here."""
    return Json(ENGINE_SETTINGS)


@router.put(
    "/rule_engine", responses=told(200, "RuleEngine") | errors(400, 413, 415), openapi_extra=body_of("RuleEngine")
)
async def put_engine(body: Body) -> Response:
    """Settings are accepted with the values that they have. Others are refused, with the reason."""
    check_engine(body)
    return Json(ENGINE_SETTINGS)
