"""The door of the API. Every request passes it, so no route can forget to ask who sends it.

1. who: a token, a cookie or an API key, except for the few paths that nobody needs a login for
2. may: a viewer reads; API keys manage neither users nor keys
3. from where: a change with a cookie must come from our own page (Origin), since a browser sends cookies for any page
4. in time: every answer comes within the 20 s after which EMQX's own page gives up
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
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


class Gate:
    """The outermost application."""

    def __init__(self, app: Application, sessions: Sessions, config_log: Log) -> None:
        self._app = app
        self._sessions = sessions
        self._log = config_log

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        try:
            endless = ENDLESS.fullmatch(scope["path"].removeprefix(PREFIX))
            async with asyncio.timeout(None if endless else ANSWER_SECONDS):
                await self._enter(scope)
                await self._app(scope, receive, answer)
        except Exception as error:
            if answer.begun:
                raise
            await _refusal_of(error, scope, self._log.error)(scope, receive, answer)

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
    """The answer instead of a result. `trouble`: why Kafka cannot be read, which is the cause of no answer at all."""
    if isinstance(error, TidegateError):
        return refusal(error)
    if isinstance(error, TimeoutError):
        cause = f": {trouble}" if trouble else "; try again"
        return refusal(RequestError("SERVICE_UNAVAILABLE", f"there is no answer within {ANSWER_SECONDS:g} s{cause}"))
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
