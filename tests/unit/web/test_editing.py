"""What the page asks beside EMQX's calls: who is here, forms, drafts, trials, and its own files."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import pipeline.web
from pipeline.config.s3 import S3Connector
from pipeline.web.routes.rule_live import AT_ONCE_MAX
from tests.parts.rest import DIRECT, RULE, Api

BUILT = Path(pipeline.web.__file__).parent / "dashboard"
MESSAGE = {"event_type": "message_publish", "topic": "t/1", "clientid": "c1", "id": "7", "payload": '{"temp": 21}'}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """An API with a connector, an action, a rule and a source."""
    async with Api() as found:
        await found.objects()
        yield found


async def test_the_session_is_said_and_no_login_is_no_error(api: Api) -> None:
    """The page asks it first, and shows the door or itself."""
    client = api.client
    assert (await client.get("/session")).json()["session"]["username"] == "admin"
    del client.headers["authorization"]
    assert (await client.get("/session")).json() == {"session": None, "first": False}


@pytest.mark.parametrize("setting", ["connectors", "actions", "sources"])
async def test_forms_come_from_the_settings(api: Api, setting: str) -> None:
    """Each type names its schema, and the schema has its settings."""
    found = (await api.client.get(f"/schemas/{setting}")).json()
    for name in found["types"].values():
        assert found["components"]["schemas"][name]["properties"]
    if setting == "connectors":
        assert found["types"] == {"s3": S3Connector.__name__}
    assert (await api.client.get("/schemas/none")).status_code == 404


async def test_a_draft_is_told_what_would_refuse_it(api: Api) -> None:
    """The path is in the draft; a statement has line and column. Nothing is stored."""
    wrong = {"sql": 'SELECT\n  uppr(topic)\nFROM "t/#"', "actions": []}
    (found,) = (await api.client.post("/rules_check", json=wrong)).json()["errors"]
    assert (found["path"], found["line"], found["column"]) == ("root.sql", 2, 3)
    wrong = {"sql": RULE["sql"], "actions": ["s3:none"]}
    (found,) = (await api.client.post("/rules_check", json=wrong)).json()["errors"]
    assert found["path"] == "root.actions[0]"
    body = {**DIRECT, "name": "new", "parameters": {**DIRECT["parameters"], "key": "raw/${id|nofilter}"}}
    found = (await api.client.post("/actions_check", json=body)).json()
    assert [each["path"] for each in found["errors"]] == ["root.parameters.key"]
    assert (await api.client.get("/actions/s3:new")).status_code == 404
    assert (await api.client.get("/rules")).json()["meta"]["count"] == 1


async def test_a_draft_is_told_what_is_worth_a_look(api: Api) -> None:
    """The warnings of `tidegate check` about this action, and no others."""
    body = {**DIRECT, "parameters": {**DIRECT["parameters"], "key": "raw/${timestamp}"}}
    found = (await api.client.post("/actions_check", json=body)).json()
    assert found["errors"] == []
    assert any("${id}" in each["reason"] and each["path"] == "parameters.key" for each in found["warnings"])


async def test_a_draft_of_an_action_knows_the_statement_that_will_feed_it(api: Api) -> None:
    """A new action has no rule yet. Whether its keys collide depends on what the rows of its statement have."""
    body = {**DIRECT, "name": "new", "parameters": {**DIRECT["parameters"], "key": "raw/${w}"}}
    for sql, warned in (('SELECT timestamp AS w FROM "t/#"', True), ('SELECT id AS w FROM "t/#"', False)):
        found = (await api.client.post("/actions_check", params={"sql": sql}, json=body)).json()
        assert any(each["path"] == "parameters.key" for each in found["warnings"]) == warned, found
    assert (await api.client.get("/rules")).json()["meta"]["count"] == 1


async def test_live_messages_need_kafka_and_a_place(api: Api) -> None:
    """Without Kafka the stream says why and ends; an unknown action is refused; only so many streams at once."""
    body = {"sql": RULE["sql"], "actions": ["s3:raw"]}
    answer = await api.client.post("/rule_live", json=body)
    assert "error" in json.loads(answer.text.split("data: ")[1])
    assert (await api.client.post("/rule_live", json={**body, "actions": ["s3:none"]})).status_code == 404
    assert api.services.live_trials == 0
    api.services.live_trials = AT_ONCE_MAX
    assert (await api.client.post("/rule_live", json=body)).status_code == 429


async def test_a_trial_shows_rows_and_objects(api: Api) -> None:
    """Stored actions by id, and drafts by their bodies; an error has its words."""
    draft = {**DIRECT, "name": "new", "parameters": {**DIRECT["parameters"], "key": "new/${id}", "content": "${t}"}}
    body = {
        "sql": 'SELECT payload.temp AS t, id, clientid FROM "t/#"',
        "context": MESSAGE,
        "actions": ["s3:raw", draft],
    }
    found = (await api.client.post("/rule_trial", json=body)).json()
    assert found["rows"] == [{"t": 21, "id": "7", "clientid": "c1"}]
    assert [(each["action"], each["key"], each["content"]) for each in found["rendered"][0]] == [
        ("s3:raw", "raw/c1/7", "undefined"),
        ("s3:new", "new/7", "21"),
    ]
    body["sql"] = 'SELECT uppr(id) FROM "t/#"'
    found = (await api.client.post("/rule_trial", json=body)).json()
    assert (found["outcome"], found["error"]["line"]) == ("error", 1)
    body["sql"] = 'SELECT id FROM "other"'
    assert (await api.client.post("/rule_trial", json=body)).json()["outcome"] == "not_matched"


async def test_a_trial_of_a_viewer_is_allowed_and_changes_are_not(api: Api) -> None:
    """Trying changes nothing."""
    api.client.headers["authorization"] = f"Bearer {await api.token('eve')}"
    body = {"sql": RULE["sql"], "context": MESSAGE, "actions": ["s3:raw"]}
    assert (await api.client.post("/rule_trial", json=body)).status_code == 200
    assert (await api.client.post("/rules_check", json={"sql": RULE["sql"], "actions": []})).status_code == 200
    assert (await api.client.post("/rules", json=RULE)).status_code == 403


async def test_the_page_is_served_to_everybody_and_runs_only_its_own_scripts(api: Api) -> None:
    """Files of the page need no login, and what is not there is our own error."""
    client = api.client
    del client.headers["authorization"]
    page = await client.get("http://api.example/")
    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert "require-trusted-types-for 'script'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-cache"
    script = next(BUILT.glob("assets/*.js"))
    kept = await client.get(f"http://api.example/assets/{script.name}")
    assert "immutable" in kept.headers["cache-control"]
    missing = await client.get("http://api.example/assets/none.js")
    assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
    assert (await client.get("http://api.example/..%2f..%2fpyproject.toml")).status_code == 404


def test_the_built_page_is_within_its_budget() -> None:
    """What the first visit loads, and what all pages load, as a browser gets it compressed."""
    sizes = {each.name: len(gzip.compress(each.read_bytes(), 9)) for each in BUILT.rglob("*") if each.is_file()}
    index = (BUILT / "index.html").read_text()
    first = sum(size for name, size in sizes.items() if name in index or name == "index.html")
    assert first <= 130 * 1024, json.dumps(sizes, indent=1)
    assert sum(sizes.values()) <= 450 * 1024, json.dumps(sizes, indent=1)
