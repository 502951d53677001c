"""The one-time link while there is no user: whoever starts the process sees it in the terminal, and names the first user.

The link is valid for an hour, in this process alone, and only while there is no user. There is no default password.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from pipeline.control.objects import Snapshot, Stored
from pipeline.passwords import hashed
from pipeline.web.answers import RequestError
from pipeline.web.objects.writing import Edit, Log, write
from pipeline.web.people import accounts
from pipeline.web.people.caller import Caller

VALID_MS: Final = 3_600_000


class FirstUser:
    """The link of one process."""

    def __init__(self, config_log: Log, now_ms: Callable[[], int]) -> None:
        self._log = config_log
        self._now_ms = now_ms
        self._began_ms = now_ms()
        self.token = secrets.token_urlsafe(32)

    def is_open(self, token: str) -> bool:
        """Whether this token may still name the first user."""
        fresh = self._now_ms() < self._began_ms + VALID_MS
        same = hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode())
        return same and fresh and not accounts.has_users(self._log.snapshot.objects)

    async def create(self, token: str, name: str, password: str, address: str) -> None:
        """Create the first user, an administrator. Raises RequestError if the link is wrong, over or used, ValueError."""
        if not self.is_open(token):
            raise self.refused()
        name = accounts.check_name(name)
        password_hash = await asyncio.to_thread(hashed, accounts.check_password(password))

        def made(snapshot: Snapshot, found: Stored | None) -> Edit:
            if accounts.has_users(snapshot.objects):
                raise self.refused()
            user = {"role": "administrator", "description": "", "password_hash": password_hash}
            # The mark is the same for every process, so only one of two at the same time has the first user.
            return Edit({f"{accounts.USER}{name}": user, accounts.FIRST: {"name": name}})

        await write(self._log, Caller(name, "administrator", "first_user", address), accounts.FIRST, made)

    def refused(self) -> RequestError:
        """The error for a link that is wrong, over or used."""
        return RequestError(
            "FORBIDDEN", "this link is wrong, used or over; start `tidegate api` again while there is no user"
        )
