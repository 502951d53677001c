"""A real browser: Debian's Chromium, steered by Playwright, with a page that remembers what went wrong on it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.parts import debian
from tests.parts.waiting import patient

SIZE: Final = {"width": 1280, "height": 800}
# The browser itself writes this for each answer of 400 and more, and for none at all. Tests look at what the page makes of it:
# a refusal, an outside system that is away (503), a server that is away. Any other answer of 500 and more is a fault of ours.
_OF_AN_ANSWER: Final = re.compile(
    r"Failed to load resource: (the server responded with a status of (4\d\d|503)"
    r"|net::ERR_(FAILED|CONNECTION_\w+|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING))"
)


def program() -> str:
    """The path of the browser. Raises UnavailableError."""
    return debian.program("chromium", "chromium")


@asynccontextmanager
async def browsing(path: str) -> AsyncIterator[Browser]:
    """The browser, until the block ends."""
    expect.set_options(timeout=patient(5) * 1000)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_of(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A page of a person of its own. At the end nothing may have failed on it: no error, and no breach of the policy."""
    context = await browser.new_context(**{"viewport": SIZE, **options})
    page = await context.new_page()
    page.set_default_timeout(patient(20) * 1000)
    wrong: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not _OF_AN_ANSWER.match(message.text):
            wrong.append(f"{message.type}: {message.text}")

    page.on("console", heard)
    page.on("pageerror", lambda error: wrong.append(f"thrown: {error}"))
    await page.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('policy', e.violatedDirective, e.blockedURI))"
    )
    try:
        yield page
    finally:
        await context.close()
    if wrong:
        raise AssertionError("\n".join(wrong))
