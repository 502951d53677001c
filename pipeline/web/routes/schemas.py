"""Schemas for schema_encode, schema_decode, schema_check, and for the columns of Parquet."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.config.dump import dump
from pipeline.control.objects import Snapshot, Stored
from pipeline.errors import ConfigError, NotFoundError
from pipeline.web.answers import Json, RequestError, nothing
from pipeline.web.desk import Desk
from pipeline.web.document import body_of, errors, told
from pipeline.web.objects.bodies import Body, CallerIs, IfMatch, etag
from pipeline.web.objects.kinds import NAME
from pipeline.web.objects.writing import Edit, write

router = APIRouter(tags=["schemas"], prefix="/schema_registry")


def _answer(snapshot: Snapshot, name: str) -> dict[str, Any]:
    stored = snapshot.objects.get(f"schema/{name}")
    settings = dump(snapshot.config.schemas[name], defaults=True)
    return {"name": name, **settings, "last_modified_at": stored.at if stored else 0}


def _one(snapshot: Snapshot, name: str, status: int = 200) -> Response:
    if name not in snapshot.config.schemas:
        raise NotFoundError(f"no schema {name[:255]!r}")
    stored = snapshot.objects.get(f"schema/{name}")
    return Json(_answer(snapshot, name), status_code=status, headers=etag(stored.revision) if stored else {})


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in {"name", "last_modified_at"}}


def _rules_with(snapshot: Snapshot, name: str) -> list[str]:
    """The rules whose statement calls a function with the schema. What a statement computes is not known before it runs."""
    called = re.compile(rf"\bschema_(?:encode|decode|check)\s*\(\s*'{re.escape(name)}'")
    return [id for id, rule in snapshot.config.rules.items() if called.search(rule.sql)]


@router.get("", responses=told(200, "Schema", many=True) | errors())
async def list_schemas(desk: Desk) -> Response:
    """Every schema."""
    snapshot = desk.log.snapshot
    return Json([_answer(snapshot, name) for name in sorted(snapshot.config.schemas)])


@router.post(
    "", status_code=201, responses=told(201, "Schema") | errors(400, 413, 415, 503), openapi_extra=body_of("NewSchema")
)
async def create_schema(request: Request, desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Create a schema."""
    name = body.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ConfigError("expected a name of letters, digits, - and _", where="root.name")
    request.state.at = f"schemas.{name}"

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        if found is not None:
            raise RequestError("ALREADY_EXISTS", f"there is already a schema {name}")
        return Edit({f"schema/{name}": _settings(body)})

    return _one(await write(desk.log, caller, f"schema/{name}", made), name, 201)


@router.get("/{name}", responses=told(200, "Schema") | errors(404))
async def get_schema(name: str, desk: Desk) -> Response:
    """One schema."""
    return _one(desk.log.snapshot, name)


@router.put(
    "/{name}",
    responses=told(200, "Schema") | errors(400, 404, 409, 412, 413, 415, 503),
    openapi_extra=body_of("NewSchema"),
)
async def replace_schema(
    name: str, request: Request, desk: Desk, caller: CallerIs, body: Body, if_match: IfMatch
) -> Response:
    """Replace a schema."""
    request.state.at = f"schemas.{name}"

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _one(snapshot, name)
        return Edit({f"schema/{name}": _settings(body)})

    return _one(await write(desk.log, caller, f"schema/{name}", made, if_match), name)


@router.delete("/{name}", status_code=204, responses=errors(400, 404, 409, 412, 503))
async def delete_schema(name: str, desk: Desk, caller: CallerIs, if_match: IfMatch) -> Response:
    """Delete a schema that no rule and no action names."""

    def made(snapshot: Snapshot, found: Stored | None) -> Edit:
        _one(snapshot, name)
        rules = _rules_with(snapshot, name)
        if rules:
            raise RequestError(
                "BAD_REQUEST", f"the schema {name} is used by the rules {', '.join(rules)}", fields={"rules": rules}
            )
        return Edit(deletes=frozenset([f"schema/{name}"]))

    await write(desk.log, caller, f"schema/{name}", made, if_match)
    return nothing()
