"""axe-core, which finds what people with a screen reader, a keyboard or weak eyes cannot use on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from playwright.async_api import Page

from tests.parts import cache
from tests.parts.part import UnavailableError

ROOT: Final = Path(__file__).parents[2]
_SCRIPT: Final = ROOT / "dashboard/node_modules/axe-core/axe.min.js"
_RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def script() -> str:
    """The text of axe-core, which stands in the lock file of dashboard/. Raises UnavailableError."""
    with cache.locked("npm"):
        if not _SCRIPT.exists():
            cache.fetch([str(ROOT / ".ci/npm"), "ci"], folder=ROOT)
    if not _SCRIPT.exists():
        raise UnavailableError("`npm ci` in dashboard/ brought no axe-core")
    return _SCRIPT.read_text(encoding="utf-8")


async def findings(page: Page, axe: str) -> list[str]:
    """What axe finds on the page as it stands: the rule, and the elements. The page's policy must be bypassed for it."""
    if not await page.evaluate("typeof axe === 'object'"):
        await page.evaluate(axe)
    found: dict[str, Any] = await page.evaluate("rules => axe.run({runOnly: {type: 'tag', values: rules}})", _RULES)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
        for each in found["violations"]
        for node in each["nodes"]
    ]
