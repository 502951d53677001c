"""What must hold on every page: everybody can use it, hostile texts stay texts, and it fits a phone."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.person import Colleague
from tests.browser.places import HOSTILE, PLACES, furnish, opened
from tests.browser.shifts import WATCH, shifted
from tests.parts import axe as axe_core
from tests.parts import chromium
from tests.parts.page_process import served

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

PHONE: Final = {"width": 360, "height": 740}
ZOOMED: Final = {"width": 640, "height": 400}
ANSWER_SECONDS: Final = 0.1
FORBIDDEN: Final = 403
CLIENT_ERROR: Final = 4
SETTLED_MS: Final = 400
SHIFT_MAX: Final = 0.05  # half of what is still called good
ALL_STEPS_SEEN: Final = """() => {
    const box = (of) => document.querySelector(of).getBoundingClientRect();
    const [canvas, panel] = [box(".canvas"), box(".panel")];
    const right = panel.left > canvas.left + 2 ? panel.left : canvas.right;
    const bottom = panel.top > canvas.top + 2 ? panel.top : canvas.bottom;
    return [...document.querySelectorAll(".react-flow__node")].every((node) => {
        const { left, top, right: end, bottom: foot } = node.getBoundingClientRect();
        return left >= canvas.left && top >= canvas.top && end <= right && foot <= bottom;
    });
}"""
LOOKS: Final = {"light": {"color_scheme": "light"}, "dark phone": {"color_scheme": "dark", "viewport": PHONE}}


@pytest.mark.parametrize("options", LOOKS.values(), ids=LOOKS)
async def test_axe_finds_nothing(browser: Browser, axe: str, options: dict[str, Any]) -> None:
    """Contrast, labels, roles and order of headings on every page, in light on a desk and in dark on a phone."""
    found: list[str] = []
    async with (
        served() as process,
        chromium.page_of(browser, bypass_csp=True, **options) as page,
    ):
        await furnish(process.api)
        someone = Colleague(page, process)
        await page.goto(process.address)
        await expect(page.get_by_label("User name")).to_be_visible()
        found += [f"signing in: {each}" for each in await axe_core.findings(page, axe)]
        await someone.arrive()
        for place in PLACES:
            await opened(page, process.address, place)
            found += [f"{place}: {each}" for each in await axe_core.findings(page, axe)]

    assert not found, "\n".join(found)


async def test_hostile_texts_stay_texts(colleague: Colleague) -> None:
    """Whatever others wrote into names, notes, statements and reasons is shown as text, on every page."""
    page = colleague.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    await furnish(colleague.api, HOSTILE)
    await colleague.arrive()
    for place in PLACES:
        await opened(page, colleague.address, place)
        await expect(page.locator("img[src=x]")).to_have_count(0)
    await colleague.go("rules")

    await expect(page.get_by_text(HOSTILE).first).to_be_visible()
    assert dialogs == []


@pytest.mark.parametrize("size", [PHONE, ZOOMED], ids=["a phone", "a desk at 200 %"])
async def test_every_page_fits(colleague: Colleague, size: dict[str, int]) -> None:
    """Nothing makes the page itself wider than the screen."""
    page = colleague.page
    await page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of this form
    await furnish(colleague.api)
    await colleague.arrive()
    wide: list[str] = []
    for place in PLACES:
        await opened(page, colleague.address, place)
        main = page.get_by_role("main")
        if (
            await main.evaluate(
                "it => Math.max(it.scrollWidth - it.clientWidth, document.body.scrollWidth - innerWidth)"
            )
            > 0
        ):
            wide.append(place)

    assert wide == []


async def test_back_leads_through_every_page(colleague: Colleague) -> None:
    """Each place has an address: the browser's back button shows the place before it, complete, and a reload the same again."""
    page = colleague.page
    await furnish(colleague.api)
    await colleague.arrive()
    for place in PLACES:
        await opened(page, colleague.address, place)
    await page.reload()
    for place in reversed(PLACES):
        assert page.url.endswith(f"#/{place}")
        await expect(page.get_by_role("main").get_by_text(PLACES[place]).first).to_be_visible()
        await page.go_back()


async def test_a_viewer_is_offered_nothing_that_fails(colleague: Colleague) -> None:
    """Whatever a viewer can press on any page, the API does not refuse it."""
    page = colleague.page
    refused: list[str] = []
    page.on(
        "response", lambda answer: refused.append(f"{page.url} {answer.url}") if answer.status == FORBIDDEN else None
    )
    await furnish(colleague.api)
    await colleague.arrive(name="eve")
    pressed = 0
    for place in PLACES:
        await opened(page, colleague.address, place)
        buttons = page.get_by_role("main").get_by_role("button", disabled=False)
        for n in range(await buttons.count()):
            await opened(page, colleague.address, place)
            if n < await buttons.count() and await buttons.nth(n).is_visible():
                await buttons.nth(n).click(force=True)
                pressed += 1
                await page.keyboard.press("Escape")

    assert refused == []
    assert pressed > len(PLACES)


async def test_no_page_asks_for_what_is_refused(colleague: Colleague) -> None:
    """Whoever only looks causes no answer of 400 to 499, which the browser's console would show as an error."""
    page = colleague.page
    refused: list[str] = []
    page.on(
        "response",
        lambda answer: refused.append(f"{page.url} {answer.url}") if answer.status // 100 == CLIENT_ERROR else None,
    )
    await furnish(colleague.api)
    await colleague.arrive()
    refused.clear()  # before the sign-in there is no session
    for place in PLACES:
        await opened(page, colleague.address, place)
        await page.wait_for_load_state("networkidle")

    assert refused == []


@pytest.mark.parametrize("options", [{}, {"viewport": PHONE}], ids=["desk", "phone"])
async def test_nothing_jumps_while_a_page_comes(browser: Browser, options: dict[str, Any]) -> None:
    """What is on the screen stays where it is while the rest of a page arrives, on answers that take their time."""
    jumped: list[str] = []
    async with (
        served() as process,
        chromium.page_of(browser, **options) as page,
    ):
        await furnish(process.api)
        await page.add_init_script(WATCH)
        await Colleague(page, process).arrive()
        await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        await page.route("**/api/v5/**", _slow)
        for place in PLACES:
            await page.goto("about:blank")
            await opened(page, process.address, place)
            await page.wait_for_timeout(SETTLED_MS)
            moved, what = await shifted(page)
            if moved > SHIFT_MAX:
                jumped.append(f"{place}: {moved:.3f} {what}")

    assert not jumped, "\n".join(jumped)


async def _slow(route: Route) -> None:
    await asyncio.sleep(ANSWER_SECONDS)
    await route.continue_()


async def test_the_navigation_fits_a_small_laptop(colleague: Colleague) -> None:
    """At 1280 by 800 everything down to "Sign out" is seen whole, with room below."""
    page = colleague.page
    await colleague.arrive()
    box = await page.get_by_role("button", name="Sign out").bounding_box()

    assert box is not None
    assert box["y"] + box["height"] <= chromium.SIZE["height"] - 8


@pytest.mark.parametrize("size", [chromium.SIZE, PHONE], ids=["desk", "phone"])
async def test_each_step_that_is_added_to_a_flow_is_seen(colleague: Colleague, size: dict[str, int]) -> None:
    """The panel of the newest step covers none of the steps, and all of them are on the canvas."""
    page = colleague.page
    await page.set_viewport_size(size)  # type: ignore[arg-type]  # a TypedDict of this form
    await colleague.arrive("flow/new")
    for count, kind in enumerate(("Source", "Fields", "Filter", "Sink"), 1):
        await page.get_by_role("button", name=f"+ {kind}").click()
        await expect(page.locator(".react-flow__node")).to_have_count(count)
        await page.wait_for_function(ALL_STEPS_SEEN)
