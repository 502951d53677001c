"""Reads Kafka's answers from a connection straight into one buffer.

asyncio's StreamReader, which aiokafka uses, makes an object of what each read of the socket brings, copies that to its buffer,
and copies the answer from there, all into fresh memory. Here the socket writes into a buffer that stays, and an answer is
copied from it once.

Each answer begins with its length in four bytes, also during a login. The length is not believed: the buffer grows with what
comes. As in fast_fetch.py, `install` puts these classes under the names by which aiokafka looks them up.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from struct import Struct
from typing import Any, Final

from aiokafka import conn

LENGTH: Final = Struct(">i")
BUFFER_BYTES_MIN: Final = 1 << 16
BUFFER_BYTES_KEPT: Final = 16 << 20  # after a larger answer the buffer begins small again


class AnswerProtocol(conn.AIOKafkaProtocol, asyncio.BufferedProtocol):  # type: ignore[misc]
    """aiokafka's protocol, for a transport that writes into a buffer. It takes the answers apart."""

    def __init__(self, *arguments: Any, loop: asyncio.AbstractEventLoop, **more: Any) -> None:
        super().__init__(*arguments, loop=loop, **more)
        self._answers: deque[bytes] = deque()
        self._buffer = bytearray(BUFFER_BYTES_MIN)
        self._filled = 0
        self._length: int | None = None  # of the answer that comes now; None while its length comes
        self._came = asyncio.Event()
        self._end: BaseException | None = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes belong: at most up to the end of the length, or of the answer."""
        end = LENGTH.size if self._length is None else self._length
        if self._filled == len(self._buffer):
            grown = bytearray(min(2 * self._filled, end))  # a new one, because the transport may still hold the old one
            grown[: self._filled] = self._buffer
            self._buffer = grown
        return memoryview(self._buffer)[self._filled : end]

    def buffer_updated(self, nbytes: int) -> None:
        """Note that so many bytes came. What cannot be an answer ends the connection."""
        if self._end is not None:
            return
        self._filled += nbytes
        if self._length is None and self._filled == LENGTH.size:
            length, self._filled = LENGTH.unpack_from(self._buffer)[0], 0
            if length > 0:
                self._length = length
            else:
                self._ended(ConnectionError(f"an answer of {length} bytes: this is not a Kafka"))
        elif self._filled == self._length:
            self._answers.append(bytes(memoryview(self._buffer)[: self._length]))
            self._length, self._filled = None, 0
            if len(self._buffer) > BUFFER_BYTES_KEPT:
                self._buffer = bytearray(BUFFER_BYTES_MIN)
            self._came.set()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a transport that does not write into buffers, as uvloop's does not for this kind of protocol."""
        left = memoryview(data)
        while left:
            room = self.get_buffer(-1)
            count = min(len(room), len(left))
            room[:count] = left[:count]
            self.buffer_updated(count)
            left = left[count:]

    def eof_received(self) -> bool:
        """Kafka has closed the connection."""
        self._ended(None)
        return bool(super().eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._ended(exc)
        super().connection_lost(exc)

    def _ended(self, error: Exception | None) -> None:
        self._end = self._end or error or asyncio.IncompleteReadError(bytes(self._filled), None)
        self._came.set()

    async def answer(self) -> bytes:
        """The next answer, without its length. Raises OSError or EOFError if the connection ends before."""
        while not self._answers:
            if self._end is not None:
                raise self._end
            self._came.clear()
            await self._came.wait()
        return self._answers.popleft()


class AnswerConnection(conn.AIOKafkaConnection):  # type: ignore[misc]
    """aiokafka's connection, which takes its answers from the protocol."""

    _protocol: AnswerProtocol

    @staticmethod
    async def _read(self_ref: weakref.ref[AnswerConnection]) -> None:
        """Hand each answer over. A connection that nobody holds ends, so it is not held while this waits."""
        connection = self_ref()
        protocol = connection._protocol if connection else None
        while connection is not None and protocol is not None:
            del connection
            answer = await protocol.answer()
            connection = self_ref()
            if connection is not None:
                connection._handle_frame(answer)


def install() -> None:
    """Make every connection of aiokafka in this process use these classes."""
    conn.AIOKafkaProtocol = AnswerProtocol
    conn.AIOKafkaConnection = AnswerConnection
