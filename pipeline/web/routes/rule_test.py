"""Try a rule: on a context, without storing or writing anything. And what an editor of rules has to know.

Evaluation is a pure function, so this process does it itself, in a thread: no worker is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from pipeline.action import schemas_of
from pipeline.config import Config
from pipeline.errors import ConfigError, RecordError, SqlError
from pipeline.rule.events import described
from pipeline.rule.rule_set import context_with
from pipeline.rule_trial import Sample, selects
from pipeline.sql import Context, Event, compile_statement, to_json
from pipeline.sql.functions import FUNCTIONS
from pipeline.web.answers import Json, RequestError
from pipeline.web.desk import Desk
from pipeline.web.document import errors, json_body, told
from pipeline.web.objects.bodies import Body
from pipeline.web.objects.drafts import sampled
from pipeline.web.shapes import ref

router = APIRouter(tags=["rules"])


@router.get("/rule_events", responses=told(200, "RuleEvent", many=True) | errors())
async def events() -> Response:
    """The events that a rule can select: their columns, samples, and a statement to begin with."""
    return Json(described())


@router.get("/rule_functions", responses=told(200, "Function", many=True) | errors())
async def functions() -> Response:
    """The functions of the rule language, for the completion of an editor."""
    return Json(
        [
            {
                "name": each.name,
                "theme": each.theme,
                "signatures": [signature.text for signature in each.signatures],
                "description": each.doc,
                "examples": [{"call": call, "result": result} for call, result in each.examples],
            }
            for each in FUNCTIONS.values()
        ]
    )


@router.post(
    "/rule_test",
    responses=told(200, "Rows") | errors(400, 412, 413, 415, 503),
    openapi_extra=json_body({"sql": "string", "context": ref("EventFields")}),
)
async def test_statement(desk: Desk, body: Body) -> Response:
    """Evaluate a statement on a context. SELECT gives an object, FOREACH an array; 412 if no row is made."""
    sql = body.get("sql")
    if not isinstance(sql, str) or not sql:
        raise ConfigError("expected a text that is not empty", where="root.sql")
    return await _tried(desk.log.snapshot.config, sql, body.get("context"), {})


async def _tried(config: Config, sql: str, context: Any, known: Mapping[str, Any]) -> Response:
    sample = sampled(config, context, known)
    return Response(await asyncio.to_thread(_result, config, sql, sample), media_type="application/json")


def _result(config: Config, sql: str, sample: Sample) -> bytes:
    """The rows in JSON. Raises ConfigError for the statement, RequestError for what it does with the event."""
    try:
        program = compile_statement(sql, context_with(schemas_of(config), Context()))
    except SqlError as error:
        raise ConfigError(str(error), where="root.sql") from error
    try:
        chosen = selects(program, sample.fields)
        rows = program.evaluate(Event(dict(sample.fields), sample.origin.timestamp, sample.origin)) if chosen else None
        if rows is None:
            raise RequestError("NOT_MATCH", "SQL Not Match")
        return to_json(rows if program.tree.collect else rows[0])
    except RecordError as error:
        raise RequestError("BAD_REQUEST", str(error)) from None
