"""Answers of Kafka are taken apart as they come, in any pieces, and a length is not believed."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from struct import pack
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from agents.stream.answers import BUFFER_BYTES_KEPT, BUFFER_BYTES_MIN, AnswerConnection, AnswerProtocol


async def protocol() -> AnswerProtocol:
    """A protocol without a connection."""
    loop = asyncio.get_running_loop()
    return AnswerProtocol(loop.create_future(), asyncio.StreamReader(loop=loop), loop=loop)


def framed(answers: list[bytes]) -> bytes:
    """The bytes of answers, each behind its length."""
    return b"".join(pack(">i", len(each)) + each for each in answers)


@given(
    answers=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5),
    sizes=st.lists(st.integers(1, 200), min_size=1),
)
def test_answers_come_in_any_pieces(answers: list[bytes], sizes: list[int]) -> None:
    """Whatever a read of the socket brings, and wherever one answer ends in it."""

    async def read() -> list[bytes]:
        ours, data, number = await protocol(), framed(answers), 0
        while data:
            room = ours.get_buffer(-1)
            count = min(len(room), len(data), sizes[number % len(sizes)])
            room[:count] = data[:count]
            ours.buffer_updated(count)
            data, number = data[count:], number + 1
        return [await ours.answer() for _ in answers]

    assert asyncio.run(read()) == answers


async def test_the_buffer_grows_with_what_comes() -> None:
    """A length of two gigabytes takes no memory by itself, and a buffer that became very large is not kept."""
    ours = await protocol()
    ours.data_received(pack(">i", (1 << 31) - 1))
    assert len(ours.get_buffer(-1)) == BUFFER_BYTES_MIN
    ours.data_received(bytes(BUFFER_BYTES_MIN))
    assert len(ours.get_buffer(-1)) == BUFFER_BYTES_MIN

    ours = await protocol()
    ours.data_received(framed([bytes(BUFFER_BYTES_KEPT + 1), b"small"]))

    assert len(await ours.answer()) == BUFFER_BYTES_KEPT + 1
    assert await ours.answer() == b"small"
    assert len(ours._buffer) == BUFFER_BYTES_MIN


@pytest.mark.parametrize("length", [0, -1, -(1 << 31)])
async def test_a_length_that_cannot_be_is_refused(length: int) -> None:
    """The connection ends with a ConnectionError, which aiokafka takes for a broken connection."""
    ours = await protocol()

    ours.data_received(framed([b"whole"]) + pack(">i", length) + framed([b"more"]))

    assert await ours.answer() == b"whole"
    with pytest.raises(ConnectionError, match="this is not a Kafka"):
        await ours.answer()


@asynccontextmanager
async def server(says: list[bytes], *, then_close: bool) -> AsyncIterator[tuple[str, int]]:
    """A server that says this to whoever connects."""
    ends = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for each in says:
            writer.write(each)
            await writer.drain()
        if not then_close:
            await ends.wait()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield listening.sockets[0].getsockname()
        ends.set()


async def answers_of(says: list[bytes], count: int, *, then_close: bool = False) -> list[Any]:
    """The first answers that a server sends, and the error of the connection if it ends before."""
    loop = asyncio.get_running_loop()
    async with server(says, then_close=then_close) as (host, port):
        reader = asyncio.StreamReader(loop=loop)
        transport, ours = await loop.create_connection(
            lambda: AnswerProtocol(loop.create_future(), reader, loop=loop), host, port
        )
        found: list[Any] = []
        try:
            while len(found) < count:
                found.append(await ours.answer())
        except (OSError, EOFError) as error:
            found.append(type(error))
        transport.close()
        return found


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_an_answer_comes_through_a_connection(run: Any) -> None:
    """On both kinds of event loop: uvloop does not write into the buffer of such a protocol, and asyncio does."""
    answers = [b"one", b"x" * 300_000, b"three"]
    whole = framed(answers)

    assert run(answers_of([whole[:5], whole[5:9], whole[9:]], 3)) == answers


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_came_before_the_end_is_read(run: Any) -> None:
    """If Kafka closes in the midst of an answer, whole answers before it are there, and then the end."""
    said = [framed([b"whole"]) + pack(">i", 10) + b"part"]

    assert run(answers_of(said, 2, then_close=True)) == [b"whole", asyncio.IncompleteReadError]


async def test_a_connection_that_nobody_holds_is_not_held_by_its_reader() -> None:
    """aiokafka closes a connection that was forgotten, and says so: the task that waits for answers must not keep it."""
    ours = await protocol()
    connection = AnswerConnection("127.0.0.1", 1)
    connection._protocol = ours
    held = weakref.ref(connection)
    task = asyncio.create_task(AnswerConnection._read(held))
    await asyncio.sleep(0)  # the task waits for an answer

    del connection

    assert held() is None
    ours.data_received(framed([b"late"]))
    await task
