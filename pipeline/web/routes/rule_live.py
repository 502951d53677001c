"""Try a rule on the messages that come now: it reads Kafka beside the workers, evaluates by itself, and writes nothing.

What is tried need not be stored. The answer is a stream of server-sent events and ends with the connection, at the latest after
ten minutes. At most 200 records a second are looked at; `left_out` says how many more there were.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.responses import Response, StreamingResponse

from pipeline.config import Config
from pipeline.connectors.kafka.reader import arriving
from pipeline.errors import TidegateError
from pipeline.record import Record
from pipeline.rule_trial import Sample, Trial
from pipeline.web.answers import RequestError
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, json_body, raw
from pipeline.web.objects import drafts
from pipeline.web.objects.bodies import Body
from pipeline.web.routes.editing import TRIED_ACTIONS, statement_in
from pipeline.web.tracing.lines import sample_of_record

RECORDS_MAX: Final = 100  # that are looked at in each half second
SECONDS_MAX: Final = 600.0
AT_ONCE_MAX: Final = 8  # in this process

router = APIRouter(tags=["page"])
Attempt = Callable[[Sample], Trial]


@router.post(
    "/rule_live",
    responses=raw("text/event-stream", "An event for each message.") | errors(400, 404, 413, 415, 429, 503),
    openapi_extra=json_body({"sql": "string", "actions": TRIED_ACTIONS}, "actions"),
)
async def live(desk: Desk, body: Body) -> Response:
    """Each message that the statement selects from now on: its fields, its rows, the objects that the actions would make."""
    sql, actions = statement_in(body)
    attempt = await asyncio.to_thread(drafts.trier, desk.log.snapshot, sql, actions)
    if desk.live_trials >= AT_ONCE_MAX:
        raise RequestError(
            "TOO_MANY_REQUESTS", f"{AT_ONCE_MAX} rules are tried on live messages already; end one first"
        )
    return StreamingResponse(_events(desk, attempt), media_type="text/event-stream")


async def _events(services: Services, attempt: Attempt) -> AsyncIterator[bytes]:
    config = services.log.snapshot.config
    records = arriving(config.kafka)
    end = time.monotonic() + SECONDS_MAX
    services.live_trials += 1
    try:
        while time.monotonic() < end and not services.closing.is_set():
            yield await asyncio.to_thread(_next, records, config, attempt)
    except TidegateError as error:
        yield _event({"error": str(error)})
    finally:
        services.live_trials -= 1
        await asyncio.to_thread(records.close)


def _next(records: Generator[list[Record]], config: Config, attempt: Attempt) -> bytes:
    """The next half of a second."""
    came = next(records)
    samples = (sample_of_record(config, record) for record in came[:RECORDS_MAX])
    found = (drafts.tried_live(attempt, sample) for sample in samples if sample is not None)
    trials = [each for each in found if each is not None]
    left_out = len(came[RECORDS_MAX:])
    return _event({"trials": trials, "left_out": left_out}) if trials or left_out else b": \n\n"


def _event(content: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(content, default=str) + b"\n\n"
