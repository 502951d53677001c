"""Parts of the tests in a browser: a real Chromium, and a page of `tidegate api` on a real Kafka.

A Chromium and what steers it take a second of the processor to start. So the tests of a file share one, and with it one event
loop; each has a context of its own, which is what a person is to the browser.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.person import Colleague, Person
from tests.parts import chromium
from tests.parts.api_process import config, running
from tests.parts.axe import script as axe_script
from tests.parts.page_process import served
from tests.parts.part import KafkaPart, UnavailableError

HERE: Final = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of a file in the event loop of its browser."""
    for item in items:
        if item.path.parent == HERE and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of the browser, which is installed where that can be done."""
    try:
        return chromium.program()
    except UnavailableError as error:
        if os.environ.get("TIDEGATE_REQUIRE_REAL") == "1":
            pytest.fail(f"TIDEGATE_REQUIRE_REAL=1, and no Chromium here: {error}", pytrace=False)
        pytest.skip(f"needs Chromium: {error}")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """The browser of a file."""
    async with chromium.browsing(chromium_path) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module")
async def person(browser: Browser, kafka: KafkaPart) -> AsyncIterator[Person]:
    """A person before the page of a new pipeline."""
    async with running(config(kafka)) as api, chromium.page_of(browser) as page:
        yield Person(page, api)


@pytest_asyncio.fixture(loop_scope="module")
async def colleague(browser: Browser) -> AsyncIterator[Colleague]:
    """A person before the page of a pipeline in memory; nobody is signed in yet."""
    async with served() as process, chromium.page_of(browser) as page:
        yield Colleague(page, process)


@pytest.fixture(scope="session")
def axe() -> str:
    """The text of axe-core, which is installed where that can be done."""
    try:
        return axe_script()
    except UnavailableError as error:
        if os.environ.get("TIDEGATE_REQUIRE_REAL") == "1":
            pytest.fail(f"TIDEGATE_REQUIRE_REAL=1, and no axe-core here: {error}", pytrace=False)
        pytest.skip(f"needs axe-core: {error}")
