"""How far an action has come in each partition that it reads, as Kafka knows it."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.action import compile_action
from pipeline.config import Config
from pipeline.connectors.kafka.logs import FoundLog, look_at_logs
from pipeline.web.answers import Json
from pipeline.web.desk import Desk
from pipeline.web.document import errors, told
from pipeline.web.objects.kinds import KINDS

router = APIRouter(tags=["partitions"])


@router.get("/actions/{id}/partitions", responses=told(200, "Partitions") | errors(404, 503))
async def partitions(id: str, desk: Desk) -> Response:
    """Each partition: the first and the next offset of Kafka, the committed offset (null: none yet), and the lag in records."""
    config = desk.log.snapshot.config
    named = KINDS["actions"].found(config, id)
    return Json(await asyncio.to_thread(_partitions, config, named.name))


def _partitions(config: Config, action: str) -> list[dict[str, Any]]:
    topics = dict.fromkeys(compile_action(config, action).topics, 0)
    return [_answer(each) for each in look_at_logs(config.kafka, f"{config.pipeline}.{action}", topics)]


def _answer(found: FoundLog) -> dict[str, Any]:
    at = max(found.start, found.committed if found.committed is not None else found.start)
    return {
        "topic": found.topic,
        "partition": found.partition,
        "start": found.start,
        "end": found.end,
        "committed": found.committed,
        "lag": max(0, found.end - at),
    }
