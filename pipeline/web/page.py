"""The page that each process serves, the same for both.

    /metrics   the counters, for Prometheus
    /healthz   alive: 200 while the process's event loop answers; for programs that restart processes
    /readyz    works: 200, or 503 with one reason a line; for programs that wait for the process
    /status    JSON for people: the status of each part, and why

If a bucket or a broker is away, the process is not ready, but it is alive: a restart would repair neither.

The page runs in its own threads and asks the event loop. So it can report a stuck loop, and /metrics still answers then. It uses
the server of the standard library, which prometheus_client loads anyway. This file does not know what a process does: it gets
two functions.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler
from importlib.metadata import version
from socketserver import ThreadingTCPServer
from typing import Any, Final, Literal, TypeVar

import orjson
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, Info, generate_latest

from pipeline import native
from pipeline.config.model import Metrics
from pipeline.errors import ConfigError
from pipeline.hidden import without_secrets

Process = Literal["ingress", "worker"]
Result = TypeVar("Result")

LOOP_SECONDS: Final = 5.0  # an event loop that does not answer in this time is stuck
REQUEST_SECONDS: Final = 10.0  # time for a client to send its request and to read the answer
CONNECTIONS_MAX: Final = 32  # at the same time; a further connection is closed at once
POLL_SECONDS: Final = 0.2  # how long the page takes to notice that it is closed

BUILD: Final = Info("tidegate_build", "The version of Tidegate and of Python, the process, and whether it uses C.")


class Report(Struct, frozen=True):
    """The report of a process about itself. Both functions are called on its event loop."""

    problems: Callable[[], list[str]]  # sentences that say why the process does not work now; empty while it works
    status: Callable[[], dict[str, Any]]


@asynccontextmanager
async def serving(process: Process, metrics: Metrics, report: Report) -> AsyncIterator[None]:
    """Serve the page while the context is open, if its port is set. Raises ConfigError if the port cannot be opened."""
    port = metrics.ingress_port if process == "ingress" else metrics.worker_port
    if not port:
        yield
        return
    BUILD.info(
        {
            "process": process,
            "version": version("tidegate"),
            "python": ".".join(map(str, sys.version_info[:3])),
            "native": "yes" if native.unpack else "no",
        }
    )
    try:
        server = _Server(metrics.bind, port, report, asyncio.get_running_loop())
    except OSError as error:
        problem = f"cannot listen on {metrics.bind}:{port}: {error.strerror or error}"
        raise ConfigError(problem, where=f"metrics.{process}_port") from None
    threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="page", daemon=True).start()
    try:
        yield
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()


class _Server(ThreadingTCPServer):
    """Listens, and handles each connection in a thread."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, bind: str, port: int, report: Report, loop: asyncio.AbstractEventLoop) -> None:
        self.address_family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self.report = report
        self._loop = loop
        self._room = threading.BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__((bind, port), _Request)

    def ask(self, question: Callable[[], Result]) -> Result:
        """The result of `question` on the event loop. Raises TimeoutError if the loop is stuck."""
        answer: Future[Result] = Future()

        def call() -> None:
            try:
                answer.set_result(question())
            except Exception as error:
                answer.set_exception(error)

        self._loop.call_soon_threadsafe(call)
        return answer.result(LOOP_SECONDS)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether one more connection is allowed."""
        return self._room.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one connection, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that has gone before its answer."""


class _Request(BaseHTTPRequestHandler):
    """Answers one GET request."""

    server: _Server
    timeout = REQUEST_SECONDS
    server_version = "tidegate"
    sys_version = ""

    def do_GET(self) -> None:
        answer = {"/metrics": self._metrics, "/healthz": self._alive, "/readyz": self._ready, "/status": self._status}
        path = self.path.partition("?")[0]
        if path not in answer:
            self._send(404, f"no such page; there are: {' '.join(answer)}\n")
            return
        try:
            answer[path]()
        except TimeoutError:
            self._send(503, f"the event loop has not answered for {LOOP_SECONDS:g} s\n")

    def _metrics(self) -> None:
        self._send(200, generate_latest(), CONTENT_TYPE_LATEST)

    def _alive(self) -> None:
        self.server.ask(lambda: None)
        self._send(200, "ok\n")

    def _ready(self) -> None:
        problems = self.server.ask(self.server.report.problems)
        self._send(503 if problems else 200, without_secrets("".join(f"{each}\n" for each in problems or ["ok"])))

    def _status(self) -> None:
        told = self.server.ask(self.server.report.status)
        text = orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()
        self._send(200, without_secrets(text), "application/json")

    def _send(self, status: int, body: str | bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: a scrape is normal operation."""
