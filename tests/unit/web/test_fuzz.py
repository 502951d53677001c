"""Random requests made from our own OpenAPI document: no answer is an error of ours, and each fits the document.

The bodies are of three kinds: those that the document allows, those with one wrong part, and anything. Secrets in them are never
in an answer, and never in a line of the log.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.control.records import encode
from pipeline.web.document import document
from tests.parts.rest import CONNECTOR, DIRECT, RULE, SOURCE, Api

QUICK = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
SECRET = "sesame-open-sesame"
_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.floats(allow_nan=False) | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
GOOD: Mapping[str, Any] = {"/connectors": CONNECTOR, "/actions": DIRECT, "/sources": SOURCE, "/rules": RULE}
DOCUMENT = document(Api().app)
IDS = ["s3:lake", "s3:raw", "mqtt:plant", "hot", "admin", "ci", "true", "start", "x:y", "%00", "🦆"]


def operations() -> list[tuple[str, str]]:
    """Every operation of the document that asks no outside system."""
    return [
        (method.upper(), path.removeprefix("/api/v5"))
        for path, found in DOCUMENT["paths"].items()
        for method in found
        if "probe" not in path and "dead_letters" not in path and not path.endswith("{operation}")
    ]


def changed(body: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good body with some fields replaced, added or left out."""
    own = [name for name in body if name not in {"host", "server"}]  # looking up a name may take long
    names = st.sampled_from([*own, "tags", "description", "transport_options", "resource_opts", "enable", "parameters"])
    return st.tuples(st.dictionaries(names | _TEXT, _ANYTHING, max_size=3), st.sets(names, max_size=2)).map(
        lambda found: {name: each for name, each in {**body, **found[0]}.items() if name not in found[1]}
    )


def bodies(path: str) -> st.SearchStrategy[Any]:
    """Bodies for a path."""
    kinds = {
        "sql": 'SELECT * FROM "t/#"',
        "context": {"event_type": "message_publish"},
        "username": "x",
        "password": SECRET,
    }
    good = next((each for prefix, each in GOOD.items() if path.startswith(prefix)), kinds)
    return changed(good) | st.dictionaries(_TEXT, _ANYTHING, max_size=4) | _ANYTHING


@pytest.mark.parametrize(("method", "path"), operations())
def test_no_request_is_an_error_of_ours(method: str, path: str) -> None:
    """Whatever is sent, the answer is not 5xx, it is among those of the document, and an error has code and message."""
    allowed = {*DOCUMENT["paths"][f"/api/v5{path}"][method.lower()]["responses"], "400", "404"}

    with asyncio.Runner() as runner:
        api = runner.run(_opened())

        @QUICK
        @given(bodies(path), st.lists(st.sampled_from(IDS), min_size=2, max_size=2), st.sampled_from(["", '"1"', "x"]))
        def each(body: Any, ids: list[str], match: str) -> None:
            filled = iter(ids)
            target = re.sub(r"\{\w+\}", lambda _: quote(next(filled), safe=""), path)
            answer = runner.run(_sent(api, method, target, body, match))
            assert str(answer.status_code) in allowed, answer.text
            if answer.status_code >= 400:
                assert {type(answer.json()[name]) for name in ("code", "message")} == {str}

        each()
        runner.run(api.client.aclose())


async def _opened() -> Api:
    api = Api(raise_errors=True)
    await api.people()
    api.client.headers["authorization"] = f"Bearer {await api.token('admin')}"
    return api


async def _sent(api: Api, method: str, path: str, body: Any, match: str) -> httpx.Response:
    headers = {"if-match": match} if match else {}
    content = json.dumps(body).encode() if method in {"POST", "PUT"} else None
    if content is not None:
        headers["content-type"] = "application/json"
    return await api.client.request(method, path, content=content, headers=headers)


def references(value: Any) -> list[str]:
    """Every reference in a part of the document."""
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for inner in value.values() for each in references(inner)]
    return [each for inner in value for each in references(inner)] if isinstance(value, list) else []


def test_the_document_is_whole() -> None:
    """Each reference of the document leads to a schema, and no answer is in it that the API never gives."""
    schemas = DOCUMENT["components"]["schemas"]
    answers = {
        status for each in DOCUMENT["paths"].values() for found in each.values() for status in found["responses"]
    }

    assert {each.rpartition("/")[2] for each in references(DOCUMENT)} - schemas.keys() == set()
    assert answers <= {"200", "201", "204", "400", "401", "403", "404", "409", "412", "413", "415", "429", "503"}


PLACES = [
    ("/connectors", ("secret_access_key",)),
    ("/connectors", ("transport_options", "headers", "authorization")),
    ("/connectors", ("transport_options", "ssl", "keyfile")),
    ("/connectors", ("transport_options", "ssl", "password")),
    ("/connectors", ("secret_access_keys",)),
    ("/actions", ("parameters", "headers", "x-auth-token")),
    ("/actions", ("parameters", "headers", "x-unknown")),
    ("/actions", ("fallback_actions",)),
    ("/sources", ("ssl", "password")),
    ("/sources", ("password",)),
    ("/sources", ("ssl", "keyfile")),
    ("/users", ("password",)),
]


def placed(body: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A copy of a body with a value at a path."""
    head, *rest = path
    inner = body.get(head)
    return {**body, head: placed(inner if isinstance(inner, dict) else {}, tuple(rest), value) if rest else value}


@pytest.mark.parametrize(("path", "place"), PLACES, ids=lambda each: str(each))
@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("sealing", [False, True])
async def test_no_answer_has_a_secret(
    path: str, place: tuple[str, ...], broken: bool, sealing: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither an answer to a body with a secret, right or wrong, nor a later one, nor the log has the secret in it.

    Nor has the topic, with a key that seals and without one.
    """
    async with Api(raise_errors=True) as api:
        if sealing:
            await api.key()
        await api.objects()
        good = {**GOOD.get(path, {"username": "joe", "password": SECRET}), "name": "new", "username": "joe"}
        good = good if path == "/users" else {name: each for name, each in good.items() if name != "username"}
        value: Any = [{"kind": "republish", "args": {"password": SECRET}}] if place == ("fallback_actions",) else SECRET
        body = placed(good, place, {"a": [SECRET]} if broken else value)
        texts = [(await api.client.post(path, json=body)).text]
        texts += [(await api.client.get(each)).text for each in (path, f"{path}/s3:new", "/users/joe", "/history")]
        texts.append((await api.client.put(f"{path}/s3:new", json=body, headers={"if-match": '"1"'})).text)
        topic = [encode(each.stored.value) or b"" for each in await api.log.history() if each.stored]
        texts += [each.decode() for each in topic]

    assert [text for text in (*texts, *capfd.readouterr()) if SECRET in text] == []
