"""The numbers of now: made once for all pages."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from pipeline.control.status import Part
from pipeline.web import live
from pipeline.web.live import Live
from pipeline.web.routes.live import _Numbers
from tests.parts.reports import INGRESS, WORKER, part, report
from tests.parts.rest import Api
from tests.parts.waiting import until


async def test_one_making_serves_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten pages see the same numbers, made once a tick; nothing is made before the first page and after the last."""
    monkeypatch.setattr(live, "LIVE_SECONDS", 0.01)
    found, closing, asked = Live(), asyncio.Event(), 0

    async def numbers() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"n": asked}

    async def page() -> list[bytes]:
        seen: list[bytes] = []
        async for event in found.events(numbers, closing):
            seen.append(event)
            if len(seen) == 5:
                break
        return seen

    assert asked == 0
    pages = await asyncio.gather(*(page() for _ in range(10)))

    assert all(len(each) == 5 for each in pages)
    assert found.made < 15
    await until(lambda: found._making is None)
    made = found.made
    assert await page() != pages[0]
    assert found.made > made


async def test_a_failing_making_ends_the_pages_and_the_next_one_begins_again() -> None:
    """A fault of ours is not silence: the stream ends with it, and a page that asks again gets numbers."""
    found, closing = Live(), asyncio.Event()

    async def broken() -> dict[str, Any]:
        raise ValueError("ours")

    async def good() -> dict[str, Any]:
        return {"n": 1}

    with pytest.raises(ValueError, match="ours"):
        await anext(found.events(broken, closing))
    stream = found.events(good, closing)
    assert await anext(stream) == b'data: {"n":1}\n\n'
    closing.set()
    assert [each async for each in stream] == []


async def test_statuses_of_all_kinds_are_there() -> None:
    """Connectors, actions and sources as their processes report them, and the rates of actions and rules."""
    async with Api() as api:
        await api.objects(
            ("/connectors", {"type": "s3", "name": "lake", "host": "127.0.0.1", "port": 1}),
            (
                "/actions",
                {"type": "s3", "name": "raw", "connector": "lake", "parameters": {"bucket": "iot", "key": "${id}"}},
            ),
            ("/rules", {"id": "hot", "sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw"]}),
            ("/sources", {"type": "mqtt", "name": "plant", "server": "127.0.0.1:1", "topics": ["t/#"]}),
        )
        away = Part("disconnected", "the store does not answer")
        report(api, WORKER, actions={"s3:raw": away})
        report(api, INGRESS, sources={"mqtt:plant": part()})
        numbers = _Numbers(api.services)
        await numbers.now()
        assert numbers._asking is not None
        await numbers._asking

        found = json.loads(json.dumps(await numbers.now()))

        assert found["status"] == {
            "connector/s3:lake": "disconnected",
            "action/s3:raw": "disconnected",
            "source/mqtt:plant": "connected",
        }
        assert found["rates"] == {"action/s3:raw": 0.0, "rule/hot": 0.0}
        assert found["trouble"] == ""
        api.log.error = "Kafka does not answer"
        assert (await numbers.now())["trouble"] == "Kafka does not answer"
