"""One HTTP/1.1 connection: writes a request, and waits for its answer. There is no pipelining.

The content of a large request is written in pieces, as fast as the server takes them, and only after the server has agreed
(`Expect: 100-continue`). It is not written on once the server has answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, cast

from pipeline.connectors.s3.http.answers import Answer, AnswerReader
from pipeline.errors import RetryableError

# Content of at least this size waits until the server asks for it, or for this time. Some servers never ask.
EXPECT_BYTES_MIN: Final = 1 << 20
CONTINUE_SECONDS: Final = 1.0
_PIECE_BYTES: Final = 1 << 18


class HttpRequest(NamedTuple):
    """One request. `head` is its first line and its headers, each with its line end, without the empty line after them."""

    method: str
    head: bytes
    body: bytes


class HttpConnection(asyncio.Protocol):
    """One connection. `lost` is called when it has ended. Whoever breaks off an exchange has to `abort` it."""

    def __init__(self, lost: Callable[[HttpConnection], None]) -> None:
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.idle_since = 0.0
        self.ignores_expect = False  # the server does not say whether it wants the content
        self._loop = loop
        self._lost = lost
        self._answers = AnswerReader()
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport
        self._is_sent = False
        self._wait: asyncio.Future[None] | None = None  # what the writer of large content waits for
        self._is_full = False

    @property
    def is_usable(self) -> bool:
        """Whether another request can be made."""
        return self._answer is None and not self._transport.is_closing()

    @property
    def was_heard(self) -> bool:
        """Whether the server has sent anything since the last request."""
        return self._answers.has_begun

    async def exchange(self, request: HttpRequest, *, expects: bool) -> Answer:
        """Send a request and return its answer. Raises OSError or RetryableError. `expects`: ask before large content is sent."""
        self._answers.begin(request.method)
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        body = request.body
        self._is_sent = len(body) <= _PIECE_BYTES
        if self._is_sent:
            self._transport.write(b"%b\r\n%b" % (request.head, body))
        else:
            await self._send_large(request, answer, expects=expects and len(body) >= EXPECT_BYTES_MIN)
        return await answer

    def abort(self) -> None:
        """Close the connection at once. An exchange under way fails."""
        self._transport.abort()

    async def _send_large(self, request: HttpRequest, answer: asyncio.Future[Answer], *, expects: bool) -> None:
        """Send a request as fast as the server takes it, until it has answered."""
        self._transport.write(request.head + (b"expect: 100-continue\r\n\r\n" if expects else b"\r\n"))
        if expects and not self._answers.may_continue:
            await self._told(CONTINUE_SECONDS)
            self.ignores_expect = not self._answers.has_begun
        view = memoryview(request.body)
        for start in range(0, len(view), _PIECE_BYTES):
            if answer.done():
                return
            self._transport.write(view[start : start + _PIECE_BYTES])
            while self._is_full and not answer.done():
                await self._told()
        self._is_sent = True

    async def _told(self, seconds: float | None = None) -> None:
        """Wait until the connection tells something new: the server wants content, takes more, has answered, or is gone."""
        self._wait = self._loop.create_future()
        try:
            await asyncio.wait([self._wait], timeout=seconds)
        finally:
            self._wait = None

    def _tell(self) -> None:
        if self._wait is not None and not self._wait.done():
            self._wait.set_result(None)

    def _answered(self, answer: Answer) -> None:
        """Give the answer to whoever waits for it. A connection that cannot be used again is closed first."""
        waiting, self._answer = self._answer, None
        if not (self._answers.is_reusable and self._is_sent):
            self._transport.abort()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        self._tell()

    def _failed(self, error: Exception) -> None:
        waiting = self._answer
        self._transport.abort()
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)
        self._tell()

    # The event loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Bytes have come. Without a request they can only be the announcement of an end."""
        if self._answer is None or self._answer.done():
            self._transport.abort()
            return
        try:
            answer = self._answers.feed(data)
        except RetryableError as error:
            self._failed(error)
            return
        if answer is not None:
            self._answered(answer)
        elif self._answers.may_continue:
            self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended, which is the end of some answers."""
        if self._answer is not None and not self._answer.done():
            try:
                if exc is not None:
                    raise exc if isinstance(exc, OSError) else RetryableError(str(exc), reason="connection")
                self._answered(self._answers.end())
            except (OSError, RetryableError) as error:
                self._failed(error)
        self.gone.set_result(None)
        self._lost(self)

    def pause_writing(self) -> None:
        """The server is slower than we are."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The server has taken enough."""
        self._is_full = False
        self._tell()
