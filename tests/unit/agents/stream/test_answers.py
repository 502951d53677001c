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

from agents.stream.answers import (
    BUFFER_BYTES_KEPT,
    BUFFER_BYTES_MIN,
    LARGE_BYTES_MIN,
    AnswerConnection,
    AnswerProtocol,
    LargeAnswer,
    reader_of,
)


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
        return [reader_of(await ours.answer()).read() for _ in answers]

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

    large = await ours.answer()
    assert len(large) == BUFFER_BYTES_KEPT + 1
    assert await ours.answer() == b"small"
    ours.was_read(large)
    assert ours._spare is None
    assert len(ours._buffer) == BUFFER_BYTES_MIN


@given(
    st.lists(st.tuples(st.integers(LARGE_BYTES_MIN // 2, 2 * LARGE_BYTES_MIN), st.booleans()), min_size=1, max_size=6)
)
def test_the_buffer_of_an_answer_is_used_again_once_it_was_read(answers: list[tuple[int, bool]]) -> None:
    """Answers that are read later than others come are not written over."""

    async def read() -> None:
        ours = await protocol()
        kept: list[tuple[Any, bytes]] = []
        for number, (size_bytes, is_kept) in enumerate(answers):
            content = bytes([number + 1]) * size_bytes
            ours.data_received(framed([content]))
            kept.append((await ours.answer(), content))
            for answer, said in [] if is_kept else kept:
                assert reader_of(answer).read() == said
                ours.was_read(answer)
            kept = kept if is_kept else []
        for answer, said in kept:
            assert reader_of(answer).read() == said

    asyncio.run(read())


async def test_a_large_answer_takes_the_buffer_of_the_one_before() -> None:
    """Memory that is fresh for each answer would cost more than to receive it."""
    ours, content = await protocol(), framed([bytes(LARGE_BYTES_MIN)])
    ours.data_received(content)
    first = await ours.answer()
    assert isinstance(first, LargeAnswer)
    ours.was_read(first)
    ours.data_received(content)

    second = await ours.answer()

    assert isinstance(second, LargeAnswer)
    assert second.buffer is first.buffer


@given(st.binary(max_size=40), st.lists(st.integers(-1, 15), max_size=8))
def test_a_large_answer_is_read_as_a_file(content: bytes, sizes: list[int]) -> None:
    """Each read gives what `BytesIO` gives, at and beyond the end, too."""
    answer, file = LargeAnswer(bytearray(content + b"of an earlier answer"), len(content)), reader_of(content)

    assert [answer.read(size) for size in sizes] == [file.read(size) for size in sizes]
    assert len(answer) == len(file.read())


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
                found.append(reader_of(await ours.answer()).read())
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
