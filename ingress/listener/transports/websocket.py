"""MQTT inside a WebSocket: the protocol of the socket, and the transport of the device's connection.

wsproto reads and writes the frames. The bytes of binary frames, in pieces of any size, are the stream of the device, so the
connection and its limits are those of a plain socket. What costs work and brings no bytes of MQTT counts as packets without a
message. The time for the handshake is part of the time for the login, and its size is bounded (h11).

A turn handles a bounded part of a read. The rest waits for the next turn of the loop, and nothing is read meanwhile.

Sources: RFC 6455; MQTT 5.0 chapter 6. This file does not know MQTT packets.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final, Protocol

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

PIECE_BYTES: Final = 8192  # of a read, in one turn; frames of some bytes each take some 2 ms
ORIGIN: Final = re.compile(r"(?i:https?|wss?)://[^/?]*")  # before the path, from some proxies (RFC 9112 section 3.2.2)
SUBPROTOCOLS: Final = ("mqtt", "mqttv3.1")


class Stream(Protocol):
    """The connection of the device, as a socket sees it."""

    def connection_made(self, transport: Any) -> None: ...

    def data_received(self, data: bytes) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None: ...

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...

    def count_noise(self, count: int) -> None:
        """Count frames that brought nothing."""

    def transport_failed(self, reason: str, error: str) -> None:
        """Tell why there is no WebSocket, or no more."""


class WebSocket(asyncio.Protocol):
    """One WebSocket. Towards the device's connection it has the methods of an asyncio transport."""

    def __init__(self, stream: Stream, path: str) -> None:
        self._stream = stream
        self._path = path
        self._frames = WSConnection(ConnectionType.SERVER)
        self._transport: Any = None
        self._rest, self._at = b"", 0  # a read, and how far it is handled
        self._is_held = False  # the connection wants no more bytes
        self._is_paused = False  # the socket is not read
        self._next_turn: asyncio.Handle | None = None

    # --- The socket

    def connection_made(self, transport: Any) -> None:
        """The socket is open, with TLS if there is any. The handshake follows."""
        self._transport = transport
        self._stream.connection_made(self)

    def data_received(self, data: bytes) -> None:
        """A read. TLS may bring one more after a pause."""
        self._rest, self._at = (self._rest[self._at :] + data if self._rest else data), 0
        self._turn()

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._rest = b""
        self._stream.connection_lost(exc)

    def pause_writing(self) -> None:
        """The device does not read what we send."""
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        """It reads again."""
        self._stream.resume_writing()

    # --- A turn

    def _turn(self) -> None:
        self._next_turn = None
        if self._rest and not self._is_held and not self.is_closing():
            piece = self._rest[self._at : self._at + PIECE_BYTES]
            self._at += len(piece)
            if self._at >= len(self._rest):
                self._rest = b""
            self._take(piece)
        self._read_or_wait()

    def _read_or_wait(self) -> None:
        """Read the socket only if nothing waits and the connection wants more."""
        if self.is_closing():
            return
        if self._rest and not self._is_held and self._next_turn is None:
            self._next_turn = asyncio.get_running_loop().call_soon(self._turn)
        should_pause = self._is_held or bool(self._rest)
        if should_pause != self._is_paused:
            self._is_paused = should_pause
            (self._transport.pause_reading if should_pause else self._transport.resume_reading)()

    def _take(self, piece: bytes) -> None:
        """Handle the frames that `piece` completes. The stream gets all their bytes at once."""
        found: list[bytes] = []
        noise = 0
        try:
            self._frames.receive_data(piece)
            for event in self._frames.events():
                if isinstance(event, BytesMessage):
                    found.append(bytes(event.data))
                    noise += len(event.data) < 2
                elif not self._on(event):
                    break
                else:
                    noise += 1
        except RemoteProtocolError as error:
            self._refuse(400, f"expected the handshake of a WebSocket: {error}")
        except UnicodeError:  # wsproto decodes some headers, and lets this through
            self._refuse(400, "expected the handshake of a WebSocket: a header is not ASCII")
        if found:
            self._stream.data_received(b"".join(found))
        if noise and not self.is_closing():
            self._stream.count_noise(noise)

    def _on(self, event: Any) -> bool:
        """Handle what is not a message. Returns False if this was the last event."""
        match event:
            case Request():
                return self._shake_hands(event)
            case Ping():
                self._transport.write(self._frames.send(event.response()))
            case TextMessage():
                self._end(CloseReason.UNSUPPORTED_DATA, "expected binary frames")
                return False
            case CloseConnection(code=code, reason=reason):
                if self._frames.state is ConnectionState.OPEN:  # wsproto found an error in a frame
                    self._end(code, str(reason))
                    return False
                self._transport.write(self._frames.send(event.response()))
                self._transport.close()
                return False
        return True

    def _shake_hands(self, request: Request) -> bool:
        offered = [each for each in SUBPROTOCOLS if each in request.subprotocols]
        if _path(request.target) != self._path:
            self._refuse(404, f"expected the path {self._path}")
        elif not offered:
            self._refuse(400, "expected the subprotocol mqtt")
        else:
            self._transport.write(self._frames.send(AcceptConnection(subprotocol=offered[0])))
            return True
        return False

    def _refuse(self, status: int, error: str) -> None:
        """Answer a request that opens no WebSocket."""
        self._stream.transport_failed("websocket", error)
        if self._frames.state in (ConnectionState.CONNECTING, ConnectionState.REJECTING):
            headers = [(b"connection", b"close"), (b"content-length", b"0")]
            self._transport.write(self._frames.send(RejectConnection(status_code=status, headers=headers)))
        self._transport.close()

    def _end(self, code: int, error: str) -> None:
        """Close a WebSocket whose frames are wrong."""
        self._stream.transport_failed("websocket", error)
        self._transport.write(self._frames.send(CloseConnection(code=code, reason=error[:100])))
        self._transport.close()

    # --- The transport of the connection

    def write(self, data: bytes) -> None:
        """Send bytes of MQTT in one frame."""
        if self._frames.state is ConnectionState.OPEN:
            self._transport.write(self._frames.send(BytesMessage(data=data)))

    def pause_reading(self) -> None:
        """Give the connection no more bytes."""
        self._is_held = True
        self._read_or_wait()

    def resume_reading(self) -> None:
        """Go on."""
        self._is_held = False
        self._read_or_wait()

    def is_closing(self) -> bool:
        """Whether nothing more will be sent."""
        return bool(self._transport.is_closing())

    def close(self) -> None:
        """Close the WebSocket and the socket, after what was written."""
        if self._frames.state is ConnectionState.OPEN and not self.is_closing():
            self._transport.write(self._frames.send(CloseConnection(code=CloseReason.NORMAL_CLOSURE)))
        self._transport.close()

    def can_write_eof(self) -> bool:
        """No: the device would lose its socket without a last frame."""
        return False

    def abort(self) -> None:
        """Close the socket at once."""
        self._transport.abort()

    def get_extra_info(self, name: str) -> Any:
        """Both addresses and the certificate, as the socket knows them."""
        return self._transport.get_extra_info(name)


def _path(target: str) -> str:
    """The path of a request's target."""
    origin = ORIGIN.match(target)
    return target[origin.end() if origin else 0 :].partition("?")[0]
