"""API keys: how programs log in. The secret is told once, when the key is made; nobody can read it later."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.control.objects import Snapshot, Stored
from pipeline.errors import ConfigError, NotFoundError
from pipeline.web.answers import Json, RequestError, nothing
from pipeline.web.desk import Desk
from pipeline.web.document import errors, json_body, told
from pipeline.web.objects.bodies import Body, CallerIs
from pipeline.web.objects.writing import Edit, write
from pipeline.web.people import accounts
from pipeline.web.people.accounts import API_KEY, API_KEYS_MAX

router = APIRouter(tags=["api keys"], prefix="/api_key")
_FIELDS = {"desc": "string", "enable": "boolean", "expired_at": "string", "role": "string"}


def _known(snapshot: Snapshot, name: str) -> Stored:
    found = snapshot.objects.get(f"{API_KEY}{name}")
    if found is None:
        raise NotFoundError(f"no API key {name[:100]!r}")
    return found


def _answer(desk: Desk, name: str, stored: Stored) -> dict[str, Any]:
    value = {key: each for key, each in stored.value.items() if key != "secret_digest"}
    created = datetime.fromtimestamp(value["created_at"] / 1000, UTC).isoformat().replace("+00:00", "Z")
    expired = accounts.expired(value["expired_at"], desk.now_ms())
    return {**value, "name": name, "created_at": created, "expired": expired}


def _changes(body: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The fields that a client may choose. Raises ConfigError."""
    found: dict[str, Any] = {}
    for field, check in {"role": accounts.check_role, "expired_at": accounts.check_expiry}.items():
        try:
            found[field] = check(body.get(field, before[field]))
        except ValueError as error:
            raise ConfigError(str(error), where=f"root.{field}") from None
    for field, kind, words in (("enable", bool, "true or false"), ("desc", str, "a text")):
        found[field] = body.get(field, before[field])
        if not isinstance(found[field], kind):
            raise ConfigError(f"expected {words}", where=f"root.{field}")
    return found


@router.get("", responses=told(200, "ApiKey", many=True) | errors())
async def list_keys(desk: Desk) -> Response:
    """Every key, without its secret."""
    objects = desk.log.snapshot.objects
    names = sorted(key.removeprefix(API_KEY) for key in objects if key.startswith(API_KEY))
    return Json([_answer(desk, name, objects[f"{API_KEY}{name}"]) for name in names])


@router.post(
    "",
    responses=told(200, "ApiKey") | errors(400, 413, 415, 503),
    openapi_extra=json_body({"name": "string", **_FIELDS}, *_FIELDS),
)
async def create_key(desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Create a key. Only this answer has the secret."""
    try:
        name = accounts.check_name(body.get("name"))
    except ValueError as error:
        raise ConfigError(str(error), where="root.name") from None
    before = {"role": "administrator", "expired_at": accounts.NEVER, "enable": True, "desc": ""}
    secret = secrets.token_urlsafe(32)
    value = {
        **_changes(body, before),
        "api_key": secrets.token_hex(8),
        "secret_digest": accounts.digest(secret),
        "created_at": desk.now_ms(),
    }

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        if found is not None:
            raise RequestError("ALREADY_EXISTS", f"there is already an API key {name}")
        if sum(key.startswith(API_KEY) for key in snapshot.objects) >= API_KEYS_MAX:
            raise RequestError("BAD_REQUEST", f"there are {API_KEYS_MAX} API keys already; delete one first")
        return Edit({f"{API_KEY}{name}": value})

    snapshot = await write(desk.log, caller, f"{API_KEY}{name}", made)
    return Json({**_answer(desk, name, _known(snapshot, name)), "api_secret": secret})


@router.get("/{name}", responses=told(200, "ApiKey") | errors(404))
async def get_key(name: str, desk: Desk) -> Response:
    """One key, without its secret."""
    return Json(_answer(desk, name, _known(desk.log.snapshot, name)))


@router.put(
    "/{name}",
    responses=told(200, "ApiKey") | errors(400, 404, 409, 413, 415, 503),
    openapi_extra=json_body(_FIELDS, *_FIELDS),
)
async def change_key(name: str, desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Change role, end, description, or switch it on and off."""

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        value = dict(_known(snapshot, name).value)
        return Edit({f"{API_KEY}{name}": value | _changes(body, value)})

    snapshot = await write(desk.log, caller, f"{API_KEY}{name}", made)
    return Json(_answer(desk, name, _known(snapshot, name)))


@router.delete("/{name}", status_code=204, responses=errors(404, 409, 503))
async def delete_key(name: str, desk: Desk, caller: CallerIs) -> Response:
    """Delete a key. Programs that have it are refused from now on."""

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _known(snapshot, name)
        return Edit(deletes=frozenset([f"{API_KEY}{name}"]))

    await write(desk.log, caller, f"{API_KEY}{name}", made)
    return nothing()
