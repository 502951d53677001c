"""What EMQX's clients ask for and Tidegate has none of: each list is empty, so that they show nothing instead of an error.

Bridges are the older form of connectors and actions. The list of ExHook servers belongs to a broker: our own source of the type
exhook is such a server. Devices log in at a broker, or at a listener with settings of its own.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.errors import NotFoundError
from pipeline.web.answers import Json
from pipeline.web.document import errors, told

router = APIRouter(tags=["absent"])


@router.get("/bridges", responses=told(200, "Things") | errors())
async def bridges() -> Response:
    """None: connectors and actions are under their own paths."""
    return Json([])


@router.get("/bridges/{id}", responses=told(200, "Free") | errors(404))
async def bridge(id: str) -> Response:
    """There is none with this id."""
    raise NotFoundError(f"no bridge {id[:80]!r}")


@router.get("/bridges/{id}/metrics", responses=told(200, "Metrics") | errors(404))
async def metrics_of_bridge(id: str) -> Response:
    """There is none with this id."""
    raise NotFoundError(f"no bridge {id[:80]!r}")


@router.get("/exhooks", responses=told(200, "Things") | errors())
async def exhooks() -> Response:
    """None: a broker has them. Sources of the type exhook are what a broker's hook calls."""
    return Json([])


@router.get("/exhooks/{name}", responses=told(200, "Free") | errors(404))
async def exhook(name: str) -> Response:
    """There is none with this name."""
    raise NotFoundError(f"no ExHook server {name[:80]!r}")


@router.get("/exhooks/{name}/hooks", responses=told(200, "Things") | errors(404))
async def hooks(name: str) -> Response:
    """There is none with this name."""
    raise NotFoundError(f"no ExHook server {name[:80]!r}")


@router.get("/authentication", responses=told(200, "Things") | errors())
async def authentication() -> Response:
    """None: the broker checks logins, or a listener, whose settings say how."""
    return Json([])


@router.get("/authorization/sources", responses=told(200, "Free") | errors())
async def authorization() -> Response:
    """None: the broker decides what a client may do."""
    return Json({"sources": []})


@router.get("/schemas/hotconf", responses=told(200, "Free") | errors())
async def settings_of_the_broker() -> Response:
    """None: a process's own settings are in its file."""
    return Json({"types": {}, "components": {"schemas": {}}})
