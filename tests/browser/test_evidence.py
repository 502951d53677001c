"""The pages of the proof, on what a real worker wrote: objects, dead letters, verify, replay. Clientids are hostile."""

from __future__ import annotations

import asyncio
import copy
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from pipeline.config.load import load
from tests.browser.person import Person
from tests.components.evidence_parts import EVIDENCE, HOSTILE, MENDED, applied, written
from tests.components.pipeline_parts import Pipeline
from tests.parts import axe as axe_core
from tests.parts import chromium
from tests.parts.api_process import running
from tests.parts.part import KafkaPart, S3Part
from tests.parts.rest import PASSWORD
from tests.parts.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


@pytest.fixture
def pipeline(kafka: KafkaPart, s3: S3Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline with a bucket of its own, whose worker goes on until the test ends."""
    monkeypatch.setenv("TIDEGATE_TEST_SECRET", s3.secret_access_key)
    bucket, settings = f"pages-{uuid.uuid4().hex[:8]}", copy.deepcopy(dict(EVIDENCE))
    for action in settings["actions"].values():
        action["parameters"]["bucket"] = bucket
    made = Pipeline(bucket, tmp_path, kafka, s3, **settings)
    written(made, bucket)
    yield made
    made.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def reader(browser: Browser, pipeline: Pipeline) -> AsyncIterator[tuple[Person, Browser]]:
    """A person before the pages, and the browser."""
    async with (
        running(load(pipeline.settings())) as api,
        chromium.page_of(browser) as page,
    ):
        yield Person(page, api), browser


async def test_everything_that_was_written_is_proved_with_a_browser_alone(
    reader: tuple[Person, Browser], pipeline: Pipeline, axe: str
) -> None:
    """Objects and their origin, a letter mended and sent again, a replay with its plan, the proof and what is missing in it."""
    person, browser = reader
    page = person.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await person.arrive()
    await person.program()

    await an_object_is_read(page, person)
    letter = await a_letter_is_mended_and_sent(page, person, pipeline)
    replayed = await a_replay_runs(page, person)
    await the_proof_is_seen(page, person, pipeline)
    await expect(page.locator("img[src=x]")).to_have_count(0)
    assert dialogs == []

    await person.store("/users", {"username": "eve", "password": PASSWORD, "role": "viewer"})
    async with chromium.page_of(browser, bypass_csp=True, color_scheme="dark") as second:
        viewer = Person.__new__(Person)
        viewer.page, viewer.address = second, person.address
        await second.goto(person.address)
        await viewer.sign_in("eve")
        await expect(second.get_by_role("heading", name="Overview")).to_be_visible()
        found: list[str] = []
        for place, word in (
            ("objects/s3%3Ahot", ".jsonl.gz"),
            (f"letters/{letter}", "As rules see it"),
            ("verify", "1 finding"),
            (replayed, "Everything is durable"),
            ("replay", "for administrators"),
        ):
            await viewer.go(place)
            await expect(second.get_by_role("main").get_by_text(word).first).to_be_visible()
            found += [f"{place}: {each}" for each in await axe_core.findings(second, axe)]
            for name in ("Send", "Verify", "Run it", "Make the plan"):
                await expect(second.get_by_role("main").get_by_role("button", name=name)).to_have_count(0)
        assert found == []


async def an_object_is_read(page: Page, person: Person) -> None:
    await person.go("objects")
    await page.get_by_label("Action").select_option("s3:hot")
    await page.get_by_role("list", name="Objects").get_by_role("link").first.click()
    await expect(page.get_by_text("The ledger names this object, and it is unchanged.")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="clientid")).to_be_visible()
    await expect(page.get_by_role("cell", name=HOSTILE).first).to_be_visible()
    await page.get_by_role("button", name="Raw").click()
    await expect(page.get_by_label("Raw", exact=True).last).to_contain_text('"clientid":')


async def a_letter_is_mended_and_sent(page: Page, person: Person, pipeline: Pipeline) -> str:
    await person.go("letters")
    await expect(page.get_by_text("30 letters", exact=True)).to_be_visible()
    await page.get_by_role("list", name="Dead letters").get_by_role("link").first.click()
    one = page.get_by_role("article")
    place = (await one.get_attribute("aria-label") or "").removeprefix("Letter ")
    await expect(one.get_by_label("Payload")).to_contain_text("onerror")
    await one.get_by_role("button", name="Try").click()
    await expect(one.get_by_role("alert")).to_contain_text("payload.n * 2")
    await one.get_by_label("Statement").click()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(MENDED)
    await one.get_by_role("button", name="Try").click()
    await expect(one.locator(".object")).to_contain_text("hot/")

    await one.get_by_role("link", name="Mend the rule").click()
    await expect(page.get_by_label("SQL", exact=True)).to_contain_text(MENDED)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    revision = int((await person.client.get("/rules/wrong")).headers["etag"].strip('"'))
    await person.go(f"letters/{place.replace(':', '%3A')}")
    await asyncio.to_thread(wait_until, lambda: applied(pipeline, revision), 30, pipeline.tails)
    await one.get_by_role("button", name="Send it again").click()
    await page.get_by_role("dialog").get_by_role("button", name="Send it").click()
    await expect(page.get_by_role("dialog")).to_contain_text("1 letter sent again.")
    await page.get_by_role("button", name="Done").click()
    await expect(page.get_by_text("29 letters", exact=True)).to_be_visible()
    return place.replace(":", "%3A")


async def a_replay_runs(page: Page, person: Person) -> str:
    await person.go("replay")
    await page.get_by_label("Action").select_option("s3:hot")
    await page.get_by_label("Prefix", exact=True).fill("again/one")
    await page.get_by_role("button", name="Make the plan").click()
    await expect(page.get_by_text("below again/one/")).to_be_visible()
    await page.get_by_role("button", name="Run it", exact=True).click()
    await expect(page.get_by_text("Everything is durable.")).to_be_visible()
    return page.url.partition("#/")[2]


async def the_proof_is_seen(page: Page, person: Person, pipeline: Pipeline) -> None:
    await person.go("verify")
    await page.get_by_label("Action").select_option("s3:hot")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("heading", name="Nothing lost, nothing twice")).to_be_visible()
    strip = page.get_by_role("slider").first
    await strip.focus()
    await page.keyboard.press("End")
    await expect(page.locator(".readout")).to_contain_text("offset")
    await page.get_by_label("Action").select_option("s3:raw")
    await page.get_by_role("button", name="Verify").click()
    # Direct upload has no ledger, so nothing can tell from the bucket alone that no object is missing.
    await expect(page.get_by_role("heading", name="Every object whole, no row twice")).to_be_visible()
    doomed = next(key for key in pipeline.keys(pipeline.name) if key.startswith("hot/"))
    pipeline.store.delete_object(Bucket=pipeline.name, Key=doomed)
    await page.get_by_label("Action").select_option("s3:hot")
    await page.get_by_role("button", name="Verify").click()
    await expect(page.get_by_role("heading", name="1 finding")).to_be_visible()
    await expect(page.get_by_text(doomed)).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download the report").click()
    assert (await download.value).suggested_filename.startswith("tidegate-verify-")
