"""Jobs: they run beside the requests, they can be watched, answered and ended, and only so many are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pipeline.errors import CommandError, NotFoundError
from pipeline.web.answers import RequestError
from pipeline.web.evidence.jobs import KEPT_MAX, RUNNING_MAX, Job, Jobs
from pipeline.web.evidence.results import Redriving
from tests.parts.rest import Api, basic


def new() -> Job:
    """A job that has not begun."""
    return Job("redrive", {}, "ada", lambda: 7, Redriving())


async def ended(jobs: Jobs, work: Callable[[Job], Awaitable[object]]) -> Job:
    """A job at its end."""
    job = jobs.start(new(), work)
    await asyncio.wait({job.task})
    return job


async def test_a_job_says_how_it_ended() -> None:
    """Done, failed with the words of our error and none of a secret, or failed without the words of a bug."""

    async def done(job: Job) -> None:
        job.begin("reading", 3)
        job.progress(2)

    async def failed(job: Job) -> None:
        raise CommandError("no broker at sasl.password=geheim")

    async def broken(job: Job) -> None:
        raise ZeroDivisionError("in our own code")

    jobs = Jobs()
    good, bad, worse = [await ended(jobs, each) for each in (done, failed, broken)]

    assert (good.state, good.done, good.total, good.ended_ms) == ("done", 2, 3, 7)
    assert (bad.state, worse.state) == ("failed", "failed")
    assert "no broker" in bad.problem
    assert "geheim" not in bad.problem
    assert "our own code" not in worse.problem
    assert jobs.all() == [worse, bad, good]


async def test_a_plan_waits_for_its_answer() -> None:
    """It goes on when somebody agrees, and once; who ends it instead, ends it."""

    async def planned(job: Job) -> None:
        job.note("went on" if await job.agreement() else "did not")

    jobs = Jobs()
    one, two = jobs.start(new(), planned), jobs.start(new(), planned)
    await asyncio.sleep(0)
    assert (one.state, two.state) == ("planned", "planned")

    one.agree()
    with pytest.raises(RequestError, match="only a planned one"):
        one.agree()
    await jobs.end(two.id)
    await asyncio.wait({one.task, two.task})

    assert (one.state, one.notes) == ("done", ["went on"])
    assert (two.state, two.notes) == ("cancelled", [])


async def test_jobs_have_limits() -> None:
    """So many run at once, so many are kept, and the end of the process ends all."""

    async def endless(job: Job) -> None:
        await asyncio.Event().wait()

    async def nothing(job: Job) -> None:
        job.note("was here")

    jobs = Jobs()
    first = await ended(jobs, nothing)
    for _ in range(KEPT_MAX + 2):
        await ended(jobs, nothing)
    running = [jobs.start(new(), endless) for _ in range(RUNNING_MAX)]
    with pytest.raises(RequestError, match="run already"):
        jobs.start(new(), endless)
    with pytest.raises(NotFoundError):
        jobs.found(first.id)
    await jobs.end(jobs.all()[-1].id)
    await asyncio.sleep(0)
    await jobs.close()

    assert len(jobs.all()) == KEPT_MAX - 1 + RUNNING_MAX
    assert {each.state for each in running} == {"cancelled"}


async def test_a_viewer_starts_no_job() -> None:
    """Viewers read jobs, objects and letters; starting, agreeing and ending are for administrators."""
    async with Api() as api:
        asked = {"kind": "verify", "action": "s3:raw"}
        viewer = basic("grafana")
        refused = [
            await api.client.post("/jobs", json=asked, headers=viewer),
            await api.client.post("/jobs/x/run", json={}, headers=viewer),
            await api.client.delete("/jobs/x", headers=viewer),
        ]

        assert [each.json()["code"] for each in refused] == ["UNAUTHORIZED_ROLE"] * 3
        assert (await api.client.get("/jobs", headers=viewer)).json() == []
        assert (await api.client.get("/jobs/x", headers=viewer)).status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "root.kind"),
        ({"kind": "verify"}, "root.action"),
        ({"kind": "verify", "action": "s3:raw", "partitions": ["1"]}, "root.partitions"),
        ({"kind": "replay", "action": "s3:raw"}, "root.from"),
        ({"kind": "replay", "action": "s3:raw", "from": {"offset": -1}}, "root.from"),
        ({"kind": "replay", "action": "s3:raw", "from": {"offset": 0}, "to": {"offset": 1, "time": 2}}, "root.to"),
        ({"kind": "replay", "action": "s3:raw", "from": {"offset": 0}, "into": 5}, "root.into"),
        ({"kind": "redrive", "places": ["x"]}, "places"),
        ({"kind": "redrive", "since": "yesterday"}, "since"),
    ],
    ids=str,
)
async def test_a_wrong_wish_is_refused_with_its_place(body: dict[str, object], path: str) -> None:
    """Nothing is started, and the message names the field."""
    async with Api() as api:
        await api.objects()
        answer = await api.client.post("/jobs", json=body)

        assert answer.status_code == 400
        assert path in answer.json()["message"]
        assert (await api.client.get("/jobs")).json() == []
