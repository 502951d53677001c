"""The proof over the REST API, on what a real worker wrote: objects, dead letters, verify, redrive, replay."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest

from pipeline.config.load import load
from tests.components.evidence_parts import BUCKET, EVIDENCE, HOSTILE, MENDED, WRONG, applied, written
from tests.components.pipeline_parts import Make, Pipeline
from tests.parts.api_process import Running, running
from tests.parts.part import S3Part
from tests.parts.rest import PASSWORD
from tests.parts.waiting import patient, pause, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic holds a reference; the processes have the variable."""
    monkeypatch.setenv("TIDEGATE_TEST_SECRET", S3Part.secret_access_key)


async def logged_in(api: Running) -> httpx.AsyncClient:
    """The first user."""
    token = api.said[0].rpartition("token=")[2]
    await api.client.post("/first_user", data={"token": token, "username": "root", "password": PASSWORD})
    session = (await api.client.post("/login", json={"username": "root", "password": PASSWORD})).json()["token"]
    api.client.headers["authorization"] = f"Bearer {session}"
    return api.client


async def asked(client: httpx.AsyncClient, path: str, **query: Any) -> Any:
    """The answer to a question."""
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def started(client: httpx.AsyncClient, **body: Any) -> str:
    """The id of a new job."""
    answer = await client.post("/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def job_in(client: httpx.AsyncClient, id: str, *states: str) -> Any:
    """A job when it is in one of these states."""
    async with asyncio.timeout(patient(30)):
        while (job := await asked(client, f"/jobs/{id}"))["state"] not in states:
            await pause(0.05)
    return job


async def test_what_was_written_is_found_proved_and_made_again(make: Make) -> None:
    """From the objects and their place in the ledger, over letters that are tried and sent again, to the whole proof."""
    pipeline = make(**EVIDENCE)
    await asyncio.to_thread(written, pipeline)
    async with running(load(pipeline.settings())) as api:
        client = await logged_in(api)
        await objects_say_where_they_come_from(client)
        await letters_are_found_and_tried(client)
        await letters_are_sent_again(client, pipeline)
        await a_replay_shows_its_plan_first(client, pipeline)
        await verify_sees_what_is_missing(client, pipeline)


async def objects_say_where_they_come_from(client: httpx.AsyncClient) -> None:
    listed = await asked(client, "/objects", action="s3:hot")
    assert listed["prefix"] == "hot/"
    key = listed["objects"][0]["key"]
    assert (await asked(client, "/objects", action="s3:hot", prefix=""))["folders"] == ["hot/", "raw/"]
    pages = await asked(client, "/objects", action="s3:raw", limit=25)
    more = await asked(client, "/objects", action="s3:raw", limit=100, token=pages["next"])
    assert len({each["key"] for each in pages["objects"] + more["objects"]}) == 60
    assert more["next"] is None

    facts = await asked(client, "/objects/facts", action="s3:hot", key=key)
    assert (facts["named"], facts["unchanged"], facts["ledger_problem"]) == (True, True, "")
    assert facts["rules"] == {"wrong": WRONG}
    assert facts["entry"]["first"] <= facts["first"] <= facts["last"] < facts["entry"]["next"]
    assert facts["revision"] == facts["entry"]["revision"] > 0
    preview = await asked(client, "/objects/preview", action="s3:hot", key=key)
    assert (preview["form"], preview["compression"], preview["columns"]) == ("json_lines", "gzip", ["n", "clientid"])
    assert len(preview["rows"]) == facts["rows"]
    content = await client.get("/objects/content", params={"action": "s3:hot", "key": key})
    assert content.headers["content-disposition"].startswith("attachment")
    assert len(gzip.decompress(content.content).splitlines()) == facts["rows"]

    query = {"action": "s3:hot", "partition": facts["partition"]}
    ledger = await asked(client, "/ledger", **query, limit=200)
    firsts = [each["entry"]["first"] for each in ledger["data"]]
    assert firsts == sorted(firsts, reverse=True)
    assert facts["entry"] in [each["entry"] for each in ledger["data"]]
    assert ledger["before"] is None
    first = await asked(client, "/ledger", **query, limit=1)
    following = await asked(client, "/ledger", **query, before=first["data"][0]["entry"]["first"])
    assert first["data"] + following["data"] == ledger["data"]
    one = await asked(client, "/objects/facts", action="s3:raw", key="raw/8.json")
    assert one["first"] == one["last"]
    assert (await asked(client, "/objects/preview", action="s3:raw", key="raw/8.json"))["rows"] == [["8", HOSTILE]]
    for path, query, status in (
        ("/objects", {"action": "s3:none"}, 404),
        ("/objects", {"action": "s3:hot", "bucket": "another"}, 400),
        ("/objects/facts", {"action": "s3:hot", "key": "hot/none"}, 404),
        ("/ledger", {"action": "s3:raw", "partition": 0}, 400),
        ("/ledger", {"action": "s3:hot", "partition": 99}, 404),
        ("/ledger", {"action": "s3:hot", "partition": 0, "topic": "rules"}, 404),
        ("/objects/content", {"action": "s3:hot", "key": "_tidegate/hot/rules/x"}, 404),
    ):
        assert (await client.get(path, params=query)).status_code == status


async def letters_are_found_and_tried(client: httpx.AsyncClient) -> None:
    found = await asked(client, "/dead_letters", limit=20)
    assert found["meta"] == {"page": 1, "limit": 20, "count": 30, "hasnext": True}
    assert found["groups"] == [{"action": "hot", "rule": "wrong", "cause": "evaluation", "count": 30}]
    of_one = await asked(client, "/dead_letters", clientid=f"{HOSTILE}3")
    assert {each["key"] for each in of_one["data"]} == {f"{HOSTILE}3"}
    assert (await asked(client, "/dead_letters", rule="other"))["data"] == []
    place = found["data"][0]["place"]

    letter = await asked(client, f"/dead_letters/{place}")
    assert (letter["action"], letter["rule"], letter["settled"], letter["whole"]) == ("hot", "wrong", False, True)
    assert json.loads(letter["value"])["n"] == HOSTILE
    assert letter["fields"]["clientid"] == letter["key"]
    wrong = (await client.post("/rule_trial", json={"sql": WRONG, "letter": place, "actions": ["s3:hot"]})).json()
    good = (await client.post("/rule_trial", json={"sql": MENDED, "letter": place, "actions": ["s3:hot"]})).json()
    assert (wrong["outcome"], good["outcome"]) == ("error", "rows")
    assert good["rows"] == [{"n": 0, "clientid": letter["key"]}]
    assert good["rendered"][0][0]["key"].startswith("hot/")
    for unknown in ("0:999999", "77:0"):
        assert (await client.get(f"/dead_letters/{unknown}")).status_code == 404
        assert (await client.post("/rule_trial", json={"sql": WRONG, "letter": unknown})).status_code == 404
    assert (await client.get("/dead_letters/x")).status_code == 400


async def letters_are_sent_again(client: httpx.AsyncClient, pipeline: Pipeline) -> None:
    rule = {"sql": MENDED, "actions": ["s3:hot"]}
    mended = await client.put("/rules/wrong", json=rule)
    revision = int(mended.headers["etag"].strip('"'))
    await asyncio.to_thread(wait_until, lambda: applied(pipeline, revision), 30, pipeline.tails)
    place = (await asked(client, "/dead_letters"))["data"][0]["place"]
    one = await started(client, kind="redrive", places=[place])
    planned = await job_in(client, one, "planned")
    assert planned["result"] == {"plan": {"sent": 1, "over": 0, "kept": 0}, "sent": None}
    assert (await asked(client, "/dead_letters"))["meta"]["count"] == 30  # a plan sends nothing
    await client.post(f"/jobs/{one}/run", json={})
    assert (await job_in(client, one, "done"))["result"]["sent"]["sent"] == 1
    assert (await client.post(f"/jobs/{one}/run", json={})).status_code == 409

    rest = await started(client, kind="redrive", action="s3:hot", cause="evaluation")
    assert (await job_in(client, rest, "planned"))["result"]["plan"]["sent"] == 29
    await client.post(f"/jobs/{rest}/run", json={})
    await job_in(client, rest, "done")
    assert (await asked(client, "/dead_letters"))["data"] == []
    settled = await asked(client, "/dead_letters", again=True)
    assert {each["settled"] for each in settled["data"]} == {True}

    def rows() -> int:
        keys = [key for key in pipeline.keys(BUCKET) if key.startswith("hot/")]
        return sum(len(gzip.decompress(each).splitlines()) for each in pipeline.objects(BUCKET, keys).values())

    await asyncio.to_thread(wait_until, lambda: rows() == 59, 40, pipeline.tails)
    await asyncio.to_thread(pipeline.wait_for_no_lag, "hot")  # the ledger's entry comes after its objects


async def a_replay_shows_its_plan_first(client: httpx.AsyncClient, pipeline: Pipeline) -> None:
    before = pipeline.keys(BUCKET)
    replay = {"kind": "replay", "action": "s3:hot", "from": {"offset": 0}, "into": "again/one"}
    stopped = await started(client, **replay)
    await job_in(client, stopped, "planned")
    assert (await client.delete(f"/jobs/{stopped}")).status_code == 204
    assert (await asked(client, f"/jobs/{stopped}"))["state"] == "cancelled"
    assert pipeline.keys(BUCKET) == before

    run = await started(client, **replay)
    plan = (await job_in(client, run, "planned"))["result"]["plan"]
    assert (plan["rows"], plan["where"]) == (59, f"{BUCKET}, below again/one/")
    assert plan["bytes"] > 60 * 20
    await client.post(f"/jobs/{run}/run", json={})
    assert (await job_in(client, run, "done"))["result"]["end"] == "everything is durable"
    assert any(key.startswith("again/one/hot/") for key in pipeline.keys(BUCKET))
    proof = await job_in(client, await started(client, kind="verify", action="s3:hot", into="again/one"), "done")
    assert (proof["wish"]["into"], proof["result"]["findings"]) == ("again/one", [])
    assert (
        proof["result"]["totals"]["rows"]
        == sum(each["total"].get("rows", 0) for each in proof["result"]["strips"])
        == 59
    )


async def verify_sees_what_is_missing(client: httpx.AsyncClient, pipeline: Pipeline) -> None:
    good = await job_in(client, await started(client, kind="verify", action="s3:hot", deep=True), "done")
    totals = good["result"]["totals"]
    assert good["result"]["findings"] == []
    assert totals["rows"] == 59
    drawn = [each["total"] for each in good["result"]["strips"]]
    assert sum(each.get("rows", 0) for each in drawn) == 59
    assert sum(each["next"] - each["first"] for each in drawn) == totals["records"] + totals["absent"]

    doomed = next(key for key in pipeline.keys(BUCKET) if key.startswith("hot/"))
    pipeline.store.delete_object(Bucket=BUCKET, Key=doomed)
    async with client.stream("GET", f"/jobs/{await started(client, kind='verify', action='s3:hot')}/live") as live:
        said = [line async for line in live.aiter_lines() if line.startswith(("event", "data"))]
    assert said[0::2].count("event: finding") == 1
    assert doomed in said[said.index("event: finding") + 1]
    bad = await asked(client, f"/jobs/{json.loads(said[-1].removeprefix('data: '))['id']}")
    assert bad["state"] == "done"
    assert [(each["kind"], each["key"]) for each in bad["result"]["findings"]] == [("missing", doomed)]
    assert sum(each["total"].get("wrong", 0) for each in bad["result"]["strips"]) == 1
    report = await client.get(f"/jobs/{bad['id']}/report")
    assert report.headers["content-disposition"] == f'attachment; filename="tidegate-verify-{bad["id"]}.json"'
    assert report.json()["result"]["found"] == {"missing": 1}
    of_direct = await job_in(client, await started(client, kind="verify", action="s3:raw"), "done")
    assert of_direct["result"]["direct"]["objects"] == 60
    assert of_direct["notes"]
