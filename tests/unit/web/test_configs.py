"""Every object in one document: what is read comes back, what is written is all or nothing, and no secret is shown."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hocon import parse_string
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.dump import dump
from pipeline.control.objects import Change, place_of
from pipeline.web.objects.bulk import hocon
from tests.parts.rest import CONNECTOR, Api, basic

SECRET = "sesame-open-sesame"
SCHEMA = {"name": "x", "type": "json", "source": "{}"}
HOCON = {"content-type": "text/plain"}


async def full(api: Api) -> Api:
    """One object of each kind, and a clear secret that is sealed."""
    await api.key()
    await api.objects()
    await api.client.put("/connectors/s3:lake", json={**CONNECTOR, "secret_access_key": SECRET})
    await api.client.post("/schema_registry", json=SCHEMA)
    return api


def values(api: Api) -> dict[str, Any]:
    """The objects that are stored."""
    return {key: each.value for key, each in api.log.snapshot.objects.items() if place_of(key)}


async def put(api: Api, text: str, **query: str) -> httpx.Response:
    """Write HOCON."""
    return await api.client.put("/configs", content=text, headers=HOCON, params=query)


def problems(answer: httpx.Response) -> list[tuple[str, str]]:
    """Path and reason of everything that was refused."""
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_REQUEST"), answer.text
    first = json.loads(answer.json()["message"])
    return [(each["path"], each["reason"]) for each in first.get("errors", [first])]


@pytest.mark.parametrize("accept", ["text/plain", "application/json"])
@pytest.mark.parametrize("mode", ["merge", "replace"])
async def test_what_is_read_can_be_written_back(accept: str, mode: str) -> None:
    """The document has every kind with its defaults and no secret, and changes nothing when it is sent back."""
    async with Api() as api:
        await full(api)
        before, config = values(api), dump(api.log.snapshot.config, defaults=True)
        read = await api.client.get("/configs", headers={"accept": accept})
        answer = await api.client.put(
            "/configs", content=read.content, headers={"content-type": accept}, params={"mode": mode}
        )

        assert (answer.status_code, answer.content) == (200, b"")
        assert SECRET not in read.text
        assert before["connector/s3/lake"]["secret_access_key"] not in read.text
        assert dump(api.log.snapshot.config, defaults=True) == config
        stored = values(api)
        assert stored.keys() == before.keys()
        assert stored["connector/s3/lake"]["secret_access_key"] == before["connector/s3/lake"]["secret_access_key"]


async def test_a_root_can_be_read_alone() -> None:
    """As EMQX's tools ask: one root, under its name; other roots are refused."""
    async with Api() as api:
        await full(api)
        text = (await api.client.get("/configs?key=rule_engine", headers={"accept": "text/plain"})).text
        refused = await api.client.get("/configs?key=listeners")

    found = parse_string(text).to_object()
    assert found.keys() == {"rule_engine"}
    assert found["rule_engine"]["rules"]["hot"]["sql"] == 'SELECT * FROM "t/#"'
    assert refused.status_code == 400


async def test_a_merge_changes_only_what_is_given() -> None:
    """Settings at any depth, and a new object beside the others; an object that stays the same keeps its revision."""
    async with Api() as api:
        await full(api)
        before = dict(api.log.snapshot.objects)
        answer = await put(
            api,
            """
            actions.s3.raw.parameters.key = "other/${id}"
            actions.s3.raw.connector = lake
            connectors.s3.lake.host = 127.0.0.1
            rule_engine.rules.cold { sql = "SELECT clientid FROM \\"c/#\\"", actions = ["s3:raw"] }
            """,
        )

        assert answer.status_code == 200, answer.text
        after = api.log.snapshot.objects
        wanted = dict(before["action/s3/raw"].value)
        assert after["action/s3/raw"].value == {
            **wanted,
            "parameters": {**wanted["parameters"], "key": "other/${id}"},
        }
        assert after["connector/s3/lake"] == before["connector/s3/lake"]
        assert after["rule/hot"] == before["rule/hot"]
        assert after["rule/cold"].value["actions"] == ["s3:raw"]


async def test_a_replacement_deletes_what_is_not_given() -> None:
    """Only under the roots that are there, and not if something needs it."""
    async with Api() as api:
        await full(api)
        needed = await put(api, "connectors {}", mode="replace")
        before = values(api)
        answer = await put(
            api, 'rule_engine.rules.new { sql = "SELECT * FROM \\"n\\"", actions = ["s3:raw"] }', mode="replace"
        )

        assert problems(needed)[0][0] == "actions.s3.raw.connector"
        assert answer.status_code == 200, answer.text
        assert {key for key in values(api) if key.startswith("rule/")} == {"rule/new"}
        assert values(api).keys() - {"rule/new"} == before.keys() - {"rule/hot"}


async def test_one_mistake_refuses_everything() -> None:
    """All mistakes are named, with their places, and nothing is written."""
    async with Api() as api:
        await full(api)
        revision = api.log.snapshot.revision
        answer = await put(
            api,
            "log.console.level = debug, actions.kafka.x {}, rule_engine.ssrf.enable = true, connectors.s3.lake.port = 9",
        )

        assert [path for path, _ in problems(answer)] == ["root.log", "root.actions.kafka", "root.ssrf"]
        assert api.log.snapshot.revision == revision


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "root"),
        ("a = [", "root"),
        ("connectors = 1", "root.connectors"),
        ("connectors.s3 = 1", "root.connectors.s3"),
        ("connectors.s3.lake = 1", "root.connectors.s3.lake"),
        ('connectors.s3."a/b" {}', "root.connectors.s3.a/b"),
        ("schema_registry.other = 1", "root.schema_registry.other"),
        ('a = "xxxx", connectors.s3.lake.host = ${a}${a}', "root"),
        ("connectors.s3.lake.hots = 1", "connectors.s3.lake.hots"),
        ('connectors.s3.new { secret_access_key = "******" }', "connectors.s3.new.secret_access_key"),
        ('rule_engine.rules.hot.sql = "SELEC"', "rules.hot.sql"),
        ("rule_engine.rules.hot.name = other", "rules.hot.name"),
        ("rule_engine.jq_function_default_timeout = 10s", "root.jq_function_default_timeout"),
        ("rule_engine.ignore_sys_message = true", "root.ignore_sys_message"),
    ],
)
async def test_what_cannot_be_written_says_where(text: str, path: str) -> None:
    """Each refusal has the path of the setting, and writes nothing."""
    async with Api(raise_errors=True) as api:
        await full(api)
        revision = api.log.snapshot.revision
        answer = await put(api, text)

        assert problems(answer)[0][0] == path
        assert api.log.snapshot.revision == revision


async def test_what_cannot_be_set_is_left_out_if_it_is_asked_for() -> None:
    """`ignore_readonly` leaves out roots of a broker, and nothing else."""
    async with Api() as api:
        await full(api)
        text = 'log.console.level = debug, connectors.s3.lake.description = "the lake"'
        answer = await put(api, text, ignore_readonly="true")

        assert answer.status_code == 200
        assert api.log.snapshot.objects["connector/s3/lake"].value["description"] == "the lake"


async def test_who_may_only_read_writes_nothing() -> None:
    """A viewer reads the document, and cannot write it; a form is not a document."""
    async with Api() as api:
        await full(api)
        viewer = basic("grafana")
        read = await api.client.get("/configs", headers=viewer)
        written = await api.client.put("/configs", json={"connectors": {}}, headers=viewer)
        form = await api.client.put("/configs", data={"connectors": ""})

    assert (read.status_code, written.status_code, form.status_code) == (200, 403, 415)


async def test_a_change_of_others_is_not_lost() -> None:
    """A merge is made again of what is really there."""
    async with Api() as api:
        await full(api)
        action = dict(api.log.snapshot.objects["action/s3/raw"].value)
        api.log.rival = Change({"action/s3/raw": {**action, "tags": ["new"]}}, by="rival", source="rest")
        answer = await put(api, "actions.s3.raw.description = mine")

        assert answer.status_code == 200
        stored = api.log.snapshot.objects["action/s3/raw"].value
        assert (stored["tags"], stored["description"]) == (["new"], "mine")


async def test_the_rule_engine_has_the_settings_that_it_has() -> None:
    """They are read, accepted as they are, and refused with the reason otherwise."""
    async with Api() as api:
        read = await api.client.get("/rule_engine")
        same = await api.client.put("/rule_engine", json={**read.json(), "jq_function_default_timeout": "1000ms"})
        other = await api.client.put("/rule_engine", json={"ignore_sys_message": True, "rules": {}, "ssrf": {}})

    assert (read.status_code, same.status_code, same.json()) == (200, 200, read.json())
    assert [path for path, _ in problems(other)] == ["root.ignore_sys_message", "root.rules", "root.ssrf"]
    assert all(reason for _, reason in problems(other))


TEXTS = st.text(max_size=20) | st.sampled_from(
    ['"""', "${a}", "10", "5s", "true", "null", "a # b", "a//b", "\\", "a\nb"]
)


@given(
    st.dictionaries(
        TEXTS,
        st.recursive(
            TEXTS | st.booleans() | st.integers(-(1 << 53), 1 << 53) | st.none(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
            max_leaves=6,
        ),
        max_size=3,
    )
)
def test_the_text_says_the_same_as_the_data(document: dict[str, Any]) -> None:
    """Any data comes back from its HOCON."""
    assert parse_string(hocon(document), env={}).to_object() == document
