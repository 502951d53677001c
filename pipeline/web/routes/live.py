"""The numbers of now, for our own page."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from pipeline.control.status import Together
from pipeline.web.desk import Desk, Services
from pipeline.web.objects.kinds import KINDS
from pipeline.web.standing import metrics, of_action, of_connectors, of_source

router = APIRouter(tags=["page"])


@router.get("/live", include_in_schema=False)
async def live(desk: Desk) -> Response:
    """Statuses and rates as server-sent events, one a second while something changes."""
    numbers = _Numbers(desk)
    return StreamingResponse(desk.live.events(numbers.now, desk.closing), media_type="text/event-stream")


class _Numbers:
    """What a page shows, as of now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._asking: asyncio.Task[dict[str, Together]] | None = None
        self._connectors: Mapping[str, Together] = {}

    async def now(self) -> dict[str, Any]:
        """Statuses of connectors, actions and sources, rates of actions and rules, and why Kafka cannot be read, if so."""
        services, snapshot = self._services, self._services.log.snapshot
        config, reports = snapshot.config, services.board.reports(services.now_ms())
        status = {f"connector/{id}": each.status for id, each in (await self._of_connectors()).items()}
        rates: dict[str, float] = {}
        for source in KINDS["sources"].all(config):
            status[f"source/{source.id}"] = of_source(reports, source).status
        for action in KINDS["actions"].all(config):
            status[f"action/{action.id}"] = of_action(config, reports, action).status
            rates[f"action/{action.id}"] = metrics(snapshot, reports, "actions", action.id)["metrics"]["rate"]
        for id in config.rules:
            rates[f"rule/{id}"] = metrics(snapshot, reports, "rules", id)["metrics"]["matched.rate"]
        return {"revision": snapshot.revision, "trouble": services.log.trouble, "status": status, "rates": rates}

    async def _of_connectors(self) -> Mapping[str, Together]:
        """As they were when they last answered: one that does not answer holds up nothing."""
        if self._asking is not None and self._asking.done():
            self._connectors, self._asking = self._asking.result(), None
        if self._asking is None:
            config = self._services.log.snapshot.config
            connectors = list(KINDS["connectors"].all(config))
            self._asking = asyncio.create_task(of_connectors(self._services, config, connectors))
            await asyncio.sleep(0)
        return self._connectors
