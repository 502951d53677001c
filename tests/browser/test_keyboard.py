"""The whole page by keyboard: Tab, Enter, Escape and arrow keys, with the focus seen wherever it is, and nowhere caught."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.keyboard import Keyboard
from tests.browser.person import Colleague
from tests.browser.places import PLACES, furnish, opened
from tests.parts.rest import PASSWORD, RULE

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


async def test_the_walkthrough_is_done_by_keyboard_alone(colleague: Colleague) -> None:
    """From signing in to a rule that feeds an action of a new connector, and its place in the flow: no mouse."""
    page, keys = colleague.page, Keyboard(colleague.page)
    press = page.keyboard.press
    await page.route("**/partitions", lambda route: route.fulfill(json=[]))  # there is no Kafka here
    await page.goto(colleague.address)
    await keys.write(page.get_by_label("User name"), "admin")
    await keys.write(page.get_by_label("Password"), PASSWORD)
    await press("Enter")

    await keys.enter(page.get_by_role("link", name="Connectors"))
    await keys.enter(page.get_by_role("link", name="Create connector"))
    await keys.enter(page.get_by_role("button", name="MinIO"))
    await keys.write(page.get_by_label("Name (required)"), "my-s3")
    await keys.write(page.get_by_label("Port"), "1")
    await keys.write(page.get_by_label("Access Key ID"), "demo")
    await keys.write(page.get_by_label("Secret Access Key"), "${SECRET_OF_NOBODY}")
    await keys.enter(page.get_by_role("button", name="Test connectivity"))
    await expect(page.get_by_role("alert")).to_be_visible()
    await keys.enter(page.get_by_role("button", name="Create"))

    await keys.enter(page.get_by_role("link", name="Create an action with it"))
    await keys.write(page.get_by_label("Name (required)"), "store_raw")
    await keys.to(page.get_by_label("Mode", exact=True))
    await page.keyboard.type("direct")
    await keys.write(page.get_by_label("Bucket (required)"), "iot")
    await keys.write(page.get_by_label("Key (required)"), "msgs/${clientid}_${timestamp}.json")
    await keys.write(page.get_by_label("Content", exact=True), "${payload}")
    await press("Enter")

    await keys.enter(page.get_by_role("link", name="Create a rule with it"))
    await keys.write(page.get_by_label("Rule ID"), "my_rule")
    await keys.to(page.get_by_label("SQL", exact=True))
    await press("Control+End")
    await page.keyboard.type(" WHERE qos = 1")
    await press("Control+Enter")
    await expect(page.locator(".object")).to_contain_text("iot/msgs/c_emqx_1764000000000.json")
    await keys.enter(page.get_by_role("button", name="Create"), "Shift+Tab")
    await expect(page.get_by_role("link", name="my_rule")).to_be_visible()

    await keys.enter(page.get_by_role("link", name="Flow Designer"), "Shift+Tab")
    action = page.get_by_label("Action s3:store_raw")
    await keys.to(page.get_by_label("Topic t/#"))
    await keys.to(action, "ArrowRight")
    await press("Enter")
    await keys.write(page.get_by_label("Content", exact=True), "${topic}")
    await press("Escape")
    await keys.enter(page.get_by_role("button", name="Leave"))
    await expect(action).to_be_focused()
    assert keys.unseen == []


async def test_a_flow_is_drawn_by_keyboard(colleague: Colleague) -> None:
    """Steps are added, opened, joined, moved, deleted and brought back; Escape leaves a step for the canvas."""
    page, keys = colleague.page, Keyboard(colleague.page)
    press = page.keyboard.press
    await furnish(colleague.api)
    await colleague.arrive("flow/new")
    await keys.write(page.get_by_label("Rule ID"), "drawn")
    source, sink, panel = page.get_by_label("Source t/#"), page.get_by_label("Sink s3:raw"), page.locator(".panel")
    await keys.enter(page.get_by_role("button", name="+ Sink"))
    await keys.to(panel.get_by_label("Actions", exact=True))
    await page.keyboard.type("s3:raw")
    await press("Escape")
    await expect(sink).to_be_focused()
    await keys.enter(page.get_by_role("button", name="+ Source"), "Shift+Tab")
    await keys.to(panel.get_by_label("Sink s3:raw"))
    await expect(panel.get_by_label("Sink s3:raw")).to_be_checked()
    await press("Space")
    await expect(page.get_by_text("“Source t/#” goes nowhere. Nothing goes to “Sink s3:raw”.")).to_be_visible()
    await press("Space")
    await press("Escape")
    await expect(source).to_be_focused()
    await expect(page.get_by_role("button", name="Create")).to_be_enabled()

    before = await source.bounding_box()
    await press("Shift+ArrowDown")
    await expect(source).to_be_focused()
    after = await source.bounding_box()
    assert before is not None
    assert after is not None
    assert after["y"] > before["y"]
    await press("Delete")
    await expect(source).to_have_count(0)
    await press("Control+z")
    await expect(source).to_be_visible()
    await keys.enter(page.get_by_role("button", name="Create"), "Shift+Tab")
    await expect(page.get_by_label("Rule drawn")).to_be_visible()
    assert colleague.api.log.snapshot.objects["rule/drawn"].value["actions"] == ["s3:raw"]
    assert keys.unseen == []


async def test_arrow_keys_go_through_lists_and_menus(colleague: Colleague) -> None:
    """A list is one stop; a menu and a dialog give the focus back; what is deleted does not take it along."""
    page, keys, client = colleague.page, Keyboard(colleague.page), colleague.client
    press = page.keyboard.press
    await furnish(colleague.api)
    for n in range(60):
        await client.post("/rules", json={**RULE, "id": f"r{n:02}"})
    await colleague.arrive("rules")
    await keys.to(page.get_by_role("link", name="hot", exact=True))
    await press("ArrowDown")
    await expect(page.get_by_role("link", name="r00", exact=True)).to_be_focused()
    await press("End")
    await expect(page.get_by_role("link", name="r59", exact=True)).to_be_focused()
    await press("Home")
    await expect(page.get_by_role("link", name="hot", exact=True)).to_be_focused()
    await press("Tab")
    await expect(page.get_by_role("link", name="s3:raw").first).to_be_focused()
    await press("Tab")
    await expect(page.get_by_role("switch", name="Enable hot")).to_be_focused()
    await press("ArrowDown")
    await expect(page.get_by_role("switch", name="Enable r00")).to_be_focused()
    await press("Space")
    await expect(page.get_by_role("switch", name="Enable r00")).not_to_be_checked()

    more = page.get_by_role("button", name="More for r00")
    await keys.enter(more)
    await press("ArrowUp")
    await expect(page.get_by_role("button", name="Delete")).to_be_focused()
    await press("Escape")
    await expect(more).to_be_focused()
    await press("Enter")
    await press("End")
    await press("Enter")
    await expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    await press("Escape")
    await expect(more).to_be_focused()
    await press("Enter")
    await press("End")
    await press("Enter")
    await keys.enter(page.get_by_role("dialog").get_by_role("button", name="Delete"))
    await expect(more).to_have_count(0)
    await expect(page.locator("main:focus, main :focus")).to_have_count(1)
    assert keys.unseen == []


async def test_tab_comes_around_on_every_page(colleague: Colleague) -> None:
    """Nothing catches the keyboard, everything that has the focus shows it, and no page is a maze."""
    page, keys = colleague.page, Keyboard(colleague.page)
    await furnish(colleague.api)
    await colleague.arrive()
    for place in PLACES:
        await opened(page, colleague.address, place)
        passed = await keys.round(page.get_by_role("link", name="Skip to the page"))
        assert len(passed) > len(await page.get_by_role("navigation").get_by_role("link").all()), (place, passed)

    assert keys.unseen == []
