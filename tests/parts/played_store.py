"""A played HTTP server for the client of a store: it answers each request with given bytes, or breaks the connection.

    async with PlayedStore(Play(OK), Play(closes=True)) as server:   # the first request, the second, …; the last play repeats
        server.port, server.heads, server.bodies, server.connections, server.ended

It knows HTTP only as far as it must read a request whole.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

from tests.parts.waiting import until

OK: Final = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\n\r\n'
GO_ON: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Play:
    """What is done with one request."""

    answer: bytes = b""
    closes: bool = False  # after the answer
    hangs: bool = False  # no answer; the connection stays until the client ends it
    before_body: bytes = b""  # is sent when the headers are there
    reads_body: bool = True


@dataclass
class PlayedStore:
    """The server, on its own port. `tls` makes it speak TLS."""

    plays: tuple[Play, ...]
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0  # that were opened
    ended: int = 0
    most: int = 0  # that were open at one time
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def __init__(self, *plays: Play, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.plays, self.tls, self.host = plays, tls, host
        self.heads, self.bodies, self._writers = [], [], []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0, ssl=self.tls, limit=1 << 16)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            with suppress(AttributeError):  # Python 3.11: TLS that has ended cannot be aborted
                writer.transport.abort()
        await until(lambda: self.ended == self.connections)

    def send(self, unasked: bytes = b"") -> None:
        """Send bytes that nobody asked for on every connection, or close them all."""
        for writer in self._writers:
            if unasked:
                writer.write(unasked)
            else:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.most = max(self.most, self.connections - self.ended)
        self._writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._played(reader, writer):
                pass
        self.ended += 1
        writer.close()

    async def _played(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Play with one request. False if the connection ends with it."""
        head = await reader.readuntil(b"\r\n\r\n")
        play = self.plays[min(len(self.heads), len(self.plays) - 1)]
        self.heads.append(head)
        writer.write(play.before_body)
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        if play.reads_body:
            self.bodies.append(await reader.readexactly(length))
        if play.hangs:
            await reader.read()
            return False
        writer.write(play.answer)
        await writer.drain()
        return not play.closes
