"""Connectors, actions and sources over the API: what comes back, what is refused, and what others' changes do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.control.objects import Change
from tests.parts.rest import CONNECTOR, DIRECT, RULE, SOURCE, Api

MASK = "******"


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api(raise_errors=True) as found:
        yield found


@pytest.fixture
async def full(api: Api) -> Api:
    await api.objects()
    return api


def problem(answer: Any) -> dict[str, Any]:
    """The problem in a refusal of settings: JSON in a text."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "BAD_REQUEST")
    found: dict[str, Any] = json.loads(body["message"])
    assert found["kind"] == "validation_error"
    return found


@pytest.mark.parametrize("id", ["s3:lake", "s3%3Alake"])
async def test_an_id_may_be_encoded(full: Api, id: str) -> None:
    """An object is found by its id as it is, and percent-encoded."""
    found = await full.client.get(f"/connectors/{id}")

    assert (found.status_code, found.json()["name"]) == (200, "lake")


@pytest.mark.parametrize("id", ["lake", "s4:lake", "s3:", "s3:.lake", ":lake"])
async def test_an_id_that_is_none_is_not_found(full: Api, id: str) -> None:
    """A malformed id is 404 with EMQX's words."""
    found = await full.client.get(f"/connectors/{id}")

    assert (found.status_code, found.json()["code"]) == (404, "NOT_FOUND")
    assert found.json()["message"].startswith("Invalid connector ID")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"hots": 1}, "root.hots"),
        ({"port": 0}, "root.port"),
        ({"transport_options": {"ssl": {"enabled": True}}}, "root.transport_options.ssl.enabled"),
        ({"type": "s4"}, "root.type"),
        ({"name": ".x"}, "root.name"),
        ({"name": 7}, "root.name"),
        ({"secret_access_key": MASK}, "root.secret_access_key"),
    ],
)
async def test_a_wrong_body_is_refused_with_its_path(api: Api, change: dict[str, Any], path: str) -> None:
    """A refused setting is named by its path in the body, and nothing is stored."""
    answer = await api.client.post("/connectors", json={**CONNECTOR, **change})

    assert problem(answer)["path"] == path
    assert (await api.client.get("/connectors")).json() == []


async def test_several_problems_are_told_together(api: Api) -> None:
    """A body with two mistakes is answered with both."""
    found = problem(await api.client.post("/connectors", json={**CONNECTOR, "port": 0, "hots": 1}))

    assert {each["path"] for each in found["errors"]} == {"root.port", "root.hots"}


async def test_a_statement_that_is_refused_has_a_line_and_a_column(full: Api) -> None:
    """The error about SQL says where in the statement it is."""
    found = problem(await full.client.put("/rules/hot", json={"sql": 'SELECT *\nFORM "t/#"'}))

    assert (found["path"], found["line"]) == ("root.sql", 2)


@pytest.mark.parametrize("path", ["/connectors/s3:lake", "/actions/s3:raw", "/sources/mqtt:plant", "/rules/hot"])
async def test_an_answer_can_be_sent_back(full: Api, path: str) -> None:
    """A client may send back what it got, read-only fields and all, and nothing changes."""
    before = (await full.client.get(path)).json()

    answer = await full.client.put(path, json=before)

    assert answer.status_code == 200, answer.text
    assert answer.json() == before


async def test_a_masked_header_keeps_the_stored_one(full: Api) -> None:
    """****** in the place of a header keeps it as it was sealed, and a new one beside it is sealed too."""
    await full.key()
    options = {**CONNECTOR["transport_options"], "headers": {"x-auth-token": "sesame-sesame"}}
    await full.client.put("/connectors/s3:lake", json={**CONNECTOR, "transport_options": options})
    before = full.log.snapshot.objects["connector/s3/lake"].value["transport_options"]["headers"]
    shown = (await full.client.get("/connectors/s3:lake")).json()

    shown["transport_options"]["headers"] |= {"x-other": "new", "x-third": "${THIRD}"}
    answer = await full.client.put("/connectors/s3:lake", json=shown)

    stored = full.log.snapshot.objects["connector/s3/lake"].value["transport_options"]["headers"]
    assert stored["x-auth-token"] == before["x-auth-token"]
    assert {name: text.partition(":")[0] for name, text in stored.items()} == {
        "x-auth-token": "sealed",
        "x-other": "sealed",
        "x-third": "${THIRD}",
    }
    headers = answer.json()["transport_options"]["headers"]
    assert headers == {"x-auth-token": MASK, "x-other": MASK, "x-third": "${THIRD}"}


async def test_a_default_of_a_reference_is_not_shown_and_not_lost(api: Api) -> None:
    """A setting with a reference comes back as it was written."""
    await api.objects(("/connectors", {**CONNECTOR, "region": "${REGION:-eu-central-1}"}))

    shown = (await api.client.get("/connectors/s3:lake")).json()
    answer = await api.client.put("/connectors/s3:lake", json=shown)

    assert answer.json()["region"] == "${REGION:-eu-central-1}"


async def test_a_clear_secret_is_refused_with_what_to_do(api: Api) -> None:
    """The topic keeps no clear secret: the refusal names the two other forms, and not the secret."""
    answer = await api.client.post("/connectors", json={**CONNECTOR, "secret_access_key": "sesame-sesame"})

    found = problem(answer)
    assert found["path"] == "root.secret_access_key"
    assert "${NAME} or file:///path" in found["reason"]
    assert "tidegate secrets init" in found["reason"]
    assert "sesame" not in answer.text


async def test_what_is_there_is_not_created_again(full: Api) -> None:
    """A second object of the same type and name is refused."""
    for path, body, code in (
        ("/connectors", CONNECTOR, "ALREADY_EXISTS"),
        ("/actions", DIRECT, "ALREADY_EXISTS"),
        ("/rules", RULE, "BAD_REQUEST"),
    ):
        answer = await full.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


async def test_what_is_used_is_not_deleted(full: Api) -> None:
    """A connector with actions and an action with rules stay, and the answer names what uses them."""
    connector = await full.client.delete("/connectors/s3:lake")
    action = await full.client.delete("/actions/s3:raw")

    assert (connector.status_code, connector.json()["actions"]) == (400, ["raw"])
    assert (action.status_code, action.json()["rules"]) == (400, ["hot"])


async def test_an_action_is_taken_out_of_its_rules(full: Api) -> None:
    """With also_delete_dep_actions the rules stay, without the action."""
    answer = await full.client.delete("/actions/s3:raw", params={"also_delete_dep_actions": "true"})

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await full.client.get("/rules/hot")).json()["actions"] == []


async def test_an_action_needs_its_connector(api: Api) -> None:
    """An action whose connector does not exist is refused by path."""
    assert problem(await api.client.post("/actions", json=DIRECT))["path"] == "root.connector"


# --- Revisions


async def test_a_stale_revision_is_refused_with_what_is_there(full: Api) -> None:
    """If-Match with an old revision is 412, and the answer has the present object."""
    before = (await full.client.get("/rules/hot")).headers["etag"]
    await full.client.put("/rules/hot", json={"description": "theirs"})

    answer = await full.client.put("/rules/hot", json={"description": "mine"}, headers={"if-match": before})

    assert (answer.status_code, answer.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert answer.json()["current"]["value"]["description"] == "theirs"


async def test_the_present_revision_is_taken(full: Api) -> None:
    """If-Match with the present revision changes the object, which has a new revision then."""
    before = (await full.client.get("/rules/hot")).headers["etag"]

    answer = await full.client.put("/rules/hot", json={"description": "mine"}, headers={"if-match": before})

    assert answer.status_code == 200
    assert answer.headers["etag"] != before


async def test_a_rival_between_reading_and_writing_is_noticed(full: Api) -> None:
    """With If-Match, whoever was slower is told; nothing of the faster change is lost."""
    before = (await full.client.get("/rules/hot")).headers["etag"]
    stored = dict(full.log.snapshot.objects["rule/hot"].value)
    full.log.rival = Change({"rule/hot": {**stored, "description": "theirs"}}, by="other", source="rest")

    answer = await full.client.put("/rules/hot", json={"enable": False}, headers={"if-match": before})

    assert answer.status_code == 412
    assert (await full.client.get("/rules/hot")).json()["description"] == "theirs"


async def test_a_change_of_a_part_keeps_what_a_rival_changed(full: Api) -> None:
    """Without If-Match, the part is put into what is really there."""
    stored = dict(full.log.snapshot.objects["rule/hot"].value)
    full.log.rival = Change({"rule/hot": {**stored, "description": "theirs"}}, by="other", source="rest")

    answer = await full.client.put("/rules/hot", json={"enable": False})

    assert (answer.json()["description"], answer.json()["enable"]) == ("theirs", False)


@pytest.mark.parametrize("text", ["7", '"x"', "W/", '""'])
async def test_a_broken_if_match_is_refused(full: Api, text: str) -> None:
    """If-Match that is no revision is a mistake of the client, and changes nothing."""
    answer = await full.client.put("/rules/hot", json={"enable": False}, headers={"if-match": text})

    assert answer.status_code == 400
    assert (await full.client.get("/rules/hot")).json()["enable"] is True


async def test_the_history_says_who_changed_what(full: Api) -> None:
    """Changes are listed with the newest first and by key; sessions, hashes and headers are not in them."""
    options = {**CONNECTOR["transport_options"], "headers": {"x-auth-token": "sesame-sesame"}}
    await full.client.put("/connectors/s3:lake", json={**CONNECTOR, "transport_options": options})
    await full.client.delete("/rules/hot")

    whole = (await full.client.get("/history")).json()
    rule = (await full.client.get("/history", params={"key": "rule/hot"})).json()["data"]

    assert [(each["by"], each["source"], each["value"] is None) for each in rule] == [
        ("admin", "rest", True),
        ("admin", "rest", False),
    ]
    assert whole["data"][0]["key"] == "rule/hot"
    assert not [each for each in whole["data"] if each["key"].startswith("session/")]
    assert "sesame" not in str(whole)
    assert "argon2" not in str(whole)


# --- Switch, start, probe


async def test_an_object_is_switched(full: Api) -> None:
    """enable/false switches an object off: its status is `stopped`, and its actions are not installed."""
    answer = await full.client.put("/connectors/s3:lake/enable/false")

    assert (answer.status_code, answer.content) == (204, b"")
    assert (await full.client.get("/connectors/s3:lake")).json()["status"] == "stopped"
    assert (await full.client.get("/actions/s3:raw")).json()["status_reason"] == "Not installed"


@pytest.mark.parametrize("path", ["/connectors/s3:lake/enable/maybe", "/sources/mqtt:plant/enable/maybe"])
async def test_a_switch_that_cannot_be_is_refused(full: Api, path: str) -> None:
    """Anything but true and false is refused."""
    assert (await full.client.put(path)).status_code == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/connectors/s3:lake/start", 400),
        ("/connectors/s3:lake/stop", 400),
        ("/connectors/s3:none/start", 404),
        ("/nodes/nobody/connectors/s3:lake/start", 404),
    ],
)
async def test_a_start_that_does_not_connect_is_refused(full: Api, path: str, status: int) -> None:
    """Nobody listens at the connector's address, so `start` says that it does not connect."""
    assert (await full.client.post(path)).status_code == status


@pytest.mark.parametrize(
    ("path", "body"),
    [("/connectors_probe", CONNECTOR), ("/sources_probe", SOURCE), ("/connectors_probe", {**CONNECTOR, "name": "new"})],
)
async def test_a_probe_really_connects(
    api: Api, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A probe of an address where nobody listens fails with the reason, and stores nothing."""
    answer = await api.client.post(path, json={**body, "secret_access_key": "${SECRET}"} if "host" in body else body)

    assert (answer.status_code, answer.json()["code"]) == (400, "TEST_FAILED")
    assert api.log.snapshot.config.connectors.s3 == {}


async def test_a_probe_of_a_wrong_body_names_the_path(api: Api) -> None:
    """A probe checks its body as a creation does."""
    assert problem(await api.client.post("/connectors_probe", json={**CONNECTOR, "hots": 1}))["path"] == "root.hots"


# --- Bodies


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"", "application/json", 400),
    ],
)
async def test_a_body_that_is_no_object_is_refused(api: Api, content: bytes, media: str, status: int) -> None:
    """A body must be a JSON object and say so."""
    answer = await api.client.post("/connectors", content=content, headers={"content-type": media})

    assert answer.status_code == status
    assert answer.json().keys() == {"code", "message"}


@pytest.mark.parametrize("depth", [150, 300, 100_000])
async def test_what_is_nested_too_deeply_is_refused(depth: int) -> None:
    """Nothing is stored that could not be answered, in no list and no history."""
    deep = b"[" * depth + b"]" * depth
    body = json.dumps({**DIRECT, "fallback_actions": [{"kind": "x", "args": "HERE"}]}).encode()
    headers = {"content-type": "application/json"}
    async with Api() as api:
        await api.objects(("/connectors", CONNECTOR))
        answer = await api.client.post("/actions", content=body.replace(b'"HERE"', deep), headers=headers)
        listed = [await api.client.get(path) for path in ("/actions", "/history", "/configs")]

    assert answer.status_code == (201 if depth < 200 else 400), answer.text
    assert [each.status_code for each in listed] == [200] * 3


async def test_a_schema_is_read_before_it_is_stored(api: Api) -> None:
    """Also while no rule is there that could name it: the refusal says where."""
    answer = await api.client.post("/schema_registry", json={"name": "bad", "type": "avro", "source": '{"type": 7}'})

    assert answer.status_code == 400
    assert problem(answer)["path"] == "root.source"
    assert (await api.client.get("/schema_registry")).json() == []


async def test_a_schema_that_a_rule_names_stays(full: Api) -> None:
    """The refusal names the rules whose statement has it; a schema with another name goes."""
    for name in ("read", "reader"):
        await full.client.post("/schema_registry", json={"name": name, "type": "avro", "source": '"string"'})
    sql = "SELECT schema_decode( 'read', payload) AS a FROM \"t/#\""
    assert (await full.client.put("/rules/hot", json={"sql": sql})).is_success

    refused = await full.client.delete("/schema_registry/read")

    assert (refused.status_code, refused.json()["rules"]) == (400, ["hot"])
    assert (await full.client.delete("/schema_registry/reader")).status_code == 204
