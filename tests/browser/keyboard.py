"""The keyboard as the only hand: the way to each control, and whether a person sees where the focus is."""

from __future__ import annotations

from typing import Any, Final

from playwright.async_api import Locator, Page

STEPS_MAX: Final = 150
# What has the focus: a name of it, and whether it can be seen to have it. The page itself needs no ring.
FOCUSED: Final = """() => {
  const it = document.activeElement;
  if (!it || it === document.body || it.id === "main") return {name: "", seen: true};
  const rings = [it, it.closest(".editor"), it.querySelector(".part")].filter(Boolean).map(each => getComputedStyle(each));
  const words = it.getAttribute("aria-label") || it.innerText || it.labels?.[0]?.innerText || it.id;
  return {
    name: `${it.tagName.toLowerCase()} ${(words || "").trim().slice(0, 60)}`,
    seen: rings.some(ring => ring.outlineStyle !== "none" && parseFloat(ring.outlineWidth) >= 1),
  };
}"""


class Keyboard:
    """Keys on a page, and nothing else."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.unseen: list[str] = []  # controls that did not show the focus

    async def focused(self) -> str:
        """What has the focus now; empty for the page itself."""
        found: dict[str, Any] = await self.page.evaluate(FOCUSED)
        if not found["seen"]:
            self.unseen.append(found["name"])
        return str(found["name"])

    async def to(self, target: Locator, key: str = "Tab") -> None:
        """Press a key until the target has the focus."""
        passed: list[str] = []
        await target.wait_for()
        for _ in range(STEPS_MAX):
            if await target.evaluate("it => it === document.activeElement"):
                return
            await self.page.keyboard.press(key)
            passed.append(await self.focused())
        raise AssertionError(f"{key} does not lead to {target}: {passed}")

    async def enter(self, target: Locator, key: str = "Tab") -> None:
        """Go to a control, and press Enter."""
        await self.to(target, key)
        await self.page.keyboard.press("Enter")

    async def write(self, target: Locator, text: str) -> None:
        """Go to an input, and replace what is in it."""
        await self.to(target)
        await self.page.keyboard.press("Control+A")
        await self.page.keyboard.type(text)

    async def round(self, first: Locator) -> list[str]:
        """Tab through the page once, from its first control to where it comes again: everything on the way."""
        await self.to(first)
        passed: list[str] = []
        for _ in range(STEPS_MAX):
            await self.page.keyboard.press("Tab")
            passed.append(await self.focused())
            if await first.evaluate("it => it === document.activeElement"):
                return passed
        raise AssertionError(f"Tab does not come around: {passed[-12:]}")
