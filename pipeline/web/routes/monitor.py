"""What the pipeline and each of its objects did in the last hour, for charts. This process counts since it has started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from pipeline.control.history import COUNTED, STEP_MS, Step
from pipeline.control.status import Parts
from pipeline.errors import NotFoundError
from pipeline.web.answers import Json
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.objects.kinds import KINDS

router = APIRouter(tags=["cluster"])
SECONDS_MAX: Final = 3_600
Latest = Annotated[int, Query(ge=1)]


def _since(services: Services, latest: int) -> int:
    return services.now_ms() - min(latest, SECONDS_MAX) * 1000


# --- The pipeline


@router.get("/monitor_current", responses=told(200, "Current") | errors())
async def current(desk: Desk) -> Response:
    """What happens now: rates over the last step, in messages a second."""
    last = desk.history.last
    counts = last.counts if last else dict.fromkeys(COUNTED, 0)
    seconds = STEP_MS / 1000
    rates = {f"{name}_msg_rate": counts[name] / seconds for name in ("received", "sent", "dropped")}
    rates |= {f"{name}_rate": counts[name] / seconds for name in ("received_bytes", "sent_bytes", "objects")}
    levels = {"connections": last.connections if last else 0, "lag": last.lag if last else 0}
    nodes = {desk.node, *(each.node for each in desk.board.reports(desk.now_ms()))}
    return Json({**rates, **levels, "node_count": len(nodes)})


@router.get("/monitor", responses=told(200, "Step", many=True) | errors(400))
async def monitor(desk: Desk, latest: Latest = SECONDS_MAX) -> Response:
    """The samples of the last seconds, an hour at most, one every 10 s."""
    return Json([_sample(each) for each in desk.history.since(_since(desk, latest))])


def _sample(sample: Step) -> dict[str, int]:
    return {"time_stamp": sample.at, **sample.counts, "connections": sample.connections, "lag": sample.lag}


# --- One object


@router.get("/rules/{id}/monitor", responses=told(200, "ObjectStep", many=True) | errors(400, 404))
async def of_rule(id: str, desk: Desk, latest: Latest = SECONDS_MAX) -> Response:
    """The records that the rule matched in the last seconds, an hour at most, in steps of 30 s."""
    if id not in desk.log.snapshot.config.rules:
        raise NotFoundError(f"no rule {id[:255]!r}")
    return _steps(desk, latest, "rules", [id])


@router.get("/actions/{id}/monitor", responses=told(200, "ObjectStep", many=True) | errors(400, 404))
async def of_action(id: str, desk: Desk, latest: Latest = SECONDS_MAX) -> Response:
    """The rows that the action got, in the same way."""
    return _steps(desk, latest, "actions", [KINDS["actions"].found(desk.log.snapshot.config, id).id])


@router.get("/sources/{id}/monitor", responses=told(200, "ObjectStep", many=True) | errors(400, 404))
async def of_source(id: str, desk: Desk, latest: Latest = SECONDS_MAX) -> Response:
    """The messages that the source received, in the same way."""
    return _steps(desk, latest, "sources", [KINDS["sources"].found(desk.log.snapshot.config, id).id])


@router.get("/connectors/{id}/monitor", responses=told(200, "ObjectStep", many=True) | errors(400, 404))
async def of_connector(id: str, desk: Desk, latest: Latest = SECONDS_MAX) -> Response:
    """The rows that all actions of the connector got, in the same way."""
    config = desk.log.snapshot.config
    name = KINDS["connectors"].found(config, id).name
    return _steps(
        desk,
        latest,
        "actions",
        [f"s3:{action}" for action, each in config.actions.s3.items() if each.connector == name],
    )


def _steps(services: Services, latest: int, kind: Parts, ids: Iterable[str]) -> Response:
    found = services.history.of_objects.since(_since(services, latest), kind, ids)
    return Json([{"time_stamp": each.at, "count": each.count, "rate": each.rate} for each in found])
