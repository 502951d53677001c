"""Users: whoever may log in. The last administrator cannot be deleted or become a viewer."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.control.objects import Snapshot, Stored
from pipeline.errors import ConfigError, NotFoundError
from pipeline.passwords import hashed
from pipeline.web.answers import Json, RequestError, nothing
from pipeline.web.desk import Desk
from pipeline.web.document import errors, json_body, told
from pipeline.web.objects.bodies import Body, CallerIs
from pipeline.web.objects.writing import Edit, write
from pipeline.web.people import accounts
from pipeline.web.people.accounts import USER, User
from pipeline.web.people.caller import ROLES

router = APIRouter(tags=["users"])
_FIELDS: Final = {"role": {"enum": list(ROLES)}, "description": "string"}


def _answer(user: User) -> dict[str, str]:
    return {"username": user.name, "role": user.role, "description": user.description, "backend": "local"}


def _known(snapshot: Snapshot, name: str) -> User:
    user = accounts.user_of(snapshot.objects, name)
    if user is None:
        raise NotFoundError(f"no user {name[:100]!r}")
    return user


def _checked(field: str, check: Any, value: object) -> Any:
    try:
        return check(value)
    except ValueError as error:
        raise ConfigError(str(error), where=f"root.{field}") from None


def _description(value: object) -> str:
    if not isinstance(value, str) or len(value) > 1_000:
        raise ValueError("expected a text of at most 1000 characters")
    return value


@router.get("/users", responses=told(200, "User", many=True) | errors())
async def list_users(desk: Desk) -> Response:
    """Every user."""
    objects = desk.log.snapshot.objects
    names = sorted(key.removeprefix(USER) for key in objects if key.startswith(USER))
    return Json([_answer(_known(desk.log.snapshot, name)) for name in names])


@router.post(
    "/users",
    responses=told(200, "User") | errors(400, 413, 415, 503),
    openapi_extra=json_body({**dict.fromkeys(("username", "password"), "string"), **_FIELDS}, *_FIELDS),
)
async def create_user(desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Create a user, with the role administrator or viewer."""
    name = _checked("username", accounts.check_name, body.get("username"))
    password = _checked("password", accounts.check_password, body.get("password"))
    value = {
        "role": _checked("role", accounts.check_role, body.get("role", "administrator")),
        "description": _checked("description", _description, body.get("description", "")),
        "password_hash": await asyncio.to_thread(hashed, password),
    }

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        if found is not None:
            raise RequestError("ALREADY_EXISTS", f"there is already a user {name}")
        return Edit({f"{USER}{name}": value})

    return Json(_answer(_known(await write(desk.log, caller, f"{USER}{name}", made), name)))


@router.put(
    "/users/{name}",
    responses=told(200, "User") | errors(400, 404, 409, 413, 415, 503),
    openapi_extra=json_body(_FIELDS, *_FIELDS),
)
async def change_user(name: str, desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Change role and description."""

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        user = _known(snapshot, name)
        role = _checked("role", accounts.check_role, body.get("role", user.role))
        if role != "administrator":
            _keep_one(snapshot, name)
        description = _checked("description", _description, body.get("description", user.description))
        return Edit({f"{USER}{name}": {**_stored(found), "role": role, "description": description}})

    return Json(_answer(_known(await write(desk.log, caller, f"{USER}{name}", made), name)))


@router.delete("/users/{name}", status_code=204, responses=errors(400, 404, 409, 503))
async def delete_user(name: str, desk: Desk, caller: CallerIs) -> Response:
    """Delete a user, and end all sessions of that user."""

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _known(snapshot, name)
        _keep_one(snapshot, name)
        return Edit(deletes=frozenset([f"{USER}{name}", *accounts.sessions_of(snapshot.objects, name)]))

    await write(desk.log, caller, f"{USER}{name}", made)
    return nothing()


@router.post(
    "/users/{name}/change_pwd",
    status_code=204,
    responses=errors(400, 404, 409, 413, 415, 429, 503),
    openapi_extra=json_body({"old_pwd": "string", "new_pwd": "string"}),
)
async def change_password(name: str, desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Change a password, with the old one. All other sessions of the user end."""
    if caller.role != "administrator" and caller.name != name:
        raise RequestError("UNAUTHORIZED_ROLE", "a viewer may only change the own password")
    _known(desk.log.snapshot, name)
    password = _checked("new_pwd", accounts.check_password, body.get("new_pwd"))
    if not await desk.sessions.is_right(name, str(body.get("old_pwd", "")), caller.address):
        raise RequestError("BAD_REQUEST", "the old password is wrong")
    password_hash = await asyncio.to_thread(hashed, password)

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _known(snapshot, name)
        others = [each for each in accounts.sessions_of(snapshot.objects, name) if each != caller.session]
        return Edit({f"{USER}{name}": {**_stored(found), "password_hash": password_hash}}, frozenset(others))

    await write(desk.log, caller, f"{USER}{name}", made)
    return nothing()


def _stored(found: Stored | None) -> dict[str, Any]:
    return dict(found.value) if found else {}


def _keep_one(snapshot: Snapshot, name: str) -> None:
    if accounts.administrators(snapshot.objects) == [name]:
        raise RequestError("BAD_REQUEST", f"{name} is the last administrator")
