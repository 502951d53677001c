"""What a person does on the page, in a person's words."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from playwright.async_api import Page, expect

from tests.parts.api_process import Running
from tests.parts.page_process import PageProcess
from tests.parts.rest import PASSWORD

NAME: Final = "ada"


class Visitor:
    """Whoever sits before the page of one API process."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    async def sign_in(self, name: str = NAME, password: str = PASSWORD) -> None:
        """Sign in on the page that is open."""
        await self.page.get_by_label("User name").fill(name)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def go(self, place: str) -> None:
        """Open a place of the page by its address."""
        await self.page.goto(f"{self.address}#/{place}")


class User(Visitor):
    """A visitor who may sign in. `client` is a program of the same user, beside the page."""

    def __init__(self, page: Page, address: str, client: httpx.AsyncClient) -> None:
        super().__init__(page, address)
        self.client = client

    async def store(self, path: str, body: Any) -> None:
        """Store an object by the program."""
        answer = await self.client.post(path, json=dict(body))
        assert answer.status_code in (200, 201), answer.text


class Person(User):
    """The first user of a new pipeline."""

    def __init__(self, page: Page, api: Running) -> None:
        where = urlsplit(str(api.client.base_url))
        super().__init__(page, f"{where.scheme}://{where.netloc}/", api.client)
        self._link = api.said[0].rpartition(" ")[2]

    async def create_first_user(self) -> None:
        """Open the link of the terminal, and fill in its form."""
        await self.page.goto(self._link)
        await self.page.get_by_label("Name").fill(NAME)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button").click()

    async def arrive(self) -> None:
        """Be there for the first time, and signed in."""
        await self.create_first_user()
        await self.sign_in()
        await expect(self.page.get_by_role("heading", name="Overview")).to_be_visible()

    async def program(self) -> None:
        """Let a program of the same user speak to the API beside the page."""
        answer = await self.client.post("/login", json={"username": NAME, "password": PASSWORD})
        self.client.headers["authorization"] = f"Bearer {answer.json()['token']}"


class Colleague(User):
    """A user of a pipeline in memory, which has people already: `api` reports for its processes."""

    def __init__(self, page: Page, server: PageProcess) -> None:
        super().__init__(page, server.address, server.api.client)
        self.server = server
        self.api = server.api

    async def arrive(self, place: str = "", name: str = "admin") -> None:
        """Sign in, and be at a place."""
        await self.page.goto(f"{self.address}#/{place}")
        await self.sign_in(name)
        await expect(self.page.get_by_role("main")).to_be_visible()
