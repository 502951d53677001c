"""A faulty network in front of an S3 store: a proxy that breaks chosen requests in chosen ways.

    with FaultyS3(s3, seed=7) as proxy:                      # s3: a started S3Part; proxy.part is the same store, seen through it
        proxy.inject(Fault("lose_answer", methods=("PUT",)))  # every PUT succeeds and its answer is lost
        proxy.inject(Fault("error", chance=0.3, status=503, code="SlowDown"), Fault("delay", chance=0.1, seconds=0.5))
        proxy.heal()                                          # from now on nothing is broken
        proxy.seen                                            # what passed: method, path with query, fault, store's status

The first fault that matches a request breaks it; `inject` replaces what was injected before. It runs in a thread of its own,
so that tests with and without an event loop, and other processes, can use it. One seed decides what `chance` does to each
request in the order of their arrival. It knows HTTP and nothing of S3: requests are read whole, so the store sees either all
bytes of a request, half of them (`cut_midway`), or none; signatures stay good because the Host header is passed on.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
import ssl
import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from pipeline.demo.process import HOST, free_port
from tests.parts.part import S3Part
from tests.parts.waiting import pause

Kind = Literal[
    "refuse",  # the connection is closed as soon as it is there; in TLS, in the middle of the handshake
    "cut_before",  # the request is read and lost: the store sees nothing, the connection is cut
    "cut_midway",  # the store gets half of the bytes, then both connections are cut
    "cut_sent",  # the store gets all bytes; both connections are cut at once, so that the outcome is anybody's guess
    "lose_answer",  # the store carries it out; the connection is cut instead of saying so (a refusal is passed on)
    "cut_answer",  # half of the answer's bytes, then the connection is cut
    "hang",  # the request is read, the store sees nothing, no answer comes, the connection stays
    "hang_after",  # the store answers; nothing of it is passed on, the connection stays
    "ignore_condition",  # If-Match and If-None-Match do not reach the store, which must not check signatures
    "error",  # an S3 error document with `status` and `code`; the store sees nothing
    "delay",  # the answer comes `seconds` late
    "trickle",  # the answer comes in pieces of a few bytes, `seconds` in all
]


_CONDITION = re.compile(rb"\r\nif-(none-)?match:[^\r]*\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break requests, and the requests that it breaks."""

    kind: Kind
    chance: float = 1.0  # 1.0: each request that matches
    methods: tuple[str, ...] = ()  # none: all
    header: str = ""  # of requests with this header (in lower case); none: all
    path: str = ""  # a regular expression that is searched in the path with its query
    times: int = 0  # the first so many only; 0: without end
    status: int = 503
    code: str = "SlowDown"
    body: str = ""  # further elements of the error document, such as "<Region>eu-west-1</Region>"
    headers: tuple[tuple[str, str], ...] = ()  # of the error
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that arrived. `status` is the store's answer, or 0 if the store was not asked or its answer was not awaited."""

    method: str
    path: str
    fault: Kind | None
    status: int


@dataclass(slots=True)
class _Message:
    """An HTTP message as bytes, and what of it decides how to go on."""

    start: str
    headers: dict[str, str]
    raw: bytes
    close: bool = False

    @property
    def status(self) -> int:
        return int(self.start.split()[1])


@dataclass
class FaultyS3:
    """The proxy. Use as `with FaultyS3(part) as proxy`, or call `start` and `stop`. `tls` makes it speak TLS to its clients."""

    target: S3Part
    seed: int = 0
    tls: ssl.SSLContext | None = None
    port: int = field(default_factory=free_port)
    seen: list[Seen] = field(default_factory=list)
    _faults: list[Fault] = field(default_factory=list)
    _used: Counter[Fault] = field(default_factory=Counter)
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _stopping: asyncio.Event | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)
        self._lock = threading.Lock()

    @property
    def part(self) -> S3Part:
        """The store through the proxy: another port, and the same server to stop and start."""
        return dataclasses.replace(self.target, port=self.port)

    def inject(self, *faults: Fault) -> None:
        """Break requests from now on. The first fault that matches counts. Earlier faults end."""
        with self._lock:
            self._faults, self._used = list(faults), Counter()

    def heal(self) -> None:
        """Break no more requests. Requests that hang stay hanging."""
        self.inject()

    def injected(self, kind: Kind) -> int:
        """The number of requests that were broken in this way."""
        return sum(1 for each in list(self.seen) if each.fault == kind)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Returns when clients can connect."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True, name="faulty S3")
        self._thread.start()
        assert ready.wait(10), f"the proxy did not listen on port {self.port}"

    def stop(self) -> None:
        """Cut every connection and stop listening."""
        if self._thread and self._loop and self._stopping:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, HOST, self.port, backlog=1024)
        ready.set()
        await self._stopping.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream: list[asyncio.StreamWriter] = []
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, ssl.SSLError):
                await self._pass(reader, writer, upstream)
        finally:
            self._tasks.discard(task)
            for each in (writer, *upstream):
                each.transport.abort()

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: list[asyncio.StreamWriter]
    ) -> None:
        """Pass requests of one connection until it ends or is broken."""
        if self._choose("", "", of_connections=True):
            self.seen.append(Seen("", "", "refuse", 0))
            if self.tls:
                await reader.read(1)  # of the client's hello
            return
        if self.tls:
            await writer.start_tls(self.tls)
        store: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        while True:
            request = await _read(reader, writer=writer)
            method, path = request.start.split()[:2]
            fault = self._choose(method, path, request.headers)
            kind = fault.kind if fault else None
            if fault and kind in {"cut_before", "hang", "error"}:
                self.seen.append(Seen(method, path, kind, 0))
                if not await _unpassed(fault, method, reader, writer):
                    return
                continue
            if store is None:
                store = await asyncio.open_connection(self.target.host, self.target.port)
                upstream.append(store[1])
            if kind == "ignore_condition":
                request.raw = _CONDITION.sub(b"\r\n", request.raw, count=1)
            store[1].write(request.raw[: len(request.raw) // 2] if kind == "cut_midway" else request.raw)
            await store[1].drain()
            if kind in {"cut_midway", "cut_sent"}:
                self.seen.append(Seen(method, path, kind, 0))
                store[1].close()  # with everything written, unlike an abort
                return
            answer = await _read(store[0], head=method == "HEAD")
            if kind == "lose_answer" and answer.status >= 300:
                fault = kind = None
            self.seen.append(Seen(method, path, kind, answer.status))
            if not await _answer(fault, answer, reader, writer):
                return
            if answer.close:
                store[1].close()
                store = None

    def _choose(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, *, of_connections: bool = False
    ) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if (fault.kind == "refuse") != of_connections or (fault.times and self._used[fault] >= fault.times):
                    continue
                if not of_connections and (
                    (fault.methods and method not in fault.methods)
                    or not re.search(fault.path, path)
                    or (fault.header and fault.header not in (headers or {}))
                ):
                    continue
                if self._chance.random() < fault.chance:
                    self._used[fault] += 1
                    return fault
        return None


async def _unpassed(fault: Fault, method: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """What the client sees of a request that the store does not. False if the connection ends with it."""
    if fault.kind == "hang":
        await reader.read()  # until the client gives up
    if fault.kind != "error":
        return False
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{fault.code}</Code><Message>injected</Message>{fault.body}</Error>"
    ).encode()
    lines = [f"HTTP/1.1 {fault.status} Injected", "Content-Type: application/xml", f"Content-Length: {len(document)}"]
    lines += [f"{name}: {value}" for name, value in fault.headers]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if method == "HEAD" else document))
    await writer.drain()
    return True


async def _answer(
    fault: Fault | None, answer: _Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Pass the store's answer on, as far as the fault lets it. False if the connection ends with it."""
    kind = fault.kind if fault else None
    raw = answer.raw
    if kind == "lose_answer":
        return False
    if kind == "hang_after":
        await reader.read()
        return False
    if kind == "cut_answer":
        writer.write(raw[: len(raw) // 2])
        await writer.drain()
        writer.close()
        return False
    if fault and kind == "delay":
        await pause(fault.seconds)
    if fault and kind == "trickle":
        size = max(1, len(raw) // 20)
        for start in range(0, len(raw), size):
            writer.write(raw[start : start + size])
            await writer.drain()
            await pause(fault.seconds / 20)
    else:
        writer.write(raw)
        await writer.drain()
    if answer.close:
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()
    return not answer.close


async def _read(
    reader: asyncio.StreamReader, *, head: bool = False, writer: asyncio.StreamWriter | None = None
) -> _Message:
    """One request, or one answer (`head`: to a HEAD). `writer` tells a client that waits for it to go on with its body."""
    raw = await reader.readuntil(b"\r\n\r\n")
    start, *lines = raw.decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    message = _Message(start, headers, raw, close=headers.get("connection", "").lower() == "close")
    if writer and headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if head or start.startswith(("HTTP/1.1 204", "HTTP/1.1 304")):
        return message
    if start.startswith("HTTP/1.1 100"):
        return await _read(reader)  # it is told already
    if headers.get("transfer-encoding", "").lower() == "chunked":
        message.raw += await _chunks(reader)
    elif "content-length" in headers:
        message.raw += await reader.readexactly(int(headers["content-length"]))
    elif start.startswith("HTTP/"):
        message.raw += await reader.read()
        message.close = True
    return message


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        raw += line + await reader.readexactly(size + 2)
        if size == 0:
            return raw
