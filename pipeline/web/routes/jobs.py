"""Work that takes longer than a request: verify, replay and redrive. A replay and a redrive show their plan before they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from pipeline.config import Config
from pipeline.config.load import require_secrets
from pipeline.connectors.kafka.letters import letters
from pipeline.connectors.kafka.reader import Bound
from pipeline.dead_letter import Letter
from pipeline.errors import ConfigError
from pipeline.operation import Proof, Range
from pipeline.web.answers import Json, RequestError, nothing
from pipeline.web.desk import Desk, Services
from pipeline.web.document import body_of, errors, raw, told
from pipeline.web.evidence.jobs import Job, news
from pipeline.web.evidence.letters import wanted_by
from pipeline.web.evidence.results import Redriving, Replaying, Verification
from pipeline.web.objects.bodies import Body, CallerIs
from pipeline.web.objects.kinds import KINDS
from pipeline.web.people.caller import Caller

router = APIRouter(tags=["jobs"], prefix="/jobs")
COLUMNS_MAX: Final = 2_000
REPORT_COLUMNS: Final = 1_000_000  # a report has all runs that are kept

Columns = Annotated[int, Query(ge=1, le=COLUMNS_MAX, description="How wide the picture of a verification may be.")]


@router.post(
    "",
    status_code=201,
    responses=told(201, "Job") | errors(400, 404, 413, 415, 429),
    openapi_extra=body_of("NewJob"),
)
async def start_job(desk: Desk, caller: CallerIs, body: Body) -> Response:
    """Start a job: `kind`, and what it is about."""
    kinds = {"verify": _verify, "replay": _replay, "redrive": _redrive}
    start = kinds.get(str(body.get("kind")))
    if start is None:
        raise ConfigError(f"expected one of {', '.join(kinds)}", where="root.kind")
    return Json(_shown(desk, start(desk, caller, body)), status_code=201)


@router.get("", responses=told(200, "Job", many=True) | errors())
async def list_jobs(desk: Desk) -> Response:
    """The jobs of all API processes, the newest first, without their results. `node` is the process that has one."""
    found = [*(_shown(desk, each) for each in desk.jobs.all()), *_elsewhere(desk).values()]
    return Json(sorted(found, key=lambda each: -each["began"]))


@router.get("/{id}", responses=told(200, "Job") | errors(400, 404))
async def get_job(id: str, desk: Desk, columns: Columns = 300) -> Response:
    """One job with what it has found so far. A job of another API process is without result and notes."""
    elsewhere = _elsewhere(desk).get(id)
    return Json(elsewhere or _shown(desk, desk.jobs.found(id), columns))


@router.get(
    "/{id}/live",
    responses=raw("text/event-stream", "The events until the job is over.") | errors(404, 409),
)
async def job_live(id: str, desk: Desk) -> Response:
    """One job as server-sent events until it is over: a `finding` as soon as there is one, and `job` for all else."""
    return StreamingResponse(news(_own(desk, id), desk.closing), media_type="text/event-stream")


@router.post("/{id}/run", responses=told(200, "Job") | errors(404, 409))
async def run_job(id: str, desk: Desk) -> Response:
    """Agree to the plan of a job."""
    job = _own(desk, id)
    job.agree()
    return Json(_shown(desk, job))


@router.delete("/{id}", status_code=204, responses=errors(404, 409))
async def end_job(id: str, desk: Desk) -> Response:
    """Cancel a job that runs, or forget one that is over."""
    await desk.jobs.end(_own(desk, id).id)
    return nothing()


@router.get("/{id}/report", responses=told(200, "Job") | errors(404, 409))
async def job_report(id: str, desk: Desk) -> Response:
    """All that a job has found, as a file to save."""
    job = _own(desk, id)
    headers = {"content-disposition": f'attachment; filename="tidegate-{job.kind}-{job.id}.json"'}
    content = orjson.dumps(_shown(desk, job, REPORT_COLUMNS), option=orjson.OPT_INDENT_2)
    return Response(content, media_type="application/json", headers=headers)


def _shown(desk: Services, job: Job, columns: int | None = None) -> dict[str, Any]:
    return {**job.shown(columns), "node": desk.node}


def _elsewhere(desk: Services) -> dict[str, dict[str, Any]]:
    """The jobs of the other API processes by id, as they report them."""
    others = (each for each in desk.board.reports(desk.now_ms(), "api") if each.node != desk.node)
    return {job["id"]: {**job, "node": each.node} for each in others for job in each.jobs}


def _own(desk: Services, id: str) -> Job:
    """A job of this process. Raises NotFoundError, or RequestError for a job of another one."""
    if (elsewhere := _elsewhere(desk).get(id)) is not None:
        raise RequestError("CONFLICT", f"this job is in the API process {elsewhere['node']}; ask that one")
    return desk.jobs.found(id)


# --- The three kinds


def _verify(desk: Services, caller: Caller, body: Mapping[str, Any]) -> Job:
    config, name = _action(desk, body)
    partitions, deep, into = _partitions(body), body.get("deep") is True, _into(body)
    _check_secrets(config, name)
    result = Verification()
    wish = {"action": f"s3:{name}", "partitions": list(partitions), "deep": deep, "into": into}
    job = Job("verify", wish, caller.name, desk.now_ms, result)
    result.job = job
    job.begin("reading", 0)
    wanted = Proof(frozenset(partitions), deep, into)
    return desk.jobs.start(job, lambda _: desk.operator.verify(config, name, wanted, result))


def _replay(desk: Services, caller: Caller, body: Mapping[str, Any]) -> Job:
    config, name = _action(desk, body)
    since = _bound(body, "from")
    if since is None:
        raise ConfigError("expected an offset, or a time", where="root.from")
    wanted = Range(since, _bound(body, "to"), _partitions(body))
    into = _into(body)
    _check_secrets(config, name)
    result = Replaying()
    ends = {end: body.get(end) for end in ("from", "to")}
    wish = {"action": f"s3:{name}", "partitions": list(wanted.partitions), "into": into, **ends}
    result.job = job = Job("replay", wish, caller.name, desk.now_ms, result)
    job.begin("reading", 0)
    return desk.jobs.start(job, lambda _: desk.operator.replay(config, name, wanted, into, result))


def _redrive(desk: Services, caller: Caller, body: Mapping[str, Any]) -> Job:
    config, wanted, unproven = desk.log.snapshot.config, wanted_by(body), body.get("unproven") is True
    result = Redriving()
    named = ("places", "action", "rule", "cause", "clientid", "since", "again", "unproven")
    wish = {name: body[name] for name in named if body.get(name)}

    def all_wanted() -> Iterator[Letter]:
        with closing(letters(config, wanted, runs=True)) as found:
            for each in found:
                job.progress(1)
                yield each.letter

    async def work(job: Job) -> None:
        for dry_run in (True, False):
            job.begin("planning" if dry_run else "sending", 0)
            sent = await desk.operator.redrive(config, all_wanted(), job.note, unproven=unproven, dry_run=dry_run)
            if not dry_run:
                result.sent = sent
                return
            result.plan = sent
            if not sent.sent + sent.over or not await job.agreement():
                return

    job = Job("redrive", wish, caller.name, desk.now_ms, result)
    return desk.jobs.start(job, work)


def _action(desk: Services, body: Mapping[str, Any]) -> tuple[Config, str]:
    """The configuration now, and the name of the action of a body. Raises ConfigError or NotFoundError."""
    config, id = desk.log.snapshot.config, body.get("action")
    if not isinstance(id, str):
        raise ConfigError("expected the id of an action, such as s3:name", where="root.action")
    named = KINDS["actions"].found(config, id)
    return config, named.name


def _check_secrets(config: Config, name: str) -> None:
    """Raise ConfigError if this process cannot read the secrets of the action and its connector."""
    require_secrets(config, ("connectors", "s3", config.actions.s3[name].connector), ("actions", "s3", name))


def _into(body: Mapping[str, Any]) -> str | None:
    """The prefix of a replay's objects, or None for the action's own keys."""
    into = body.get("into")
    if into is not None and (not isinstance(into, str) or not into.strip("/")):
        raise ConfigError("expected a prefix such as replays/2026-01, or nothing for the same keys", where="root.into")
    return into


def _partitions(body: Mapping[str, Any]) -> tuple[int, ...]:
    found = body.get("partitions") or []
    if not isinstance(found, list) or not all(type(each) is int and 0 <= each < 1 << 31 for each in found):
        raise ConfigError("expected a list of numbers of partitions", where="root.partitions")
    return tuple(found)


def _bound(body: Mapping[str, Any], name: str) -> Bound | None:
    """An end of a range: {"offset": 42} in each partition, or {"time": milliseconds since 1970}."""
    found = body.get(name)
    if found is None:
        return None
    if isinstance(found, dict) and len(found) == 1:
        offset, time_ms = found.get("offset"), found.get("time")
        value = offset if time_ms is None else time_ms
        if type(value) is int and 0 <= value < 1 << 62:
            return Bound(offset=offset, time_ms=time_ms)
    raise ConfigError('expected {"offset": 42}, or {"time": milliseconds since 1970}', where=f"root.{name}")
