"""What goes wrong, as a person meets it: an object that is gone, a form that is left."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.browser.person import Colleague
from tests.browser.places import furnish

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.mark.parametrize("place", ["rules/gone", "actions/s3:gone", "connectors/s3:gone", "sources/mqtt:gone"])
async def test_the_page_of_a_deleted_object_says_so(colleague: Colleague, place: str) -> None:
    """An old link to something that is gone leads to its name and a sentence, and the lists are one click away."""
    page = colleague.page
    await furnish(colleague.api)
    await colleague.arrive(place)

    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("gone")
    await page.get_by_role("link", name="Rules").click()
    await expect(page.get_by_role("link", name="hot", exact=True)).to_be_visible()


async def test_short_forms_ask_before_they_are_left(colleague: Colleague) -> None:
    """Users, keys and the password: what is typed stays after "Stay", and goes after "Leave"."""
    page = colleague.page
    stay, leave = page.get_by_role("button", name="Stay"), page.get_by_role("button", name="Leave")
    await colleague.arrive()
    for place, opener in (("users", "Create user"), ("keys", "Create API key")):
        await colleague.go(place)
        await page.get_by_role("button", name=opener).click()
        name = page.get_by_role("dialog").get_by_label("Name")
        await name.fill("typed")
        await page.keyboard.press("Escape")
        await stay.click()
        await expect(name).to_have_value("typed")
        await page.keyboard.press("Escape")
        await leave.click()
        await expect(page.get_by_role("dialog")).to_have_count(0)

    await colleague.go("account")
    password = page.get_by_label("Present password")
    await password.fill("typed")
    await page.get_by_role("link", name="Rules").click()
    await stay.click()
    await expect(password).to_have_value("typed")
    await page.get_by_role("link", name="Rules").click()
    await leave.click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()
