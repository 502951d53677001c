"""`tidegate api` on a real Kafka and a real port, in this process."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

import httpx

from agents.operate.operations import Operations
from pipeline.config import Config
from pipeline.config.load import load
from pipeline.web.people.gate import PREFIX
from pipeline.web.server import WebDoor, serve
from tests.parts.answers import documented
from tests.parts.part import KafkaPart
from tests.parts.rest import PASSWORD
from tests.parts.waiting import patient, pause


class Running(NamedTuple):
    """An API process in this one: where it is, and what it said in the terminal."""

    client: httpx.AsyncClient
    said: list[str]


def config(kafka: KafkaPart) -> Config:
    """A pipeline of its own."""
    name = f"api-{uuid.uuid4().hex[:10]}"
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "replication_factor": 1}
    return load({"pipeline": name, "kafka": settings, "control": {"topic": f"{name}.config"}})


@asynccontextmanager
async def running(settings: Config) -> AsyncIterator[Running]:
    """The process, until the block ends."""
    stop, said, ready = asyncio.Event(), list[str](), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(
        serve(settings, WebDoor(port=0), Operations(), say=said.append, stop=stop, ready=ready.set_result)
    )
    try:
        done, _ = await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if task in done:
            await task
        hooks = {"response": [documented]}
        async with httpx.AsyncClient(base_url=f"{await ready}{PREFIX}", timeout=30, event_hooks=hooks) as client:
            yield Running(client, said)
    finally:
        stop.set()
        await task


async def sign_in_first(api: Running) -> None:
    """Create the first user by the link that was told, and sign in as this user."""
    form = {"token": api.said[0].rpartition("token=")[2], "username": "root", "password": PASSWORD}
    await api.client.post("/first_user", data=form)
    token = (await api.client.post("/login", json={"username": "root", "password": PASSWORD})).json()["token"]
    api.client.headers["authorization"] = f"Bearer {token}"


async def found(client: httpx.AsyncClient, path: str) -> None:
    """Wait until a process has heard of an object."""
    async with asyncio.timeout(patient(20)):
        while (await client.get(path)).status_code != 200:
            await pause(0.05)
