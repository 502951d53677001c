"""What a person sees while the real processes behind the page are gone: `tidegate api` is killed, Kafka is killed or hangs."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.person import Person
from tests.parts import apache_kafka, chromium
from tests.parts.api_process import Running
from tests.parts.api_server import ApiServer
from tests.parts.part import KafkaPart, UnavailableError
from tests.parts.rest import CONNECTOR, DIRECT, RULE
from tests.parts.waiting import patient

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]
NOTICED_MS = patient(20) * 1000  # a Kafka that hangs is told after some 10 s


@pytest.fixture(scope="module")
def doomed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaPart]:
    """A Kafka that only this module has."""
    try:
        apache_kafka.libraries()
    except UnavailableError as error:
        if os.environ.get("TIDEGATE_REQUIRE_REAL") == "1":
            pytest.fail(f"TIDEGATE_REQUIRE_REAL=1, and no Kafka here: {error}", pytrace=False)
        pytest.skip(f"needs a real Kafka: {error}")
    part = apache_kafka.start(tmp_path_factory.mktemp("doomed"), java=apache_kafka.BRIEF)
    yield part
    part.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def met(
    browser: Browser, doomed: KafkaPart, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[Person, ApiServer]]:
    """A person who is signed in before the page of a real process, with one object of each kind."""
    name = f"outage-{uuid.uuid4().hex[:8]}"
    kafka = {"bootstrap_servers": doomed.bootstrap_servers, "replication_factor": 1}
    settings = {"pipeline": name, "kafka": kafka, "control": {"topic": f"{name}.config"}}
    process = ApiServer(settings, tmp_path_factory.mktemp("api"))
    process.server.start()
    try:
        async with (
            httpx.AsyncClient(base_url=f"{process.address}api/v5", timeout=patient(20)) as client,
            chromium.page_of(browser) as page,
        ):
            person = Person(page, Running(client, [process.first_user_link]))
            await person.arrive()
            await person.program()
            for path, body in (("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", RULE)):
                await person.store(path, body)
            yield person, process
    finally:
        process.server.kill()


async def types(page: Page, note: str, more: str) -> None:
    """Write a note, and go on with the statement."""
    await page.get_by_label("Note").fill(note)
    await page.get_by_label("SQL", exact=True).press("Control+End")
    await page.keyboard.type(more)


async def saved(person: Person, note: str, sql: str) -> None:
    """Save, and see that all of it is stored."""
    await person.page.get_by_role("button", name="Save", exact=True).click()
    await expect(person.page.get_by_role("heading", name="Rules")).to_be_visible()
    rule = (await person.client.get("/rules/hot")).json()
    assert (rule["description"], rule["sql"]) == (note, sql)


async def test_a_server_that_is_killed_takes_nothing_that_is_typed(met: tuple[Person, ApiServer]) -> None:
    """The page says that nobody answers, keeps what is typed before and meanwhile, goes on by itself, and saves it."""
    person, process = met
    page, sql = person.page, str(RULE["sql"])
    for number, end in enumerate((process.server.kill, process.server.stop)):
        await person.go("rules/hot")
        await types(page, f"before {number}", f" -- before {number}")
        await asyncio.to_thread(end)
        await expect(page.locator(".banner")).to_contain_text("The page tries again; what you typed stays")
        await types(page, f"meanwhile {number}", f", meanwhile {number}")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("the server cannot be reached")
        process.server.start()
        await expect(page.locator(".banner")).to_have_count(0, timeout=NOTICED_MS)
        sql += f" -- before {number}, meanwhile {number}"
        await saved(person, f"meanwhile {number}", sql.strip())
        await person.go("overview")
        await expect(page.get_by_role("region", name="Processes")).to_contain_text("api@")
    assert process.complaints() == []


async def test_kafka_that_hangs_takes_nothing_that_is_typed(met: tuple[Person, ApiServer], doomed: KafkaPart) -> None:
    """The page says that Kafka takes connections and says nothing. A save is refused with this, and succeeds afterwards."""
    person, process = met

    async def back() -> None:
        doomed.resume()

    await _typed_while_away(person, doomed, doomed.pause, back, "it takes connections and says nothing")
    assert process.complaints() == []


async def test_kafka_that_is_gone_takes_nothing_that_is_typed(met: tuple[Person, ApiServer], doomed: KafkaPart) -> None:
    """The same of a Kafka that is killed, on each page. Nobody reloads what shows why it has nothing to show, and then has."""
    person, process = met
    history = await person.page.context.new_page()

    async def back() -> None:
        await history.goto(f"{person.address}#/history")
        await expect(history.get_by_role("alert")).to_contain_text("Connection refused", timeout=NOTICED_MS)
        doomed.start()

    await _typed_while_away(person, doomed, doomed.kill, back, "Connection refused")
    await expect(history.get_by_role("main")).to_contain_text("rule/hot", timeout=NOTICED_MS)

    doomed.kill()
    for place in ("overview", "rules", "flow", "objects", "verify", "replay"):
        await person.go(place)
        await expect(person.page.locator(".banner")).to_contain_text("Connection refused", timeout=NOTICED_MS)
    asked = asyncio.Event()

    async def sent(event: str, about: dict[str, Any]) -> None:
        if event == "http11.send_request_body.complete":
            asked.set()

    asking = asyncio.create_task(person.client.get("/actions/s3:raw/partitions", extensions={"trace": sent}))
    await asked.wait()
    await person.client.get("/session")  # its answer comes after the server has read the other request
    await asyncio.to_thread(process.server.stop)
    assert (await asking).json()["message"] == "there is no answer: the process stops; try again"
    assert process.complaints() == []


async def _typed_while_away(
    person: Person, kafka: KafkaPart, end: Callable[[], None], back: Callable[[], Awaitable[None]], why: str
) -> None:
    page, banner = person.page, person.page.locator(".banner")
    said = f"Kafka at {kafka.bootstrap_servers} (kafka.bootstrap_servers) does not answer"
    await person.go("rules/hot")
    await types(page, "before", " -- before")
    end()
    await expect(banner).to_contain_text(said, timeout=NOTICED_MS)
    await expect(banner).to_contain_text(why)
    await types(page, "meanwhile", ", meanwhile")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text(said, timeout=NOTICED_MS)
    await back()
    await expect(banner).to_have_count(0, timeout=NOTICED_MS)
    await saved(person, "meanwhile", f"{RULE['sql']} -- before, meanwhile")
