"""Parts of the tests in a browser: a real Chromium, and a page of `tidegate api` on a real Kafka."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.browser.person import Colleague, Person
from tests.parts import chromium
from tests.parts.api_process import config, running
from tests.parts.axe import script as axe_script
from tests.parts.page_process import served
from tests.parts.part import KafkaPart, UnavailableError


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The path of the browser, which is installed where that can be done."""
    try:
        return chromium.program()
    except UnavailableError as error:
        if os.environ.get("TIDEGATE_REQUIRE_REAL") == "1":
            pytest.fail(f"TIDEGATE_REQUIRE_REAL=1, and no Chromium here: {error}", pytrace=False)
        pytest.skip(f"needs Chromium: {error}")


@pytest.fixture
async def person(chromium_path: str, kafka: KafkaPart) -> AsyncIterator[Person]:
    """A person before the page of a new pipeline."""
    async with (
        running(config(kafka)) as api,
        chromium.browsing(chromium_path) as browser,
        chromium.page_of(browser) as page,
    ):
        yield Person(page, api)


@pytest.fixture
async def colleague(chromium_path: str) -> AsyncIterator[Colleague]:
    """A person before the page of a pipeline in memory; nobody is signed in yet."""
    async with (
        served() as process,
        chromium.browsing(chromium_path) as browser,
        chromium.page_of(browser) as page,
    ):
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
