"""The application of the REST API: its routes behind the gate, and errors in EMQX's form.

`python -m pipeline.web.app` prints the OpenAPI document.
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, Response

from pipeline.errors import TidegateError
from pipeline.web.answers import Json, RequestError, refusal
from pipeline.web.desk import Services
from pipeline.web.document import document
from pipeline.web.people.gate import PREFIX, Gate
from pipeline.web.routes import (
    absent,
    actions,
    api_keys,
    backup,
    cluster,
    configs,
    connectors,
    editing,
    history,
    jobs,
    letters,
    live,
    login,
    monitor,
    objects,
    overview,
    partitions,
    prometheus,
    rule_live,
    rule_test,
    rules,
    schemas,
    sources,
    trace,
    users,
)
from pipeline.web.static import Dashboard

COMPRESSED_BYTES_MIN: Final = 1_000
COMPRESSION: Final = 6  # the page is a third of its size; 9 takes twice as long for one in a hundred

ROUTERS: tuple[APIRouter, ...] = tuple(
    each.router
    for each in (
        login,
        users,
        api_keys,
        connectors,
        actions,
        sources,
        rules,
        rule_test,
        trace,
        backup,
        configs,
        absent,
        rule_live,
        editing,
        live,
        schemas,
        cluster,
        monitor,
        overview,
        prometheus,
        history,
        partitions,
        objects,
        letters,
        jobs,
    )
)


def make(services: Services) -> FastAPI:
    """The application of one process."""
    app = routed()
    app.state.services = services
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    app.mount("/", Dashboard())
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_BYTES_MIN, compresslevel=COMPRESSION)
    app.add_middleware(Gate, under_way=services.under_way, sessions=services.sessions, config_log=services.log)
    app.add_exception_handler(TidegateError, _refused)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _not_found)
    return app


def routed() -> FastAPI:
    """The routes with their document, and nothing that answers."""
    app = FastAPI(openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in ROUTERS:
        app.include_router(router, prefix=PREFIX)
    app.openapi = lambda: document(app)  # type: ignore[method-assign] # FastAPI's own way to replace its document
    return app


async def _ready(request: Request) -> Response:
    """For programs that wait for the process: 200, or 503 while the topic of the configuration is gone or forbidden. No login.

    While Kafka does not answer, the process serves what it knows.
    """
    services: Services = request.app.state.services
    reason = "closing" if services.closing.is_set() else "the topic of the configuration cannot be read now"
    works = not services.closing.is_set() and not services.log.error
    return PlainTextResponse("ready\n" if works else f"{reason}\n", status_code=200 if works else 503)


async def _refused(request: Request, error: Any) -> Response:
    return refusal(error, at=getattr(request.state, "at", ""))


async def _not_valid(request: Request, error: Any) -> Response:
    """A parameter of the path or the query that FastAPI refuses. Bodies are checked by the model of the configuration."""
    first = error.errors()[0]
    name = ".".join(str(part) for part in first["loc"][1:])
    return refusal(RequestError("BAD_REQUEST", f"{name}: {first['msg']}"))


async def _not_found(request: Request, error: Any) -> Response:
    if error.status_code == 405 and _is_route(request):
        return refusal(
            RequestError("METHOD_NOT_ALLOWED", f"{request.method} cannot be used here", headers=error.headers)
        )
    if error.status_code in (404, 405):  # the page under "/" takes GET only
        return refusal(RequestError("NOT_FOUND", f"there is no path {request.url.path[:200]}"))
    return Json({"code": "BAD_REQUEST", "message": str(error.detail)}, status_code=error.status_code)


def _is_route(request: Request) -> bool:
    """Whether the API has the path of a request, with whatever method."""
    routes = (each for each in request.app.routes if isinstance(each, APIRoute))
    return any(each.path_regex.match(request.url.path) for each in routes)


if __name__ == "__main__":
    print(orjson.dumps(routed().openapi()).decode())  # for `make types`
