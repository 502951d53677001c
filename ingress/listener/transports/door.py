"""The sockets on which a listener accepts connections, a few in each turn of the event loop.

asyncio's own server accepts all waiting connections at once, and reports a connection with TLS only after its
handshake. Then connections in a handshake would not be counted, and a handshake that fails would not be seen.

This file does not know MQTT, and does not decide which connection has a place.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Final

from ingress.listener.connection import DeviceConnection
from ingress.listener.limits.turnstile import Turnstile
from pipeline.log import get_logger

log: Final = get_logger("tidegate.ingress")

BACKLOG: Final = 1024
ACCEPTED_PER_TURN: Final = 20
OUT_OF_FILES_SECONDS: Final = 1.0

Newcomer = Callable[[socket.socket, str], None]


class Door:
    """The door of one listener. `newcomer` gets each connection and its host, and must close a connection that it refuses."""

    def __init__(self, newcomer: Newcomer) -> None:
        self._newcomer = newcomer
        self._sockets: list[socket.socket] = []

    async def open(self, host: str, port: int) -> None:
        """Listen on all addresses of `host`. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, kind, protocol, _, address in dict.fromkeys(found):
                listening = socket.socket(family, kind, protocol)
                self._sockets.append(listening)
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listening.setblocking(False)
                listening.bind(address)
                listening.listen(BACKLOG)
        except OSError:
            self.close()
            raise
        for each in self._sockets:
            self._listen(each)

    def close(self) -> None:
        """Stop accepting connections."""
        for each in self._sockets:
            if each.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(each)
            each.close()

    def _listen(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_PER_TURN):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # usually too many open files: waiting connections are still there a moment later
                log.warning("listener.cannot_accept", error=error.strerror or str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(OUT_OF_FILES_SECONDS, self._listen, listening)
                return
            connection.setblocking(False)
            self._newcomer(connection, str(address[0]) if address else "")


def let_in(
    raw: socket.socket, host: str, connection: DeviceConnection, tls: ssl.SSLContext | None, handshakes: Turnstile
) -> None:
    """Give an accepted socket its place, and then its transport. Handshakes take turns."""
    if not connection.arrive(host):
        raw.close()
        return
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if tls is None:
        _begin(raw, connection, None)
    else:
        handshakes.enter(lambda: _begin(raw, connection, tls))


def _begin(raw: socket.socket, connection: DeviceConnection, tls: ssl.SSLContext | None) -> None:
    opening = asyncio.create_task(_open(raw, connection, tls))
    opening.add_done_callback(lambda _: connection.opened(raw))
    connection.opens(opening)


async def _open(raw: socket.socket, connection: DeviceConnection, tls: ssl.SSLContext | None) -> None:
    seconds = connection.login_seconds if tls is not None else None
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # the other side has closed it
        try:
            await loop.connect_accepted_socket(connection.carried, raw, ssl=tls, ssl_handshake_timeout=seconds)
        except ssl.SSLError as error:
            connection.transport_failed("tls", str(error))
