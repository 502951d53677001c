"""The connections to a store, and every way in which a server can let them down, against a played server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from pipeline.config import S3Connector
from pipeline.connectors.s3.http import connection as connections
from pipeline.connectors.s3.http import pool as pools
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import OperatorError, RetryableError
from tests.parts.certificates import certificate
from tests.parts.part import S3Part
from tests.parts.played_store import GO_ON, OK, Play, PlayedStore
from tests.parts.stores import connector, keys_in
from tests.parts.waiting import turns, until

# The hook that pytest-asyncio names instead counts for whole folders.
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy:pytest.PytestDeprecationWarning")

DONE = Play(OK)
REFUSED = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
LARGE = bytes(3 << 20)


@pytest.fixture(
    scope="module", params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"]
)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Both loops: processes run on uvloop where it is, and connections end differently there."""
    return request.param()


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[ssl.SSLContext | None, dict[str, Any]]]:
    """The server's side of TLS, and the connector's settings for it; or none."""
    if request.param == "http":
        yield None, {"enable": False}
    else:
        yield certificate(tmp_path), {"enable": True, "cacertfile": str(tmp_path / "cert.pem")}


@asynccontextmanager
async def opened(server: PlayedStore, **options: Any) -> AsyncIterator[S3Store]:
    """A store at the played server, whose requests are not repeated."""
    settings = {"host": server.host, "port": server.port, "access_key_id": "a", "secret_access_key": "b"}
    settings |= {key: options.pop(key) for key in ("host", "access_method") if key in options}
    transport = {"ssl": {"enable": False}, "max_retries": 0, **options}
    async with S3Store(S3Connector.model_validate({**settings, "transport_options": transport})) as store:
        yield store


def methods(server: PlayedStore) -> list[str]:
    """The methods of the requests that arrived."""
    return [head.split()[0].decode() for head in server.heads]


async def test_requests_use_the_connection_again(tls: tuple[ssl.SSLContext | None, dict[str, Any]]) -> None:
    """One after another needs one connection, with and without TLS."""
    async with PlayedStore(DONE, tls=tls[0]) as server, opened(server, ssl=tls[1]) as store:
        for number in range(5):
            assert await store.put("b-1", f"k{number}", b"1", {}) == '"e"'
        assert (server.connections, len(server.heads)) == (1, 5)


async def test_a_connection_that_was_closed_while_idle_is_not_used(
    tls: tuple[ssl.SSLContext | None, dict[str, Any]],
) -> None:
    """The next request has another connection, and arrives once."""
    async with PlayedStore(DONE, tls=tls[0]) as server, opened(server, ssl=tls[1]) as store:
        await store.put("b-1", "k", b"1", {})
        server.send()
        await until(lambda: not store._wire._pool._open)

        await store.put("b-1", "k", b"2", {})
        assert (server.connections, server.bodies) == (2, [b"1", b"2"])


async def test_a_request_that_met_the_end_of_a_kept_connection_is_sent_once_more(
    tls: tuple[ssl.SSLContext | None, dict[str, Any]],
) -> None:
    """It goes to a new connection, also when other kept ones have ended too, and one more end is an error."""
    ends = Play(closes=True)
    async with PlayedStore(DONE, ends, DONE, ends, ends, tls=tls[0]) as server, opened(server, ssl=tls[1]) as store:
        await store.put("b-1", "k", b"1", {})
        await store.put("b-1", "k", b"2", {})
        assert (server.connections, server.bodies) == (2, [b"1", b"2", b"2"])

        with pytest.raises(RetryableError, match=r"ended before an answer|reset") as caught:
            await store.put("b-1", "k", b"3", {})
        assert caught.value.reason == "connection"
        assert (server.connections, server.bodies[3:]) == (3, [b"3", b"3"])


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 20", OK[:-4], b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"])
async def test_a_request_on_a_new_connection_is_not_repeated(answer: bytes) -> None:
    """The store may have carried it out. The caller decides what that means."""
    async with PlayedStore(Play(answer, closes=True)) as server, opened(server) as store:
        with pytest.raises(RetryableError, match="ended") as caught:
            await store.put("b-1", "k", b"1", {})
        assert (caught.value.reason, len(server.heads)) == ("connection", 1)


async def test_a_request_is_not_sent_again_once_anything_of_an_answer_has_come() -> None:
    """Also on a kept connection."""
    async with PlayedStore(DONE, Play(b"HTTP/1.1 5", closes=True), DONE) as server, opened(server) as store:
        await store.put("b-1", "k", b"1", {})
        with pytest.raises(RetryableError, match="in the middle"):
            await store.put("b-1", "k", b"2", {})
        assert len(server.heads) == 2


async def test_a_post_has_a_connection_of_its_own_and_is_sent_once() -> None:
    """A kept connection might end under it, and nobody would know whether it had an effect."""
    async with PlayedStore(DONE, Play(closes=True), DONE) as server, opened(server) as store:
        await store.put("b-1", "k", b"1", {})
        with pytest.raises(RetryableError):
            await store._wire.request("POST", "b-1", "k", query={"uploads": ""})
        assert (server.connections, methods(server)) == (2, ["PUT", "POST"])


@pytest.mark.parametrize(
    ("answer", "closes", "content"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", False, b"abc"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n", False, b"abc"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", True, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, b""),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", False, b"a"),
    ],
)
async def test_every_form_of_an_answer_is_read(
    tls: tuple[ssl.SSLContext | None, dict[str, Any]], answer: bytes, closes: bool, content: bytes
) -> None:
    """The next request works after each, and uses the same connection if the answer leaves it open."""
    async with PlayedStore(Play(answer, closes), DONE, tls=tls[0]) as server, opened(server, ssl=tls[1]) as store:
        assert await store.get("b-1", "k") == content
        await store.put("b-1", "k", b"1", {})
        assert server.connections == (2 if closes else 1)


async def test_an_answer_to_head_has_no_content() -> None:
    """Its length is the object's, and the connection can be used again."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nX-Amz-Meta-Who: me\r\n\r\n"
    async with PlayedStore(Play(head), DONE) as server, opened(server) as store:
        found = await store.head("b-1", "k")
        await store.put("b-1", "k", b"1", {})
        assert found is not None
        assert (found.size_bytes, found.metadata, server.connections) == (77, {"who": "me"}, 1)


async def test_what_is_no_answer_is_an_error_that_names_host_and_finding() -> None:
    """The connection is closed, and no configured secret is printed, even if the server sends everything back."""
    echo = b"PUT /b-1/k HTTP/1.1\r\nx-auth-token: sesame\r\n\r\n"
    async with PlayedStore(Play(echo), DONE) as server, opened(server, headers={"x-auth-token": "sesame"}) as store:
        with pytest.raises(RetryableError) as caught:
            await store.put("b-1", "k", b"1", {})
        await until(lambda: server.ended == 1)

    words = str(caught.value)
    assert f"http://127.0.0.1:{server.port}: PUT b-1/k: expected an answer in HTTP/1.1, found 'PUT /b-1/k" in words
    assert "sesame" not in words
    assert "Signature" not in words


@pytest.mark.parametrize("unasked", [OK, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", b"x"])
async def test_bytes_that_nobody_asked_for_end_an_idle_connection(unasked: bytes) -> None:
    """They are never taken for the answer to the next request."""
    async with PlayedStore(DONE) as server, opened(server) as store:
        await store.put("b-1", "k", b"1", {})
        server.send(unasked)
        await until(lambda: server.ended == 1)

        await store.put("b-1", "k", b"2", {})
        assert server.connections == 2


async def test_bytes_after_an_answer_end_the_connection() -> None:
    """The answer counts."""
    async with PlayedStore(Play(OK + OK)) as server, opened(server) as store:
        for _ in range(2):
            await store.put("b-1", "k", b"1", {})
        assert server.connections == 2


async def test_an_idle_connection_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that servers rarely close it under a request."""
    monkeypatch.setattr(pools, "KEPT_SECONDS_MAX", 0.05)
    async with PlayedStore(DONE) as server, opened(server) as store:
        await asyncio.gather(*(store.put("b-1", f"k{n}", b"1", {}) for n in range(3)))
        await until(lambda: server.ended == server.connections)
        assert not store._wire._pool._idle

        await store.put("b-1", "k", b"1", {})
        await until(lambda: server.ended == server.connections)


async def test_no_answer_in_time_is_an_error_and_the_connection_is_closed() -> None:
    """The time includes the wait for a place."""
    async with PlayedStore(Play(hangs=True)) as server, opened(server, request_timeout="100ms", pool_size=1) as store:
        for attempt in await asyncio.gather(
            *(store.put("b-1", f"k{n}", b"1", {}) for n in range(2)), return_exceptions=True
        ):
            assert isinstance(attempt, RetryableError)
            assert attempt.reason == "timeout"
            assert "no answer within 0.1 s" in str(attempt)
        await until(lambda: server.ended == server.connections)


async def test_no_connection_in_time_is_an_error_that_says_so() -> None:
    """A server that accepts and never shakes hands counts as no connection."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        server = PlayedStore(DONE)
        server.port = listening.sockets[0].getsockname()[1]
        async with opened(server, ssl={"enable": True}, connect_timeout="100ms") as store:
            with pytest.raises(RetryableError, match=r"no connection to 127.0.0.1 within 0.1 s") as caught:
                await store.put("b-1", "k", b"1", {})
        assert caught.value.reason == "timeout"
        await turns()


@pytest.mark.parametrize("large", [False, True])
async def test_a_cancelled_request_closes_its_connection(large: bool) -> None:
    """Its answer, which may still come, is nobody's; its place is free at once."""
    play = Play(hangs=True, reads_body=not large)
    async with PlayedStore(play, DONE) as server, opened(server, pool_size=1) as store:
        task = asyncio.create_task(store.put("b-1", "k", LARGE * 3 if large else b"1", {}))
        await until(lambda: len(server.heads) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await store.put("b-1", "k", b"2", {})
        await until(lambda: server.ended == 1)
        assert (server.connections, server.bodies[-1]) == (2, b"2")


async def test_a_cancelled_wait_for_a_place_leaves_the_place_to_others() -> None:
    """Whoever waited after it has the place."""
    async with PlayedStore(Play(hangs=True), DONE) as server, opened(server, pool_size=1) as store:
        first, second, third = (asyncio.create_task(store.put("b-1", f"k{n}", b"1", {})) for n in range(3))
        await until(lambda: len(server.heads) == 1)
        second.cancel()
        first.cancel()
        assert await third == '"e"'
        assert second.cancelled()


async def test_closing_ends_requests_under_way_and_those_that_wait() -> None:
    """Each is an error for its caller, and no connection is left."""
    async with PlayedStore(Play(hangs=True)) as server:
        async with opened(server, pool_size=2) as store:
            tasks = [asyncio.create_task(store.put("b-1", f"k{n}", b"1", {})) for n in range(4)]
            await until(lambda: len(server.heads) == 2)
        done = await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: server.ended == server.connections)

    assert [type(each) for each in done] == [RetryableError] * 4


async def test_large_content_waits_until_the_server_asks_for_it(
    tls: tuple[ssl.SSLContext | None, dict[str, Any]],
) -> None:
    """Small content does not."""
    play = Play(OK, before_body=GO_ON)
    async with PlayedStore(play, tls=tls[0]) as server, opened(server, ssl=tls[1]) as store:
        await store.put("b-1", "k", LARGE, {})
        await store.put("b-1", "k", b"1", {})
        assert server.bodies == [LARGE, b"1"]
        assert [b"\r\nexpect: 100-continue\r\n" in head for head in server.heads] == [True, False]
        assert server.connections == 1


async def test_content_that_the_server_refuses_is_not_sent() -> None:
    """The refusal counts, and the connection is not used again, because the server may wait for the content."""
    async with PlayedStore(Play(REFUSED, reads_body=False), DONE) as server, opened(server) as store:
        with pytest.raises(OperatorError, match="403"):
            await store.put("b-1", "k", LARGE, {})
        await store.put("b-1", "k", b"1", {})
        assert (server.connections, server.bodies) == (2, [b"1"])


async def test_a_refusal_in_the_middle_of_content_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest is not sent."""
    monkeypatch.setattr(connections, "EXPECT_BYTES_MIN", 1 << 40)
    async with PlayedStore(Play(before_body=REFUSED, hangs=True, reads_body=False)) as server, opened(server) as store:
        with pytest.raises(OperatorError, match="403"):
            await store.put("b-1", "k", LARGE * 10, {})
        assert len(server.heads) == 1


async def test_a_server_that_never_asks_gets_the_content_and_is_not_waited_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some do not know `Expect`."""
    monkeypatch.setattr(connections, "CONTINUE_SECONDS", 0.05)
    async with PlayedStore(DONE) as server, opened(server) as store:
        for _ in range(2):
            await store.put("b-1", "k", LARGE, {})
        assert server.bodies == [LARGE] * 2
        assert [b"\r\nexpect:" in head for head in server.heads] == [True, False]


async def test_a_server_that_refuses_to_be_asked_gets_the_content_without() -> None:
    """417 is about `Expect` alone (RFC 9110, section 10.1.1)."""
    failed = Play(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", reads_body=False)
    async with PlayedStore(failed, DONE) as server, opened(server) as store:
        for _ in range(2):
            await store.put("b-1", "k", LARGE, {})
        assert server.bodies == [LARGE] * 2
        assert [b"\r\nexpect:" in head for head in server.heads] == [True, False, False]


async def test_content_is_not_copied_ahead_of_a_slow_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server has not taken stays where it is, so a large object is not in memory twice."""
    monkeypatch.setattr(connections, "EXPECT_BYTES_MIN", 1 << 40)
    buffered: list[int] = []
    real = connections.HttpConnection.pause_writing

    def paused(self: connections.HttpConnection) -> None:
        buffered.append(self._transport.get_write_buffer_size())
        real(self)

    async with PlayedStore(DONE) as server, opened(server) as store:
        monkeypatch.setattr(connections.HttpConnection, "pause_writing", paused)
        await store.put("b-1", "k", LARGE * 10, {})
        assert server.bodies == [LARGE * 10]

    assert buffered
    assert max(buffered) <= 2 << 18


async def test_a_store_may_have_an_ipv6_address() -> None:
    """The Host header has it in brackets."""
    try:
        probe = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    probe.close()
    async with PlayedStore(DONE, host="::1") as server, opened(server) as store:
        await store.put("b-1", "k", b"1", {})
        assert f"\r\nhost:[::1]:{server.port}\r\n".encode() in server.heads[0]


async def test_cancelled_and_large_requests_leave_a_real_store_usable(s3: S3Part, bucket: str) -> None:
    """Objects of all sizes are whole after requests were cancelled at any moment, over few connections."""
    options = {"ssl": {"enable": False}, "pool_size": 4}
    bodies = {
        f"k{number}": bytes([number]) * size for number, size in enumerate((0, 1, 1 << 18, (1 << 18) + 1, 5 << 20))
    }
    async with S3Store(connector(s3, transport_options=options)) as store:
        for count in range(8):
            tasks = [asyncio.create_task(store.put(bucket, key, body, {})) for key, body in bodies.items()]
            await turns(2 * count)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(store.put(bucket, key, body, {}) for key, body in bodies.items()))

        assert await keys_in(store, bucket) == sorted(bodies)
        assert [await store.get(bucket, key) for key in bodies] == list(bodies.values())
        assert len(store._wire._pool._open) <= 4
