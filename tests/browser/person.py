"""What a person does on the page, in a person's words."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Page, expect

from tests.parts.api_process import Running
from tests.parts.rest import PASSWORD

NAME: Final = "ada"


class Person:
    """Whoever sits before the page of one API process."""

    def __init__(self, page: Page, api: Running) -> None:
        self.page = page
        self.api = api
        where = urlsplit(str(api.client.base_url))
        self.address = f"{where.scheme}://{where.netloc}/"

    async def create_first_user(self) -> None:
        """Open the link of the terminal, and fill in its form."""
        await self.page.goto(self.api.said[0].rpartition(" ")[2])
        await self.page.get_by_label("Name").fill(NAME)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button").click()

    async def sign_in(self, name: str = NAME, password: str = PASSWORD) -> None:
        """Sign in on the page that is open."""
        await self.page.get_by_label("User name").fill(name)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()

    async def arrive(self) -> None:
        """Be there for the first time, and signed in."""
        await self.create_first_user()
        await self.sign_in()
        await expect(self.page.get_by_role("heading", name="Rules")).to_be_visible()

    async def program(self) -> None:
        """Let a program of the same user speak to the API beside the page."""
        answer = await self.api.client.post("/login", json={"username": NAME, "password": PASSWORD})
        self.api.client.headers["authorization"] = f"Bearer {answer.json()['token']}"

    async def store(self, path: str, body: Any) -> None:
        """Store an object by that program."""
        answer = await self.api.client.post(path, json=dict(body))
        assert answer.status_code in (200, 201), answer.text

    async def go(self, place: str) -> None:
        """Open a place of the page by its address."""
        await self.page.goto(f"{self.address}#/{place}")
