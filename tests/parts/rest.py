"""The REST API on a configuration in memory, and a client of it that speaks HTTP without a socket."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any, Self

import httpx

from agents.operate.operations import Operations
from pipeline.config.base.sealed import PrivateKey, new_key
from pipeline.control.objects import Change
from pipeline.control.sealing import announced
from pipeline.passwords import hashed
from pipeline.web.app import make
from pipeline.web.desk import Services
from pipeline.web.people import accounts
from pipeline.web.people.first_user import FirstUser
from pipeline.web.people.gate import PREFIX
from pipeline.web.people.sessions import Sessions
from tests.parts.answers import documented
from tests.parts.config_log import MemoryLog

PASSWORD = "a long password"
HASH = hashed(PASSWORD)
BEGAN_MS = 1_764_000_000_000

CONNECTOR: Mapping[str, Any] = {
    "type": "s3",
    "name": "lake",
    "host": "127.0.0.1",
    "port": 1,
    "access_key_id": "key",
    "secret_access_key": "file:///run/secrets/lake",
    "transport_options": {"ssl": {"enable": False}, "max_retries": 0},
}
DIRECT: Mapping[str, Any] = {
    "type": "s3",
    "name": "raw",
    "connector": "lake",
    "parameters": {"mode": "direct", "bucket": "iot", "key": "raw/${clientid}/${id}", "content": "${payload}"},
}
RULE: Mapping[str, Any] = {"id": "hot", "sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw"]}
SOURCE: Mapping[str, Any] = {"type": "mqtt", "name": "plant", "server": "127.0.0.1:1", "topics": ["t/#"]}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = BEGAN_MS

    def __call__(self) -> int:
        return self.now_ms

    def seconds(self) -> float:
        """The same moment, as the clock of lock-outs."""
        return self.now_ms / 1000


class Api:
    """One API process and a client of it. `async with Api() as api`."""

    def __init__(self, *, raise_errors: bool = False) -> None:
        self.clock = Clock()
        self.log = MemoryLog(now_ms=self.clock)
        sessions = Sessions(self.log, self.clock, self.clock.seconds)
        self.services = Services(self.log, sessions, FirstUser(self.log, self.clock), self.clock, Operations())
        self.app = make(self.services)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=raise_errors, client=("192.0.2.1", 5000))
        self.client = httpx.AsyncClient(
            transport=transport, base_url=f"http://api.example{PREFIX}", event_hooks={"response": [documented]}
        )

    async def __aenter__(self) -> Self:
        await self.people()
        self.client.headers["authorization"] = f"Bearer {await self.token('admin')}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def people(self) -> None:
        """An administrator `admin` and a viewer `eve`, and an API key of each role."""
        puts: dict[str, Any] = {
            f"user/{name}": {"role": role, "description": "", "password_hash": HASH}
            for name, role in (("admin", "administrator"), ("eve", "viewer"))
        }
        for name, role in (("ci", "administrator"), ("grafana", "viewer")):
            puts[f"api_key/{name}"] = {
                **{"role": role, "enable": True, "expired_at": "infinity", "desc": "", "created_at": BEGAN_MS},
                **{"api_key": f"id-of-{name}", "secret_digest": accounts.digest(f"secret-of-{name}")},
            }
        await self.log.write(Change(puts, by="test", source="rest"))

    async def key(self) -> PrivateKey:
        """Announce a key, with which clear secrets are sealed. This process cannot open them."""
        key = new_key()
        await self.log.write(Change(announced(key), by="test", source="secrets"))
        return key

    async def token(self, name: str) -> str:
        """A new session."""
        return (await self.services.sessions.log_in(name, PASSWORD, "192.0.2.1")).token

    async def objects(self, *bodies: tuple[str, Mapping[str, Any]]) -> None:
        """Create objects: paths and bodies; without any, one of each kind."""
        everything = (("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", RULE), ("/sources", SOURCE))
        for path, body in bodies or everything:
            answer = await self.client.post(path, json=body)
            assert answer.status_code == 201, answer.text


def basic(name: str, secret: str = "") -> dict[str, str]:
    """The header of an API key of `Api.people`."""
    text = f"id-of-{name}:{secret or f'secret-of-{name}'}"
    return {"authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}
