"""The door of the API. Every request passes it, so no route can forget to ask who sends it.

1. who: a token, a cookie or an API key, except for the few paths that nobody needs a login for
2. may: a viewer reads; API keys manage neither users nor keys
3. from where: a change with a cookie must come from our own page (Origin), since a browser sends cookies for any page
4. in time: every answer comes within the 20 s after which EMQX's own page gives up, and before the process has stopped
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from pipeline.errors import InternalError, TidegateError
from pipeline.log import get_logger
from pipeline.web.answers import RequestError, refusal
from pipeline.web.objects.writing import Log
from pipeline.web.people.caller import READING, Caller
from pipeline.web.people.sessions import Sessions

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]

PREFIX: Final = "/api/v5"
ANSWER_SECONDS: Final = 18.0
STOPS: Final = "the process stops; try again"
OPEN: Final = frozenset({"/login", "/first_user", "/openapi.json", "/session"})
# Answers that take as long as the client reads.
ENDLESS: Final = re.compile(r"/live|/rule_live|/objects/content|/jobs/[^/]+/live")
OF_PEOPLE: Final = ("/users", "/api_key")
HEADERS: Final = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
]

log: Final = get_logger("tidegate.api")


class UnderWay:
    """The requests that have no answer yet. A process that stops has no time for those that wait for an outside system."""

    def __init__(self) -> None:
        self.stops = False
        self._limits: set[asyncio.Timeout] = set()

    @asynccontextmanager
    async def limited(self, seconds: float | None) -> AsyncIterator[None]:
        """The block takes no longer. Raises TimeoutError."""
        async with asyncio.timeout(seconds) as limit:
            self._limits.add(limit)
            try:
                yield
            finally:
                self._limits.discard(limit)

    def end_within(self, seconds: float) -> None:
        """Let none take longer than this from now on."""
        self.stops, end = True, asyncio.get_running_loop().time() + seconds
        for each in self._limits:
            each.reschedule(min(end, each.when() or end))


class Gate:
    """The outermost application."""

    def __init__(self, app: Application, under_way: UnderWay, sessions: Sessions, config_log: Log) -> None:
        self._app = app
        self._under_way = under_way
        self._sessions = sessions
        self._log = config_log

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            endless = ENDLESS.fullmatch(scope["path"].removeprefix(PREFIX))
            async with self._under_way.limited(None if endless else ANSWER_SECONDS):
                await self._enter(scope)
                await self._app(scope, receive, answer)
        except Exception as error:
            if answer.begun:
                raise
            trouble = STOPS if self._under_way.stops else self._log.trouble
            await _refusal_of(error, scope, trouble)(scope, receive, answer)

    async def _enter(self, scope: Any) -> None:
        request = HTTPConnection(scope)
        path, method = request.url.path.removeprefix(PREFIX), scope["method"]
        if path in OPEN or not request.url.path.startswith(PREFIX):  # everybody may have the files of the page
            return
        caller = await self._sessions.caller(request)
        _check(caller, method, path, request)
        request.state.caller = caller


def _check(caller: Caller, method: str, path: str, request: HTTPConnection) -> None:
    """Whether this caller may send this request. Raises RequestError."""
    if not caller.may(method, path):
        raise RequestError("UNAUTHORIZED_ROLE", f"the role {caller.role} may only read")
    if caller.through == "api_key" and path.startswith(OF_PEOPLE):
        raise RequestError("API_KEY_NOT_ALLOW", "an API key manages neither users nor API keys; log in as a user")
    if caller.through == "page" and method not in READING and not _is_own(request):
        raise RequestError("FORBIDDEN", "a change with a cookie must come from our own page (header Origin)")


def _is_own(request: HTTPConnection) -> bool:
    """Whether the page that sends a request is our own, as the browser says it."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return bool(urlsplit(origin).netloc) and urlsplit(origin).netloc == request.headers.get("host")


def _refusal_of(error: Exception, scope: Any, trouble: str) -> Any:
    """The answer instead of a result. `trouble`: why there is no answer in time, if that is known."""
    if isinstance(error, TidegateError):
        return refusal(error)
    if isinstance(error, TimeoutError):
        why = trouble or f"nothing answers within {ANSWER_SECONDS:g} s; try again"
        return refusal(RequestError("SERVICE_UNAVAILABLE", f"there is no answer: {why}"))
    log.error("api.failed", method=scope["method"], path=scope["path"], error=repr(error), exc_info=error)
    return refusal(InternalError("an unexpected error; the log of `tidegate api` has it"))


class _Answer:
    """Sends an answer with the headers that all have, and knows whether it has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            own = {name for name, _ in message.get("headers", ())}
            message["headers"] = [*message.get("headers", ()), *(each for each in HEADERS if each[0] not in own)]
        await self._send(message)
