"""Logs people in and out, and finds whoever a token, a cookie or an API key belongs to.

Sessions are in the topic, so every API process knows them. A session is over after an hour without a request; its end moves
when half of that has passed, so that requests seldom write. Passwords are checked in threads, a few at the same time.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple

from starlette.requests import HTTPConnection

from pipeline.control.objects import Snapshot, Stored
from pipeline.errors import TidegateError
from pipeline.log import get_logger
from pipeline.passwords import verified
from pipeline.web.answers import RequestError
from pipeline.web.objects.writing import Edit, Log, write
from pipeline.web.people import accounts
from pipeline.web.people.accounts import SESSION, SESSION_MS, digest
from pipeline.web.people.caller import Caller
from pipeline.web.people.lockout import Lockout

COOKIE: Final = "tidegate_session"
CHECKS_AT_ONCE: Final = 4  # of passwords, each of which takes 19 MiB

log: Final = get_logger("tidegate.api")


class LoggedIn(NamedTuple):
    """A new session."""

    token: str
    role: str


class Sessions:
    """The sessions of one pipeline, and the attempts to get one from this process."""

    def __init__(self, config_log: Log, now_ms: Callable[[], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = config_log
        self._now_ms = now_ms
        self._clock = clock
        self._lockout = Lockout()
        self._room = asyncio.Semaphore(CHECKS_AT_ONCE)

    # --- Log in and out

    async def log_in(self, name: str, password: str, address: str) -> LoggedIn:
        """Open a session. Raises RequestError: wrong, or too many attempts."""
        if not await self.is_right(name, password, address):
            log.warning("login.refused", user=name[:100], address=address)
            raise RequestError("BAD_USERNAME_OR_PWD", "the user name or the password is wrong")
        token = secrets.token_urlsafe(32)
        key = f"{SESSION}{digest(token)}"

        def opened(snapshot: Snapshot, found: Stored | None) -> Edit:
            now = self._now_ms()
            old = accounts.expired_sessions(snapshot.objects, now)
            own = [each for each in accounts.sessions_of(snapshot.objects, name) if each not in old]
            value = {"user": name, "expires_at": now + SESSION_MS}
            return Edit({key: value}, frozenset([*old, *own[: len(own) - accounts.SESSIONS_MAX + 1]]))

        caller = Caller(name, "viewer", "session", address)
        snapshot = await write(self._log, caller, key, opened)
        user = accounts.user_of(snapshot.objects, name)
        log.info("login.accepted", user=name, address=address)
        return LoggedIn(token, user.role if user else "viewer")

    async def is_right(self, name: str, password: str, address: str) -> bool:
        """Whether a password is that of a user. Raises RequestError after too many wrong ones.

        An attempt counts as a failure until it has succeeded, so that many at the same time are not more than some in a row.
        """
        now = self._clock()
        of_user, of_address = f"user {name}", f"address {address}"
        wait = max(self._lockout.wait_seconds(each, now) for each in (of_user, of_address))
        if wait:
            seconds = str(int(wait) + 1)
            raise RequestError(
                "TOO_MANY_REQUESTS",
                f"too many failures to log in; try again in {seconds} s",
                headers={"Retry-After": seconds},
            )
        self._lockout.failed(of_user, now)
        self._lockout.failed(of_address, now)
        user = accounts.user_of(self._log.snapshot.objects, name)
        async with self._room:
            right = await asyncio.to_thread(
                verified, user.password_hash if user else None, password.encode("utf-8", "surrogatepass")
            )
        if right:
            self._lockout.succeeded(of_user)
            self._lockout.take_back(of_address, now)
        return right

    async def log_out(self, caller: Caller) -> None:
        """End the caller's session. A caller without one has nothing to end."""
        if caller.session:
            await write(self._log, caller, caller.session, lambda _, found: Edit(deletes=frozenset([caller.session])))

    # --- Whoever a request comes from

    async def caller(self, request: HTTPConnection) -> Caller:
        """The sender of a request. Raises RequestError."""
        address = request.client.host if request.client else ""
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return (await self._of_token(given.strip()))._replace(address=address)
        if scheme.lower() == "basic":
            return self._of_api_key(given.strip())._replace(address=address)
        if not scheme and (token := request.cookies.get(COOKIE)):
            return (await self._of_token(token))._replace(address=address, through="page")
        raise RequestError(
            "AUTHORIZATION_HEADER_ERROR",
            "expected Authorization: Bearer with a token of /login, or Basic with an API key and its secret",
            headers={"WWW-Authenticate": "Bearer, Basic"},
        )

    async def _of_token(self, token: str) -> Caller:
        key = f"{SESSION}{digest(token)}"
        objects, now = self._log.snapshot.objects, self._now_ms()
        stored = objects.get(key)
        user = accounts.user_of(objects, stored.value["user"]) if stored else None
        if stored is None or user is None:
            raise RequestError("BAD_TOKEN", "this token is not of a session; log in again")
        left = stored.value["expires_at"] - now
        if left <= 0:
            raise RequestError("TOKEN_TIME_OUT", "the session is over; log in again")
        caller = Caller(user.name, user.role, "session", session=key)
        if left < SESSION_MS // 2 and not self._log.trouble:
            with suppress(TidegateError):  # it is still valid, and the next request tries again
                await write(self._log, caller, key, lambda _, found: self._longer(key, found))
        return caller

    def _longer(self, key: str, found: Stored | None) -> Edit:
        if found is None:
            raise RequestError("BAD_TOKEN", "the session was ended")
        return Edit({key: {**found.value, "expires_at": self._now_ms() + SESSION_MS}})

    def _of_api_key(self, given: str) -> Caller:
        try:
            name, _, secret = base64.b64decode(given, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise RequestError("BAD_API_KEY_OR_SECRET", "the header Authorization: Basic cannot be read") from None
        key = accounts.api_key_of(self._log.snapshot.objects, name, self._now_ms())
        if not accounts.fits(key, secret) or key is None:
            raise RequestError(
                "BAD_API_KEY_OR_SECRET", "the API key or its secret is wrong, or the key is over or disabled"
            )
        return Caller(key.name, key.role, "api_key")
