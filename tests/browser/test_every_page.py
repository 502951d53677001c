"""What must hold on every page: everybody can use it, hostile texts stay texts, and it fits a phone."""

from __future__ import annotations

from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.browser.person import Colleague
from tests.parts import axe as axe_core
from tests.parts import chromium
from tests.parts.page_process import served
from tests.parts.reports import INGRESS, WORKER, part, report
from tests.parts.rest import CONNECTOR, DIRECT, RULE, SOURCE, Api

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

# Every place, and a text that is there when it is complete.
PLACES: Final = {
    "overview": "Processes",
    "rules": "hot",
    "rules/new": "Actions of this rule",
    "rules/hot": "Actions of this rule",
    "rules/hot/statistics": "By process",
    "actions": "raw",
    "actions/new": "Preview on a sample",
    "actions/s3%3Araw": "Preview on a sample",
    "actions/s3%3Araw/statistics": "By process",
    "connectors": "lake",
    "connectors/new": "Advanced settings",
    "connectors/s3%3Alake": "Advanced settings",
    "connectors/s3%3Alake/statistics": "By process",
    "flow": "Draw a flow",
    "flow/new": "Draw a flow",
    "flow/hot": "Arrange",
    "users": "administrator",
    "keys": "grafana",
    "history": "rule/hot",
    "account": "Change the password",
    "nowhere": "There is no such page",
}
PHONE: Final = {"width": 390, "height": 800}
HOSTILE: Final = "<img src=x onerror=alert(1)></script>{{7*7}}${7*7}\u202egnp.exe"


async def _furnish(api: Api, text: str = "a note") -> None:
    """One object of each kind, two processes, and a text that somebody else wrote wherever one can be."""
    topic = f"t/{text}/#".replace("#", "").rstrip("/") if text == HOSTILE else "t"
    sql = f"SELECT clientid, '{text}' AS said FROM \"{topic}/#\""
    await api.objects(
        ("/connectors", {**CONNECTOR, "description": text}),
        ("/actions", {**DIRECT, "description": text}),
        ("/rules", {**RULE, "sql": sql, "description": text}),
        ("/sources", SOURCE),
    )
    await api.client.put("/users/eve", json={"description": text})
    await api.client.put("/api_key/ci", json={"desc": text})
    counts = part("disconnected", text, matched=12, success=3, failed=1, queuing=5)
    report(api, WORKER, actions={"s3:raw": counts}, rules={"hot": part(matched=9, passed=8, failed__no_result=1)})
    report(api, INGRESS, sources={"mqtt:plant": part(received=5)})


async def _open(page: Page, address: str, place: str) -> None:
    await page.goto(f"{address}#/{place}")
    await expect(page.get_by_role("main").get_by_text(PLACES[place]).first).to_be_visible()


@pytest.mark.parametrize(
    "options", [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE}], ids=["light", "dark phone"]
)
async def test_axe_finds_nothing(chromium_path: str, axe: str, options: dict[str, Any]) -> None:
    """Contrast, labels, roles and order of headings on every page, in light on a desk and in dark on a phone."""
    found: list[str] = []
    async with (
        served() as (api, address),
        chromium.browsing(chromium_path) as browser,
        chromium.page_of(browser, bypass_csp=True, **options) as page,
    ):
        await _furnish(api)
        someone = Colleague(page, address, api)
        await page.goto(address)
        await expect(page.get_by_label("User name")).to_be_visible()
        found += [f"signing in: {each}" for each in await axe_core.findings(page, axe)]
        await someone.arrive()
        for place in PLACES:
            await _open(page, address, place)
            found += [f"{place}: {each}" for each in await axe_core.findings(page, axe)]

    assert not found, "\n".join(found)


async def test_hostile_texts_stay_texts(colleague: Colleague) -> None:
    """Whatever others wrote into names, notes, statements and reasons is shown as text, on every page."""
    page = colleague.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await _furnish(colleague.api, HOSTILE)
    await colleague.arrive()
    for place in PLACES:
        await _open(page, colleague.address, place)
        await expect(page.locator("img[src=x]")).to_have_count(0)
    await colleague.go("rules")

    await expect(page.get_by_text(HOSTILE).first).to_be_visible()
    assert dialogs == []


async def test_every_page_fits_a_phone(colleague: Colleague) -> None:
    """Nothing makes the page itself wider than the screen."""
    page = colleague.page
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a TypedDict of this form
    await _furnish(colleague.api)
    await colleague.arrive()
    wide: list[str] = []
    for place in PLACES:
        await _open(page, colleague.address, place)
        main = page.get_by_role("main")
        if (
            await main.evaluate(
                "it => Math.max(it.scrollWidth - it.clientWidth, document.body.scrollWidth - innerWidth)"
            )
            > 0
        ):
            wide.append(place)

    assert wide == []
