"""Layout shifts of a page, as the browser itself counts them."""

from __future__ import annotations

from typing import Final

from playwright.async_api import Page

# To be given to the page before it loads. A shift after a key or a click is what the person asked for.
WATCH: Final = """
window.shifts = [];
new PerformanceObserver(list => {
  for (const each of list.getEntries()) {
    if (!each.hadRecentInput) window.shifts.push([each.value, each.sources.map(it => it.node?.className || it.node?.nodeName)]);
  }
}).observe({type: "layout-shift", buffered: true});
"""


async def shifted(page: Page) -> tuple[float, list[str]]:
    """How much has moved since the last question, and what; begins again at 0."""
    found = await page.evaluate("() => window.shifts.splice(0)")
    return sum(value for value, _ in found), [str(name) for _, names in found for name in names]
