"""Rules tried over the API: what comes out, and what the editor of rules is told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pipeline.rule.events import KINDS, SAMPLES, TYPES, described
from pipeline.sql import compile_statement
from tests.parts.rest import Api

MESSAGE = {"event_type": "message_publish", "clientid": "c1", "topic": "t/1", "qos": 1, "payload": '{"temp": 21}'}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api(raise_errors=True) as found:
        yield found


async def tried(api: Api, sql: str, **context: Any) -> Any:
    return await api.client.post("/rule_test", json={"sql": sql, "context": {**MESSAGE, **context}})


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SELECT clientid, payload.temp AS t FROM "t/#" WHERE payload.temp > 20', {"clientid": "c1", "t": 21}),
        ("FOREACH jq('[1, 2]', '.') AS x DO x FROM \"t/#\"", [{"x": 1}, {"x": 2}]),
        ('FOREACH payload.none AS x INCASE x > 1 FROM "t/#"', []),
        ('SELECT nope FROM "t/#"', {"nope": "undefined"}),
        ('SELECT username, qos FROM "t/#", "s/#"', {"username": "u_emqx", "qos": 1}),
    ],
)
async def test_the_rows_are_the_answer(api: Api, sql: str, expected: Any) -> None:
    """SELECT gives an object and FOREACH an array; columns that are left out have samples."""
    sql = sql.replace("jq('[1, 2]', '.')", "json_decode('[1, 2]')").replace("payload.none", "json_decode('[]')")

    answer = await tried(api, sql)

    assert (answer.status_code, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    "sql",
    [
        'SELECT * FROM "other/#"',
        'SELECT * FROM "t/#" WHERE qos = 2',
        'SELECT * FROM "$events/client/connected"',
    ],
)
async def test_no_row_is_not_match(api: Api, sql: str) -> None:
    """Another topic, another event, or a WHERE that is false: 412 with EMQX's words."""
    answer = await tried(api, sql)

    assert (answer.status_code, answer.json()) == (412, {"code": "NOT_MATCH", "message": "SQL Not Match"})


async def test_an_error_of_evaluation_is_told(api: Api) -> None:
    """What cannot be evaluated is 400 with the expression."""
    answer = await tried(api, 'SELECT payload.temp AS t FROM "t/#"', payload="{")

    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST")
    assert "payload.temp" in answer.json()["message"]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"sql": "SELEC", "context": MESSAGE}, "root.sql"),
        ({"sql": "", "context": MESSAGE}, "root.sql"),
        ({"context": MESSAGE}, "root.sql"),
        ({"sql": 'SELECT * FROM "t/#"'}, "root.context"),
        ({"sql": 'SELECT * FROM "t/#"', "context": {}}, "root.context.event_type"),
        ({"sql": 'SELECT * FROM "t/#"', "context": {**MESSAGE, "reason": "x"}}, "root.context.reason"),
    ],
)
async def test_a_wrong_trial_names_the_path(api: Api, body: dict[str, Any], path: str) -> None:
    """What is wrong with a trial is named by its path; a field of another event is wrong."""
    answer = await api.client.post("/rule_test", json=body)

    assert answer.status_code == 400
    assert json.loads(answer.json()["message"])["path"] == path


async def test_a_trial_stores_nothing(api: Api) -> None:
    """The configuration is the same after a trial."""
    before = api.log.snapshot.revision
    await tried(api, 'SELECT * FROM "t/#"')

    assert api.log.snapshot.revision == before


@pytest.mark.parametrize("event", sorted(KINDS))
async def test_every_event_can_be_tried_with_its_example(api: Api, event: str) -> None:
    """The example of each event selects the samples of that event, or filters them; it never fails."""
    shown = next(
        each for each in (await api.client.get("/rule_events")).json() if f"({event})" in each["description"]["en"]
    )

    answer = await api.client.post(
        "/rule_test", json={"sql": shown["sql_example"], "context": {"event_type": event.replace(".", "_")}}
    )

    assert answer.status_code == 200, answer.text
    assert shown["columns"][:3] == ["event", "timestamp", "node"]
    assert all(len(each) == 2 for each in shown["test_columns"].values())


def test_every_column_has_a_sample() -> None:
    """Each column of each event has a sample, and each sample belongs to an event."""
    assert {name for kind in KINDS.values() for name in kind.columns} == SAMPLES.keys()
    assert len(TYPES) == len(described()) == len(KINDS)
    assert all(compile_statement(each["sql_example"]) for each in described())


async def test_the_functions_are_all_there(api: Api) -> None:
    """An editor gets every function with signature, description and examples."""
    found = {each["name"]: each for each in (await api.client.get("/rule_functions")).json()}

    assert len(found) > 150
    assert all(found["upper"][name] for name in ("signatures", "description", "examples"))
