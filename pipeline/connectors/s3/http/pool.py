"""The connections to one store: opens them, keeps them for the next request, and bounds their number and every wait.

A server may close a kept connection at any moment, also while a request is on its way. Such a request is sent once more, on a new
connection, if nothing of an answer has come: PUT, GET, HEAD and DELETE have the same effect twice, and whoever creates an object
under a condition must expect its own earlier try anyway. A POST has no kept connection, so it is sent once.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Final

import aiohappyeyeballs

from pipeline.connectors.s3.http.answers import Answer
from pipeline.connectors.s3.http.connection import HttpConnection, HttpRequest
from pipeline.connectors.s3.http.time_limit import TimeLimit
from pipeline.errors import RetryableError

# Servers keep idle connections for 20 seconds at least; so a connection is rarely closed while a request is on its way.
KEPT_SECONDS_MAX: Final = 15.0
# The wait for one address before the next is tried beside it (RFC 8305, section 8).
_NEXT_ADDRESS_SECONDS: Final = 0.25
_EXPECTATION_FAILED: Final = 417


class Pool:
    """The connections to one port of one or several hosts. Use it on one event loop, and `close` it at last."""

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext | None,
        *,
        connections_max: int,
        connect_seconds: float,
        request_seconds: float,
    ) -> None:
        self._port = port
        self._context = context
        self._connections_max = connections_max
        self._connect_seconds = connect_seconds
        self._request_seconds = request_seconds
        self._loop = asyncio.get_running_loop()
        self._limit = TimeLimit(self._loop, request_seconds)
        self._busy = 0  # requests that have a place
        self._waiting: deque[asyncio.Future[None]] = deque()  # those that wait for one, in their order
        self._open: set[HttpConnection] = set()
        self._idle: dict[str, list[HttpConnection]] = {}  # by host, the longest idle first
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._expects = True  # whether large content waits until the store asks for it

    async def request(self, host: str, request: HttpRequest) -> Answer:
        """Make one request. Raises OSError or RetryableError if there is no answer in time.

        The time includes the wait for a place and for a connection.
        """
        limit = self._limit.call()
        try:
            with limit:
                if self._busy >= self._connections_max:
                    await self._place()
                else:
                    self._busy += 1
                try:
                    return await self._answered(host, request)
                finally:
                    self._leave()
        except TimeoutError as error:
            if not limit.expired:
                raise
            raise RetryableError(f"no answer within {self._request_seconds:g} s", reason="timeout") from error

    async def _place(self) -> None:
        """Wait for a place, which whoever leaves it hands over."""
        place = self._loop.create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it was handed over meanwhile
                self._leave()
            raise

    def _leave(self) -> None:
        """Hand the place over to the request that waits longest, if one waits."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self._busy -= 1

    async def close(self) -> None:
        """Close all connections. Requests under way fail."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        gone = [connection.gone for connection in self._open]
        for connection in self._open:
            connection.abort()
        self._idle.clear()
        await asyncio.gather(*gone)

    async def _answered(self, host: str, request: HttpRequest) -> Answer:
        """Make a request on a kept connection, or else on a new one."""
        kept = self._kept(host) if request.method != "POST" else None
        if kept is not None:
            try:
                return await self._exchanged(kept, host, request)
            except (OSError, RetryableError):
                if kept.was_heard or self._is_closed:
                    raise
        return await self._exchanged(await self._opened(host), host, request)

    async def _exchanged(self, connection: HttpConnection, host: str, request: HttpRequest) -> Answer:
        """Make a request on this connection, and keep it if it can be used again."""
        try:
            answer = await connection.exchange(request, expects=self._expects)
        except BaseException:  # also a cancellation: the answer that may still come is nobody's
            connection.abort()
            raise
        if connection.is_usable and not self._is_closed:
            self._keep(connection, host)
        if connection.ignores_expect:
            self._expects = False
        if answer.status == _EXPECTATION_FAILED and self._expects:
            self._expects = False
            return await self._exchanged(await self._opened(host), host, request)
        return answer

    async def _opened(self, host: str) -> HttpConnection:
        """A new connection. Raises OSError, and RetryableError after the time for a connection."""
        self._make_room()
        limit = asyncio.timeout(self._connect_seconds)
        try:
            async with limit:
                connection = await self._connected(host)
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = f"no connection to {host} within {self._connect_seconds:g} s"
            raise RetryableError(text, reason="timeout") from error
        if self._is_closed:
            connection.abort()
            raise RetryableError("the connector was closed", reason="connection")
        return connection

    async def _connected(self, host: str) -> HttpConnection:
        loop = self._loop
        addresses = await loop.getaddrinfo(host, self._port, type=socket.SOCK_STREAM)
        sock = await aiohappyeyeballs.start_connection(
            addresses, happy_eyeballs_delay=_NEXT_ADDRESS_SECONDS, interleave=1, loop=loop
        )
        _, connection = await loop.create_connection(
            lambda: HttpConnection(self._open.discard),
            sock=sock,
            ssl=self._context,
            server_hostname=host.rstrip(".") if self._context else None,
        )
        self._open.add(connection)
        return connection

    def _kept(self, host: str) -> HttpConnection | None:
        """The connection that was used last, since it is the least likely to be closed."""
        idle = self._idle.get(host)
        while idle:
            connection = idle.pop()
            if not idle:
                del self._idle[host]
            if connection.is_usable:
                return connection
        return None

    def _keep(self, connection: HttpConnection, host: str) -> None:
        connection.idle_since = self._loop.time()
        self._idle.setdefault(host, []).append(connection)
        if self._sweep is None:
            self._sweep = self._loop.call_later(KEPT_SECONDS_MAX, self._sweep_idle)

    def _sweep_idle(self) -> None:
        """Close what was idle for too long."""
        self._end_idle(until=self._loop.time() - KEPT_SECONDS_MAX)
        oldest = min((idle[0].idle_since for idle in self._idle.values()), default=None)
        self._sweep = None if oldest is None else self._loop.call_at(oldest + KEPT_SECONDS_MAX, self._sweep_idle)

    def _make_room(self) -> None:
        """Close idle connections, the longest idle first, until a new one is within the limit."""
        kept = [connection for idle in self._idle.values() for connection in idle]
        kept.sort(key=lambda connection: connection.idle_since)
        surplus = len(kept) + self._busy - self._connections_max
        if surplus > 0:
            self._end_idle(until=kept[surplus - 1].idle_since)

    def _end_idle(self, *, until: float) -> None:
        """Close the connections that were idle at this time already."""
        for host, idle in list(self._idle.items()):
            for connection in idle:
                if connection.idle_since <= until:
                    connection.abort()
            left = [connection for connection in idle if connection.idle_since > until]
            if left:
                self._idle[host] = left
            else:
                del self._idle[host]
