"""Jobs: they run beside the requests, they can be watched, answered and ended, and only so many are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pipeline.control.status import encode
from pipeline.errors import CommandError, NotFoundError
from pipeline.upload.ledger_check import Finding
from pipeline.web.answers import RequestError
from pipeline.web.evidence.jobs import KEPT_MAX, RUNNING_MAX, Job, Jobs, news
from pipeline.web.evidence.results import Redriving, Verification
from pipeline.web.people import gate
from pipeline.web.standing import own_report
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


async def test_a_job_is_in_one_process_and_seen_in_all() -> None:
    """Another API process lists it and shows it without its result, and says where it can be ended."""
    async with Api() as here, Api() as there:
        there.services.node = "api@b-1-1"
        job = there.services.jobs.start(new(), Job.agreement)
        await asyncio.sleep(0)
        here.services.board.take("api@b-1-1", here.clock.now_ms, encode(own_report(there.services)))

        listed = (await here.client.get("/jobs")).json()
        shown = (await here.client.get(f"/jobs/{job.id}")).json()
        refused = [
            await here.client.post(f"/jobs/{job.id}/run", json={}),
            await here.client.delete(f"/jobs/{job.id}"),
            await here.client.get(f"/jobs/{job.id}/report"),
            await here.client.get(f"/jobs/{job.id}/live"),
        ]
        await there.services.jobs.close()

    assert listed == [shown]
    assert (shown["node"], shown["state"], shown["by"]) == ("api@b-1-1", "planned", "ada")
    assert [(each.status_code, each.json()["code"]) for each in refused] == [(409, "CONFLICT")] * 4
    assert all("api@b-1-1" in each.json()["message"] for each in refused)


async def test_findings_are_told_while_a_job_goes_on() -> None:
    """A stream gives each finding once and soon, changes of the job, and ends with it."""
    result = Verification()
    job = Job("verify", {"action": "s3:hot"}, "ada", lambda: 7, result)
    seen, going_on = asyncio.Event(), asyncio.Event()

    async def work(job: Job) -> None:
        result.finding(Finding("missing", "a.csv", "it is not there"))
        await going_on.wait()
        result.finding(Finding("orphan", "b.csv", "nobody names it"))

    Jobs().start(job, work)
    told: list[str] = []

    async def listen() -> None:
        async for event in news(job, asyncio.Event()):
            told.append(event.decode())
            if "a.csv" in told[-1]:
                seen.set()

    listening = asyncio.create_task(listen())
    await seen.wait()
    running = job.is_over
    going_on.set()
    await listening

    assert not running
    assert ["a.csv" in each for each in told].count(True) == ["b.csv" in each for each in told].count(True) == 1
    assert told[-1].startswith("event: job")
    assert '"done"' in told[-1]


async def test_the_stream_of_a_job_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """It lasts until the job is over, however long an answer may take otherwise."""
    monkeypatch.setattr(gate, "ANSWER_SECONDS", 0)

    async def long(job: Job) -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    async with Api() as api:
        job = api.services.jobs.start(new(), long)
        answer = await api.client.get(f"/jobs/{job.id}/live")

    assert answer.status_code == 200
    assert '"done"' in answer.text
