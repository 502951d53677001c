"""What EMQX's clients ask for and Tidegate has none of: each list is empty, so that they show nothing instead of an error.

Bridges are the older form of connectors and actions. The list of ExHook servers belongs to a broker: our own source of the type
exhook is such a server. Devices log in at a broker, or at a listener with settings of its own.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.errors import NotFoundError
from pipeline.web.answers import Json, RequestError
from pipeline.web.document import errors, told

router = APIRouter(tags=["absent"])


# --- Bridges


@router.get("/bridges", responses=told(200, "None") | errors())
async def bridges() -> Response:
    """None: connectors and actions are under their own paths."""
    return Json([])


@router.post("/bridges", responses=errors(400))
async def new_bridge() -> Response:
    """Refused."""
    raise RequestError(
        "BAD_REQUEST", "there are no bridges: create a connector at /connectors and an action at /actions"
    )


@router.post("/bridges_probe", responses=errors(400))
async def probe_of_bridge() -> Response:
    """Refused."""
    raise RequestError("BAD_REQUEST", "there are no bridges: try a connector at /connectors_probe")


@router.get("/bridges/{id}", responses=errors(404))
@router.put("/bridges/{id}", responses=errors(404), name="replace_bridge")
@router.delete("/bridges/{id}", responses=errors(404), name="delete_bridge")
@router.get("/bridges/{id}/metrics", responses=errors(404), name="metrics_of_bridge")
@router.put("/bridges/{id}/metrics/reset", responses=errors(404), name="reset_bridge")
async def bridge(id: str) -> Response:
    """There is none with this id."""
    raise NotFoundError(f"no bridge {id[:80]!r}")


@router.put("/bridges/{id}/enable/{enable}", responses=errors(404))
async def enable_bridge(id: str, enable: str) -> Response:
    """There is none with this id."""
    return await bridge(id)


@router.post("/bridges/{id}/{operation}", responses=errors(404))
async def start_bridge(id: str, operation: str) -> Response:
    """There is none with this id."""
    return await bridge(id)


@router.post("/nodes/{node}/bridges/{id}/{operation}", responses=errors(404))
async def start_bridge_of_node(node: str, id: str, operation: str) -> Response:
    """There is none with this id."""
    return await bridge(id)


# --- ExHook servers


@router.get("/exhooks", responses=told(200, "None") | errors())
async def exhooks() -> Response:
    """None: a broker has them. Sources of the type exhook are what a broker's hook calls."""
    return Json([])


@router.post("/exhooks", responses=errors(400))
async def new_exhook() -> Response:
    """Refused."""
    raise RequestError(
        "BAD_REQUEST",
        "a broker has ExHook servers, in its own settings: create a source of the type exhook at /sources",
    )


@router.get("/exhooks/{name}", responses=errors(404))
@router.put("/exhooks/{name}", responses=errors(404), name="replace_exhook")
@router.delete("/exhooks/{name}", responses=errors(404), name="delete_exhook")
@router.get("/exhooks/{name}/hooks", responses=errors(404), name="hooks_of_exhook")
@router.post("/exhooks/{name}/move", responses=errors(404), name="move_exhook")
async def exhook(name: str) -> Response:
    """There is none with this name."""
    raise NotFoundError(f"no ExHook server {name[:80]!r}")


# --- Logins


@router.get("/authentication", responses=told(200, "None") | errors())
async def authentication() -> Response:
    """None: the broker checks logins, or a listener, whose settings say how."""
    return Json([])


@router.get("/authorization/sources", responses=told(200, "NoSources") | errors())
async def authorization() -> Response:
    """None: the broker decides what a client may do."""
    return Json({"sources": []})


@router.get("/schemas/hotconf", responses=told(200, "JsonSchemas") | errors())
async def settings_of_the_broker() -> Response:
    """None: a process's own settings are in its file."""
    return Json({"types": {}, "components": {"schemas": {}}})
