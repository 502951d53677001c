"""Traces: what a page that debugs a rule sees of records and of simulated events, without anything being written."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.record import Record
from pipeline.web.tracing.lines import ROWS_MAX, sample_of_record
from pipeline.web.tracing.traces import LOG_BYTES_MAX
from tests.parts.rest import Api

EVENT = {"event_type": "message_publish", "topic": "t/1", "clientid": "c1", "payload": '{"temp": 21}'}
DEBUG = {"name": "debug", "type": "ruleid", "ruleid": "hot"}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api() as found:
        await found.objects()
        yield found


def record(topic: str = "t/1", clientid: str = "c1", payload: bytes = b'{"temp": 21}', **more: str) -> Record:
    headers = [("topic", topic.encode()), ("clientid_from", b"session")]
    headers += [(name, value.encode()) for name, value in more.items()]
    return Record("mqtt.messages", 0, 7, 1_764_000_000_000, clientid.encode(), payload, headers)


async def comes(api: Api, found: Record) -> None:
    """A record comes from Kafka."""
    config = api.log.snapshot.config
    sample = sample_of_record(config, found)
    assert sample is not None
    api.services.traces.take(config, sample, api.clock.now_ms)


async def lines(api: Api, name: str = "debug") -> list[dict[str, Any]]:
    """The whole log, as a page that polls reads it."""
    found, position = "", 0
    while True:
        answer = (await api.client.get(f"/trace/{name}/log?node=api&bytes=100&position={position}")).json()
        if not answer["items"]:
            return [json.loads(line) for line in found.splitlines()]
        found, position = found + answer["items"], answer["meta"]["position"]


async def test_of_many_rows_only_those_that_are_shown_are_rendered(api: Api) -> None:
    """A message of ten thousand rows costs its trace little: what would fail behind them is not even tried."""
    rule = {"id": "hot", "sql": 'FOREACH payload.l AS e DO e AS id FROM "t/#"', "actions": ["s3:raw"]}
    assert (await api.client.put("/rules/hot", json=rule)).status_code == 200
    await api.client.post("/trace", json=DEBUG)

    await comes(api, record(payload=json.dumps({"l": [*range(24), ".."]}).encode()))

    found = [each["msg"] for each in await lines(api)]
    assert found.count("action_template_rendered") == ROWS_MAX
    assert "action_failed" not in found


async def test_a_traced_rule_shows_each_step_of_a_record(api: Api) -> None:
    """Activated, result, rendered, stopped before writing: in EMQX's words, with the rule, the client and the action."""
    await api.client.post("/trace", json=DEBUG)
    await comes(api, record())
    await comes(api, record(topic="other"))

    found = await lines(api)
    assert [each["msg"] for each in found] == [
        "rule_activated",
        "SQL_yielded_result",
        "action_template_rendered",
        "action_stopped_after_template_rendering",
    ]
    assert {each["meta"]["rule_id"] for each in found} == {"hot"}
    assert found[0]["meta"]["clientid"] == "c1"
    assert found[0]["meta"]["input"]["payload"] == '{"temp": 21}'
    assert found[2]["meta"]["action_info"] == {"type": "s3", "name": "raw"}
    assert found[2]["meta"]["result"]["key"].startswith("raw/c1/")


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ({"type": "clientid", "clientid": "c1"}, 1),
        ({"type": "topic", "topic": "t/+"}, 2),
        ({"type": "topic", "topic": "s/#"}, 0),
        ({"type": "ip_address", "ip_address": "10.0.0.1"}, 1),
        ({"type": "ruleid", "ruleid": "none"}, 0),
    ],
)
async def test_a_trace_sees_what_it_names(api: Api, body: dict[str, str], seen: int) -> None:
    """Records are chosen by rule, client, topic filter or address."""
    await api.client.post("/trace", json={"name": "debug", **body})
    await comes(api, record())
    await comes(api, record(clientid="c2", peerhost="10.0.0.1"))

    assert [each["msg"] for each in await lines(api)].count("rule_activated") == seen


async def test_what_goes_wrong_has_a_reason(api: Api) -> None:
    """An error of a statement is a line with its reason; a false WHERE is a line without one."""
    await api.client.put("/rules/hot", json={"sql": 'SELECT payload.a.b AS b FROM "t/#" WHERE payload.temp > 30'})
    await api.client.post("/trace", json=DEBUG)
    await comes(api, record())
    await comes(api, record(payload=b"not json"))

    found = await lines(api)
    assert [each["msg"] for each in found][1::2] == ["SQL_yielded_no_result", "SELECT_clause_exception"]
    assert found[-1]["meta"]["reason"]


async def test_a_simulated_event_is_in_the_trace_of_its_rule(api: Api) -> None:
    """The page sends an event, and reads what became of it from the trace."""
    await api.client.post("/trace", json=DEBUG)
    before = api.log.snapshot.revision

    answer = await api.client.post(
        "/rules/hot/test", json={"context": EVENT, "stop_action_after_template_rendering": False}
    )

    assert answer.status_code == 200
    assert [each["msg"] for each in await lines(api)] == [each["msg"] for each in answer.json()["lines"]]
    assert api.log.snapshot.revision == before
    refused = await api.client.post("/rules/none/test", json={"context": EVENT})
    assert (refused.status_code, refused.json()["code"]) == (404, "RULE_NOT_FOUND")


@pytest.mark.parametrize(("encode", "shown"), [("hex", b'{"temp": 21}'.hex()), ("hidden", "******")])
async def test_a_payload_is_shown_as_the_trace_wants_it(api: Api, encode: str, shown: str) -> None:
    """As hex, or not at all: then the results are hidden too."""
    await api.client.post("/trace", json={**DEBUG, "payload_encode": encode})
    await comes(api, record())

    found = await lines(api)
    assert found[0]["meta"]["input"]["payload"] == shown
    assert ("21" in json.dumps(found[1:])) == (encode == "hex")


async def test_a_trace_has_a_beginning_and_an_end(api: Api) -> None:
    """It waits, runs, stops by itself or when told, and sees nothing else; its log stays until it is deleted."""
    start = api.clock.now_ms // 1000 + 10
    await api.client.post("/trace", json={**DEBUG, "start_at": start, "end_at": start + 10})
    statuses = []
    for _ in range(3):
        await comes(api, record())
        statuses.append((await api.client.get("/trace")).json()[0]["status"])
        api.clock.now_ms += 10_000

    assert statuses == ["waiting", "running", "stopped"]
    assert len(await lines(api)) == 4
    file = await api.client.get("/trace/debug/download")
    with zipfile.ZipFile(io.BytesIO(file.content)) as archive:
        assert archive.namelist() == ["debug/api.log"]
    assert (await api.client.delete("/trace/debug")).status_code == 204
    assert (await api.client.get("/trace/debug/log_detail")).status_code == 404


async def test_a_log_has_a_limit(api: Api) -> None:
    """A full log ends its trace."""
    await api.client.post("/trace", json=DEBUG)
    trace = api.services.traces.get("debug")
    trace.log += b"x" * LOG_BYTES_MAX
    await comes(api, record())

    assert len(trace.log) == LOG_BYTES_MAX
    assert (await api.client.get("/trace")).json()[0]["status"] == "stopped"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": "a b"}, "root.name"),
        ({"type": "log"}, "root.type"),
        ({"ruleid": ""}, "root.ruleid"),
        ({"type": "topic", "topic": "a/#/b"}, "root.topic"),
        ({"start_at": "today"}, "root.start_at"),
        ({"end_at": 1}, "root.end_at"),
        ({"payload_encode": "base64"}, "root.payload_encode"),
        ({"formatter": "xml"}, "root.formatter"),
    ],
)
async def test_a_wrong_trace_is_refused_with_its_path(api: Api, change: dict[str, Any], path: str) -> None:
    """The error names the field."""
    answer = await api.client.post("/trace", json={**DEBUG, **change})

    assert answer.status_code == 400
    assert json.loads(answer.json()["message"])["path"] == path
