"""Reads Kafka's answers from a connection straight into one buffer.

asyncio's StreamReader, which aiokafka uses, makes an object of what each read of the socket brings, copies that to its buffer,
and copies the answer from there, all into fresh memory. Here the socket writes into a buffer that stays. A small answer is copied
from it. aiokafka reads a large one where it is, and copies the records of each partition: fresh memory for the whole answer
would cost more than to receive it.

Each answer begins with its length in four bytes, also during a login. The length is not believed: the buffer grows with what
comes. As in fast_fetch.py, `install` puts these classes under the names by which aiokafka looks them up.
"""

from __future__ import annotations

import asyncio
import io
import weakref
from collections import deque
from struct import Struct
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import conn

LENGTH: Final = Struct(">i")
BUFFER_BYTES_MIN: Final = 1 << 16
BUFFER_BYTES_KEPT: Final = 17 << 20  # the buffer of a larger answer is not used again
LARGE_BYTES_MIN: Final = 1 << 18  # larger than any answer during a login, which must be bytes


class LargeAnswer:
    """An answer in the buffer into which it came. aiokafka reads it from its beginning, in pieces."""

    def __init__(self, buffer: bytearray, size_bytes: int) -> None:
        self.buffer = buffer
        self._left = memoryview(buffer)[:size_bytes]

    def __len__(self) -> int:
        """The bytes that are left."""
        return len(self._left)

    def read(self, size: int = -1) -> bytes:
        """The next bytes: at most this number, or all."""
        end = len(self._left) if size < 0 else size
        found = bytes(self._left[:end])
        self._left = self._left[end:]
        return found


def reader_of(answer: bytes | LargeAnswer) -> io.BytesIO | LargeAnswer:
    """What aiokafka reads an answer from."""
    return answer if isinstance(answer, LargeAnswer) else io.BytesIO(answer)


class AnswerProtocol(conn.AIOKafkaProtocol, asyncio.BufferedProtocol):  # type: ignore[misc]
    """aiokafka's protocol, for a transport that writes into a buffer. It takes the answers apart."""

    def __init__(self, *arguments: Any, loop: asyncio.AbstractEventLoop, **more: Any) -> None:
        super().__init__(*arguments, loop=loop, **more)
        self._answers: deque[bytes | LargeAnswer] = deque()
        self._buffer = bytearray(BUFFER_BYTES_MIN)
        self._spare: bytearray | None = None  # the buffer of a large answer that was read
        self._filled = 0
        self._length: int | None = None  # of the answer that comes now; None while its length comes
        self._came = asyncio.Event()
        self._end: BaseException | None = None

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next bytes belong: at most up to the end of the length, or of the answer."""
        end = LENGTH.size if self._length is None else self._length
        if self._filled == len(self._buffer):
            grown, self._spare = self._spare, None
            if grown is None or len(grown) <= self._filled:
                grown = bytearray(min(2 * self._filled, end))  # a new one: the transport may still hold the old one
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
            if self._length < LARGE_BYTES_MIN:
                self._answers.append(bytes(memoryview(self._buffer)[: self._length]))
            else:
                self._answers.append(LargeAnswer(self._buffer, self._length))
                self._buffer = bytearray(BUFFER_BYTES_MIN)
            self._length, self._filled = None, 0
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

    async def answer(self) -> bytes | LargeAnswer:
        """The next answer, without its length. Raises OSError or EOFError if the connection ends before."""
        while not self._answers:
            if self._end is not None:
                raise self._end
            self._came.clear()
            await self._came.wait()
        return self._answers.popleft()

    def was_read(self, answer: bytes | LargeAnswer) -> None:
        """Use the buffer of this answer again. Nobody may read the answer any more."""
        if isinstance(answer, LargeAnswer) and len(answer.buffer) <= BUFFER_BYTES_KEPT:
            self._spare = answer.buffer


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
                connection._handle_frame(answer)  # reads all of it at once
                protocol.was_read(answer)


def install() -> None:
    """Make every connection of aiokafka in this process use these classes."""
    conn.io = SimpleNamespace(BytesIO=reader_of)
    conn.AIOKafkaProtocol = AnswerProtocol
    conn.AIOKafkaConnection = AnswerConnection
