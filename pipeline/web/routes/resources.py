"""The routes that connectors, actions and sources share: list, create, replace, delete, switch, start, probe and count.

What differs between the three is in a `Family`: the status of an object, what uses it, and how to try it. The files
connectors.py, actions.py and sources.py have one each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.config import Config
from pipeline.config.load import load_object
from pipeline.control.objects import Snapshot, Stored
from pipeline.control.status import Together, reset_key
from pipeline.errors import ConfigError, ConnectorError, NotFoundError, TidegateError
from pipeline.web.answers import Json, RequestError, nothing
from pipeline.web.desk import Answer, Desk, Services
from pipeline.web.document import body_of, errors, json_body, told
from pipeline.web.objects.bodies import Body, CallerIs, IfMatch, etag
from pipeline.web.objects.forms import restored, settings_of, visible
from pipeline.web.objects.kinds import KINDS, NamedObject, ObjectKind
from pipeline.web.objects.writing import Edit, write
from pipeline.web.standing import baselines, metrics

Statuses = Callable[[Services, Config, list[NamedObject]], Awaitable[Mapping[str, Together]]]


@dataclass(frozen=True)
class Family:
    """One of the three kinds, as its routes need it."""

    kind: ObjectKind
    answer: str  # the name of its schema in the OpenAPI document
    statuses: Statuses
    users: Callable[[Config, NamedObject], Mapping[str, list[str]]]  # what uses an object, by the name of a field
    probe: Callable[[Config, NamedObject], Awaitable[None]]
    removal: Callable[[Snapshot, NamedObject, bool], Edit]  # what deletes an object, perhaps out of what uses it
    counting: str = ""  # the kind of the processes that count what it does

    async def answers(self, services: Services, snapshot: Snapshot, named: list[NamedObject]) -> list[Answer]:
        """Objects as the API shows them."""
        statuses = await self.statuses(services, snapshot.config, named)
        return [self._answer(snapshot, each, statuses[each.id]) for each in named]

    def _answer(self, snapshot: Snapshot, named: NamedObject, status: Together) -> Answer:
        stored = snapshot.objects.get(self.kind.key(named.type, named.name))
        return {
            "type": named.type,
            "name": named.name,
            **visible(named.section),
            "status": status.status,
            "status_reason": status.status_reason,
            "node_status": status.node_status(),
            **self.users(snapshot.config, named),
            "created_at": stored.created if stored else 0,
            "last_modified_at": stored.at if stored else 0,
        }


def router_of(family: Family) -> APIRouter:
    """All routes of a kind."""
    router = APIRouter(tags=[family.kind.setting])
    _add_reading(router, family)
    for add in (_add_creation, _add_replacement, _add_switch, _add_start, _add_probe):
        add(router, family)
    if family.counting:
        _add_metrics(router, family)
    return router


def _add_reading(router: APIRouter, family: Family) -> None:
    kind, path = family.kind, f"/{family.kind.setting}"

    @router.get(path, responses=told(200, family.answer, many=True) | errors(), name=f"list_{kind.setting}")
    async def list_all(desk: Desk) -> Response:
        """Every object of this kind."""
        snapshot = desk.log.snapshot
        return Json(await family.answers(desk, snapshot, sorted(kind.all(snapshot.config), key=lambda each: each.name)))

    @router.get(path + "/{id}", responses=told(200, family.answer) | errors(404), name=f"get_{kind.word}")
    async def get(id: str, desk: Desk) -> Response:
        """One object, by its id `type:name`. The header ETag has its revision."""
        return await _one(family, desk, desk.log.snapshot, id)

    @router.get(f"/{kind.word}_types", responses=told(200, "Names") | errors(), name=f"{kind.word}_types")
    async def types() -> Response:
        """The types of this kind."""
        return Json(list(kind.types))


async def _one(family: Family, services: Services, snapshot: Snapshot, id: str, status: int = 200) -> Response:
    named = family.kind.found(snapshot.config, id)
    (answer,) = await family.answers(services, snapshot, [named])
    stored = snapshot.objects.get(family.kind.key(named.type, named.name))
    return Json(answer, status_code=status, headers=etag(stored.revision) if stored else {})


def _add_creation(router: APIRouter, family: Family) -> None:
    kind, path = family.kind, f"/{family.kind.setting}"

    @router.post(
        path,
        status_code=201,
        responses=told(201, family.answer) | errors(400, 413, 415, 503),
        openapi_extra=body_of(f"New{family.answer}"),
        name=f"create_{kind.word}",
    )
    async def create(request: Request, desk: Desk, caller: CallerIs, body: Body) -> Response:
        """Create an object. The answer has its status, whatever that is."""
        type_, name = kind.new_place(body.get("type"), body.get("name"))
        request.state.at = kind.path(type_, name)
        key = kind.key(type_, name)

        def made(snapshot: Snapshot, found: Stored | None) -> Edit:
            if found is not None:
                raise RequestError("ALREADY_EXISTS", f"there is already a {kind.word} {type_}:{name}")
            return Edit({key: restored(settings_of(body, kind.types[type_]), None)})

        snapshot = await write(desk.log, caller, key, made)
        return await _one(family, desk, snapshot, f"{type_}:{name}", 201)


def _add_replacement(router: APIRouter, family: Family) -> None:
    kind, path = family.kind, f"/{family.kind.setting}"

    @router.put(
        path + "/{id}",
        responses=told(200, family.answer) | errors(400, 404, 409, 412, 413, 415, 503),
        openapi_extra=body_of(f"New{family.answer}"),
        name=f"replace_{kind.word}",
    )
    async def replace(
        id: str, request: Request, desk: Desk, caller: CallerIs, body: Body, if_match: IfMatch
    ) -> Response:
        """Replace an object. ****** keeps the stored secret; fields that only answers have are ignored."""
        type_, name = kind.place(id)
        request.state.at = kind.path(type_, name)
        key = kind.key(type_, name)

        def made(snapshot: Snapshot, found: Stored | None) -> Edit:
            stored = kind.found(snapshot.config, id)
            return Edit({key: restored(settings_of(body, kind.types[type_]), stored.section)})

        snapshot = await write(desk.log, caller, key, made, if_match)
        return await _one(family, desk, snapshot, id)

    @router.delete(
        path + "/{id}", status_code=204, responses=errors(400, 404, 409, 412, 503), name=f"delete_{kind.word}"
    )
    async def delete(
        id: str, desk: Desk, caller: CallerIs, if_match: IfMatch, also_delete_dep_actions: bool = False
    ) -> Response:
        """Delete an object that nothing uses."""
        key = kind.key(*kind.place(id))

        def made(snapshot: Snapshot, found: Stored | None) -> Edit:
            return family.removal(snapshot, kind.found(snapshot.config, id), also_delete_dep_actions)

        await write(desk.log, caller, key, made, if_match)
        return nothing()


def _add_switch(router: APIRouter, family: Family) -> None:
    kind, path = family.kind, f"/{family.kind.setting}"

    @router.put(
        path + "/{id}/enable/{enable}",
        status_code=204,
        responses=errors(400, 404, 409, 412, 503),
        name=f"enable_{kind.word}",
    )
    async def switch(id: str, enable: str, desk: Desk, caller: CallerIs, if_match: IfMatch) -> Response:
        """Switch an object on or off: true or false."""
        type_, name = kind.place(id)
        if enable not in {"true", "false"}:
            raise RequestError("BAD_REQUEST", f"expected true or false, found {enable[:40]!r}")
        key = kind.key(type_, name)

        def made(snapshot: Snapshot, found: Stored | None) -> Edit:
            kind.found(snapshot.config, id)
            assert found is not None
            return Edit({key: {**found.value, "enable": enable == "true"}})

        await write(desk.log, caller, key, made, if_match)
        return nothing()


def _add_start(router: APIRouter, family: Family) -> None:
    kind, path = family.kind, f"/{family.kind.setting}"

    @router.post(
        path + "/{id}/{operation}", status_code=204, responses=errors(400, 404, 503), name=f"start_{kind.word}"
    )
    async def start(id: str, operation: str, desk: Desk) -> Response:
        """`start`: connect now. The processes try again by themselves; the answer says whether they will succeed."""
        return await _start(family, desk, id, operation)

    @router.post(
        "/nodes/{node}" + path + "/{id}/{operation}",
        status_code=204,
        responses=errors(400, 404, 503),
        name=f"start_{kind.word}_of_node",
    )
    async def start_of_node(node: str, id: str, operation: str, desk: Desk) -> Response:
        """As without the node, if there is such a node."""
        known = {each.node for each in desk.board.reports(desk.now_ms())}
        if node not in known:
            raise NotFoundError.among("node", node[:80], sorted(known))
        return await _start(family, desk, id, operation)


def _add_probe(router: APIRouter, family: Family) -> None:
    kind = family.kind

    @router.post(
        f"/{kind.setting}_probe",
        status_code=204,
        responses=errors(400, 413, 415),
        openapi_extra=body_of(f"New{family.answer}"),
        name=f"probe_{kind.word}",
    )
    async def probe(request: Request, desk: Desk, body: Body) -> Response:
        """Connect as a new object with this body would. Nothing is stored."""
        type_, name = kind.new_place(body.get("type"), body.get("name") or "probe")
        request.state.at = kind.path(type_, name)
        config = desk.log.snapshot.config
        stored = next((each for each in kind.all(config) if (each.type, each.name) == (type_, name)), None)
        data = restored(settings_of(body, kind.types[type_]), stored.section if stored else None)
        section = load_object(kind.types[type_], data, at=kind.path(type_, name))
        await _try(family, config, NamedObject(type_, name, section))
        return nothing()


def _add_metrics(router: APIRouter, family: Family) -> None:
    kind, path = family.kind, f"/{family.kind.setting}/{{id}}/metrics"

    @router.get(path, responses=told(200, "Metrics") | errors(404), name=f"{kind.word}_metrics")
    async def get(id: str, desk: Desk) -> Response:
        """Counters and rates, per process and summed."""
        snapshot = desk.log.snapshot
        named = kind.found(snapshot.config, id)
        return Json(metrics(snapshot, desk.board.reports(desk.now_ms(), family.counting), kind.setting, named.id))

    @router.put(path + "/reset", status_code=204, responses=errors(404, 503), name=f"reset_{kind.word}_metrics")
    async def reset(id: str, desk: Desk, caller: CallerIs) -> Response:
        """Begin to count again at 0."""
        named = kind.found(desk.log.snapshot.config, id)
        value = baselines(desk.board.reports(desk.now_ms(), family.counting), kind.setting, named.id)
        key = reset_key(kind.setting, named.id)
        await write(desk.log, caller, key, lambda snapshot, found: Edit({key: value}))
        return nothing()


async def _start(family: Family, services: Services, id: str, operation: str) -> Response:
    config = services.log.snapshot.config
    if operation != "start":
        raise RequestError("BAD_REQUEST", f"expected the operation start, found {operation[:40]!r}")
    named = family.kind.found(config, id)
    if not getattr(named.section, "enable", True):
        raise RequestError("BAD_REQUEST", f"{id} is disabled; enable it first")
    await _try(family, config, named, "BAD_REQUEST")
    return nothing()


async def _try(family: Family, config: Config, named: NamedObject, word: str = "TEST_FAILED") -> None:
    try:
        await family.probe(config, named)
    except ConfigError as error:
        if error.where.startswith("root"):
            raise
        raise RequestError(word, str(error)) from None
    except (ConnectorError, TidegateError) as error:
        raise RequestError(word, str(error)) from None


__all__ = ["KINDS", "Family", "json_body", "router_of"]
