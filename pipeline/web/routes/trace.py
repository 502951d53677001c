"""Traces of live traffic, in EMQX's form. A trace is in the API process that made it, and ends with it.

Nothing is written while a rule is traced: the objects are rendered and shown.
"""

from __future__ import annotations

import io
import zipfile
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from pipeline.errors import NotFoundError
from pipeline.web.answers import Json, RequestError, nothing
from pipeline.web.desk import Answer, Desk, Services
from pipeline.web.document import body_of, errors, json_body, raw, told
from pipeline.web.objects.bodies import Body
from pipeline.web.objects.drafts import sampled
from pipeline.web.shapes import ref
from pipeline.web.tracing.lines import lines_of_rule
from pipeline.web.tracing.traces import Trace

router = APIRouter(tags=["traces"])
READ_BYTES: Final = 1_000
READ_BYTES_MAX: Final = 1 << 20
LONGEST: Final = 1 << 31
_STOP: Final = "stop_action_after_template_rendering"


def _answer(services: Services, trace: Trace) -> Answer:
    return {
        "name": trace.name,
        "type": trace.kind,
        trace.kind: trace.wanted,
        "start_at": trace.start_at // 1000,
        "end_at": trace.end_at // 1000,
        "status": trace.status(services.now_ms()),
        "log_size": {services.node: len(trace.log)},
        "payload_encode": trace.payload_encode,
        "formatter": trace.formatter,
    }


@router.get("/trace", responses=told(200, "Trace", many=True) | errors())
async def list_traces(desk: Desk) -> Response:
    """Every trace of this process, the newest first."""
    return Json([_answer(desk, each) for each in desk.traces.all()])


@router.post(
    "/trace",
    responses=told(200, "Trace") | errors(400, 413, 415),
    openapi_extra=body_of("NewTrace"),
)
async def create_trace(desk: Desk, body: Body) -> Response:
    """Begin a trace of a rule, a client, a topic or an address; without times for an hour."""
    return Json(_answer(desk, desk.traces.create(body, desk.now_ms())))


@router.delete("/trace", status_code=204, responses=errors())
async def delete_traces(desk: Desk) -> Response:
    """Delete all."""
    desk.traces.delete()
    return nothing()


@router.delete("/trace/{name}", status_code=204, responses=errors(404))
async def delete_trace(name: str, desk: Desk) -> Response:
    """Delete a trace and its log."""
    desk.traces.delete(name)
    return nothing()


@router.put("/trace/{name}/stop", responses=told(200, "StoppedTrace") | errors(404))
async def stop_trace(name: str, desk: Desk) -> Response:
    """Stop a trace. Its log stays."""
    desk.traces.get(name).stopped = True
    return Json({"name": name, "enable": False})


@router.get("/trace/{name}/log_detail", responses=told(200, "TraceSize", many=True) | errors(404))
async def log_detail(name: str, desk: Desk) -> Response:
    """The size of the log, and when it was written last."""
    trace = desk.traces.get(name)
    return Json([{"node": desk.node, "size": len(trace.log), "mtime": (trace.written_at or trace.start_at) // 1000}])


@router.get("/trace/{name}/log", responses=told(200, "TraceLog") | errors(400, 404))
async def read_log(
    name: str,
    desk: Desk,
    node: str | None = None,
    count: Annotated[int, Query(alias="bytes", ge=1, le=LONGEST)] = READ_BYTES,
    position: Annotated[int, Query(ge=0, le=LONGEST)] = 0,
) -> Response:
    """Whole lines of the log from a position on, about so many bytes; `position` of the answer is where the next ones begin."""
    if node is not None and node != desk.node:
        raise NotFoundError(f"no log of the node {node[:80]!r}: it is at {desk.node}")
    found = _lines(bytes(desk.traces.get(name).log), position, min(count, READ_BYTES_MAX))
    meta = {"position": position + len(found), "bytes": len(found)}
    return Json({"items": found.decode("utf-8", "replace"), "meta": meta})


def _lines(log: bytes, position: int, count: int) -> bytes:
    """Lines that begin at a position, one at least."""
    end = log.find(b"\n", min(position + count, len(log)) - 1) + 1
    return log[position : end or len(log)]


@router.get(
    "/trace/{name}/download",
    responses=raw("application/zip", "The archive.") | errors(404),
)
async def download(name: str, desk: Desk) -> Response:
    """The log as a file in an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}/{desk.node}.log", bytes(desk.traces.get(name).log))
    headers = {"Content-Disposition": f'attachment; filename="{name}.zip"'}
    return Response(file.getvalue(), media_type="application/zip", headers=headers)


@router.post(
    "/rules/{id}/test",
    responses=told(200, "TriedRule") | errors(400, 404, 412, 413, 415),
    openapi_extra=json_body({"context": ref("EventFields"), _STOP: "boolean"}, _STOP),
)
async def test_rule(id: str, desk: Desk, body: Body) -> Response:
    """Run a stored rule on a simulated event, with its actions up to the rendered objects: nothing is ever written.

    The traces of the rule have its lines. 412 if the rule does not select the event, or makes no row of it.
    """
    config = desk.log.snapshot.config
    if id not in config.rules:
        raise RequestError("RULE_NOT_FOUND", f"no rule {id[:255]!r}")
    if not isinstance(body.get(_STOP, True), bool):
        raise RequestError("BAD_REQUEST", f"{_STOP}: expected true or false")
    sample = sampled(config, body.get("context"), {"timestamp": desk.now_ms()})
    lines = list(lines_of_rule(config, id, sample))
    for trace in desk.traces.running(desk.now_ms()):
        if id in trace.rules_for(config, sample):
            for line in lines:
                trace.add(desk.now_ms(), *line)
    return _outcome(lines)


def _outcome(lines: list[tuple[str, str, Any]]) -> Response:
    failed = next((facts["reason"] for level, _, facts in lines if level == "error"), None)
    if failed is not None:
        raise RequestError("BAD_REQUEST", failed)
    if not any(message == "SQL_yielded_result" for _, message, _ in lines):
        raise RequestError("NOT_MATCH", "SQL Not Match")
    return Json({"lines": [{"level": level, "msg": message, "meta": dict(facts)} for level, message, facts in lines]})
