"""The page as a person meets it: every test fails on an error in the console and on a breach of the policy."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from pipeline.config.load import load
from tests.browser.person import Person
from tests.components.pipeline_parts import Pipeline, message
from tests.parts import chromium
from tests.parts.api_process import running
from tests.parts.part import KafkaPart, S3Part
from tests.parts.rest import CONNECTOR, DIRECT, PASSWORD, RULE

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest_asyncio.fixture(loop_scope="module")
async def newcomer(
    browser: Browser, kafka: KafkaPart, s3: S3Part, tmp_path: Path
) -> AsyncIterator[tuple[Person, Pipeline]]:
    """A person before the page of a pipeline that has topics and a bucket, and nothing else yet."""
    made = Pipeline(f"walk-{uuid.uuid4().hex[:8]}", tmp_path, kafka, s3, control=True)
    try:
        made.prepare(made.name)
        async with (
            running(load(made.settings())) as api,
            chromium.page_of(browser) as page,
        ):
            yield Person(page, api), made
    finally:
        made.stop()


async def test_the_walkthrough_is_done_with_a_browser_alone(
    newcomer: tuple[Person, Pipeline], s3: S3Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From nobody to an object: the first user, a connector that is tried, an action, a rule, the flow, what a worker wrote."""
    person, pipeline = newcomer
    await _connector_and_action(person, s3, pipeline.name, monkeypatch)
    await _rule(person, pipeline.name)
    page = person.page

    pipeline.worker(wait=False)
    at_ms = int(time.time() * 1000)  # Kafka deletes what is older than its retention, whatever it is
    pipeline.produce([message("c1", b'{"n": 1}', at_ms=at_ms)])
    await asyncio.to_thread(pipeline.wait_for_no_lag, "store_raw")
    await page.get_by_role("link", name="Objects").click()
    await page.get_by_label("Action", exact=True).select_option("s3:store_raw")
    await page.get_by_role("list", name="Objects").get_by_role("link", name=f"c1_{at_ms}.json").click()
    await expect(page.get_by_role("cell", name="1", exact=True)).to_be_visible()
    await expect(page.get_by_label("Where it comes from")).to_contain_text(f"{pipeline.topic}, partition")
    assert pipeline.objects(pipeline.name)[f"msgs/c1_{at_ms}.json"] == b'{"n": 1}'


async def _connector_and_action(person: Person, s3: S3Part, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = person.page
    await page.goto(person.address)
    await expect(page.get_by_role("heading", name="Nobody can sign in yet")).to_be_visible()
    await person.create_first_user()
    await person.sign_in(password="a wrong password")
    await expect(page.get_by_role("alert")).to_contain_text("the user name or the password is wrong")
    await person.sign_in()

    await page.get_by_role("link", name="Connectors").click()
    await page.get_by_role("link", name="Create connector").click()
    await page.get_by_role("button", name="versitygw").click()
    await page.get_by_label("Name (required)").fill("my-s3")
    await page.get_by_label("Port").fill(str(s3.port))
    await page.get_by_label("Access Key ID").fill(s3.access_key_id)
    await page.get_by_label("Secret Access Key").fill("a clear secret")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("found a clear one")).to_be_in_viewport()
    monkeypatch.setenv("S3_SECRET_OF_THE_PAGE", s3.secret_access_key)
    monkeypatch.setenv("WRONG_SECRET_OF_THE_PAGE", "wrong")
    await page.get_by_label("Secret Access Key").fill("${WRONG_SECRET_OF_THE_PAGE}")
    await page.get_by_role("button", name="Test connectivity").click()
    await expect(page.get_by_role("alert").filter(has_text="SignatureDoesNotMatch")).to_be_visible()
    await page.get_by_label("Secret Access Key").fill("${S3_SECRET_OF_THE_PAGE}")
    await page.get_by_role("button", name="Test connectivity").click()
    await expect(page.get_by_text("the store answers and takes these credentials")).to_be_visible()
    await page.get_by_role("button", name="Create").click()

    await page.get_by_role("link", name="Create an action with it").click()
    await page.get_by_label("Name (required)").fill("store_raw")
    await page.get_by_label("Mode", exact=True).select_option("direct")
    await page.get_by_label("Bucket (required)").fill(bucket)
    await page.get_by_label("Key (required)").fill("msgs/${clientid}_${timestamp}.json")
    await page.get_by_label("Content", exact=True).fill("${payload}")
    await expect(page.get_by_text(f"{bucket}/msgs/c_emqx_1764000000000.json")).to_be_visible()
    await page.get_by_role("button", name="Create").click()


async def _rule(person: Person, bucket: str) -> None:
    page = person.page
    await page.get_by_role("link", name="Create a rule with it").click()
    await expect(page.get_by_text("store_raw")).to_be_visible()
    await page.get_by_label("Rule ID").fill("my_rule")
    editor = page.get_by_label("SQL", exact=True)
    await editor.click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type("\nWHERE uppr(topic) = 'T/A'")
    await expect(page.locator(".cm-lint-marker-error")).to_be_visible()
    for _ in "WHERE uppr(topic) = 'T/A'":
        await page.keyboard.press("Backspace")
    await page.keyboard.type("WHERE qos = 1")
    await expect(page.locator(".cm-lint-marker-error")).to_have_count(0)
    await page.keyboard.press("Control+Enter")
    await expect(page.locator(".object")).to_contain_text(f"{bucket}/msgs/c_emqx_1764000000000.json")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("link", name="my_rule")).to_be_visible()

    await page.get_by_role("link", name="Flow Designer").click()
    for part in ("Topic t/#", "Rule my_rule", "Action s3:store_raw", f"Bucket {bucket}"):
        await expect(page.get_by_label(part, exact=True)).to_be_visible()


async def test_what_is_typed_is_kept_when_somebody_else_saves_or_the_user_leaves(person: Person) -> None:
    """A stale edit shows the difference; leaving asks; hostile texts of others are texts."""
    page = person.page
    await person.arrive()
    await person.program()
    await person.store("/connectors", CONNECTOR)
    await person.store("/actions", DIRECT)
    hostile = "<img src=x onerror=alert(1)></script>{{7*7}}"
    await person.store("/rules", {**RULE, "description": hostile})
    await person.go("rules")
    await page.reload()
    await expect(page.get_by_text(hostile)).to_be_visible()

    await page.get_by_role("link", name="hot").click()
    await page.get_by_label("Note").fill("my note")
    answer = await person.client.put("/rules/hot", json={"description": "their note"})
    assert answer.status_code == 200
    await page.get_by_role("link", name="Actions (Sink)").click()
    await expect(page.get_by_role("heading", name="Leave without saving?")).to_be_visible()
    await page.get_by_role("button", name="Stay").click()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Somebody else has saved this meanwhile")).to_be_visible()
    await expect(page.get_by_role("dialog")).to_contain_text("their note")
    await page.get_by_role("button", name="Save mine over it").click()
    await expect(page.get_by_text("my note")).to_be_visible()
    assert (await person.client.get("/rules/hot")).json()["description"] == "my note"


async def test_a_flow_is_drawn_and_read_back(person: Person) -> None:
    """New steps are joined, and joins need no mouse to drag; undo takes one back; what is saved is an ordinary rule."""
    page = person.page
    await person.arrive()
    await person.program()
    await person.store("/connectors", CONNECTOR)
    await person.store("/actions", DIRECT)
    await person.go("flow/new")
    await page.get_by_label("Rule ID").fill("drawn")
    await expect(page.get_by_text("A source is missing.")).to_be_visible()
    for step in ("Source", "Filter", "Sink"):
        await page.get_by_role("button", name=f"+ {step}").click()
    panel = page.locator(".panel")
    await panel.get_by_label("Actions", exact=True).select_option("s3:raw")
    await panel.get_by_label("Close").click()
    await page.get_by_label("Filter qos >= 0").click()
    await panel.get_by_label("Operator").select_option(">")
    await expect(page.get_by_role("button", name="Create")).to_be_enabled()
    await panel.get_by_role("checkbox").uncheck()
    await expect(page.get_by_text("“Filter qos > 0” goes nowhere. Nothing goes to “Sink s3:raw”.")).to_be_visible()
    await expect(page.get_by_role("button", name="Create")).to_be_disabled()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("button", name="Create")).to_be_enabled()
    await page.get_by_role("button", name="Redo").click()
    await expect(page.get_by_role("button", name="Create")).to_be_disabled()
    await panel.get_by_label("Sink s3:raw").check()
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_label("Rule drawn")).to_be_visible()

    rule = (await person.client.get("/rules/drawn")).json()
    assert rule["sql"].split() == ["SELECT", "*", "FROM", '"t/#"', "WHERE", "qos", ">", "0"]
    assert rule["actions"] == ["s3:raw"]
    await person.go("flow/drawn")
    await expect(page.get_by_label("Filter qos > 0")).to_be_visible()


async def test_a_viewer_sees_no_button_that_would_fail(person: Person) -> None:
    """A viewer reads every page, tries statements, and is offered nothing else."""
    page = person.page
    await person.create_first_user()
    await person.program()
    await person.store("/connectors", CONNECTOR)
    await person.store("/actions", DIRECT)
    await person.store("/rules", RULE)
    await person.store("/users", {"username": "eve", "password": PASSWORD, "role": "viewer", "description": ""})
    await person.sign_in("eve")
    for place, name in (("rules", "hot"), ("actions", "raw"), ("connectors", "lake")):
        await person.go(place)
        await expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
        await expect(page.get_by_role("switch")).to_be_disabled()
        await expect(page.get_by_role("button", name=f"More for {name}")).to_have_count(0)
    await person.go("rules/hot")
    await expect(page.get_by_text("You may read this and not change it.")).to_be_visible()
    await expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator(".object")).to_contain_text("iot/raw/c_emqx/")
