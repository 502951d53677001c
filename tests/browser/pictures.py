"""Makes the pictures of README and manual: the dashboard before a demo that runs, in a real browser. `make pictures` calls it."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, Page, expect

from pipeline.demo.fleet import Fleet
from pipeline.demo.stack import Stack
from tests.browser.person import Visitor
from tests.parts import chromium
from tests.parts.rest import PASSWORD
from tests.parts.waiting import pause

FOLDER: Final = Path(__file__).parents[2] / "docs/pictures"
SIZE: Final = {"width": 1280, "height": 800}
SECONDS: Final = 75  # until the charts have something to show
PAYLOAD: Final = {"seq": 7, "type": "thermo", "temp": 31}
SAMPLE: Final = {
    **{"event_type": "message_publish", "topic": "t/thermo-003", "clientid": "thermo-003"},
    "payload": json.dumps(PAYLOAD),
}
AS_WEBP: Final = """async bytes => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${bytes}`)).blob());
  const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height});
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.9).split(",")[1];
}"""


def main() -> None:
    """Run the demo's stack, look at its pages, and write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with Stack() as stack:
        stack.wait()
        fleet = Fleet(30, 2.0, stack.mqtt_5, stack.mqtt_311)
        fleet.start()
        asyncio.run(_look(stack))
        fleet.stop()


async def _look(stack: Stack) -> None:
    async with chromium.browsing(chromium.program()) as browser:
        await _create_user(browser, stack)
        await pause(SECONDS)
        for scheme in ("light", "dark"):
            await _pictures(browser, stack.page, scheme)


async def _create_user(browser: Browser, stack: Stack) -> None:
    async with chromium.page_of(browser) as page:
        await page.goto(stack.first_user_link())
        await page.get_by_label("Name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button").click()
        await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def _pictures(browser: Browser, address: str, scheme: str) -> None:
    """Every picture in one look; README shows the one that fits its reader."""
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(chromium.page_of(browser, viewport=SIZE, color_scheme=scheme))
        converter = await stack.enter_async_context(chromium.page_of(browser))
        visitor = Visitor(page, address)
        await page.goto(address)
        await visitor.sign_in("ada")
        await expect(page.locator("canvas")).to_have_count(6)
        await _picture(page, converter, f"overview-{scheme}")
        await visitor.go("rules/hot_devices")
        await page.get_by_label("Sample event").fill(json.dumps(SAMPLE, indent=2))
        await page.get_by_role("button", name="Run").click()
        await expect(page.locator(".object").first).to_be_visible()
        await _picture(page, converter, f"rule-{scheme}")
        await visitor.go("flow")
        await expect(page.locator(".rate").first).to_be_visible()
        await _picture(page, converter, f"flow-{scheme}")


async def _picture(page: Page, converter: Page, name: str) -> None:
    await pause(1)  # what fades in has done so
    shot = base64.b64encode(await page.screenshot()).decode()
    content = base64.b64decode(await converter.evaluate(AS_WEBP, shot))
    (FOLDER / f"{name}.webp").write_bytes(content)
    print(f"docs/pictures/{name}.webp: {len(content) / 1000:.0f} kB", file=sys.stderr)


if __name__ == "__main__":
    main()
