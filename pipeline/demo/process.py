"""Servers as child processes: start, wait until ready, stop; and no orphan, however the parent ends.

Each server is the leader of a process group of its own, so that Ctrl-C at the terminal reaches only the parent, which
stops its servers in order, and so that stopping one takes whatever it started along. When the parent is killed
outright, Linux ends the child for us (PR_SET_PDEATHSIG); elsewhere the exit hook covers everything but SIGKILL.

This file knows nothing of Kafka, MQTT or S3: what "ready" means is given as a function.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.errors import TidegateError

HOST = "127.0.0.1"

# Below the range from which Linux takes the ports of outgoing connections: a client that keeps on connecting to a
# server that is down could be given that very port, and would then speak to itself.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_POLL_SECONDS = 0.05
_TAIL_LINES = 15
_PR_SET_PDEATHSIG = 1

_given_ports: set[int] = set()
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ServerError(TidegateError):
    """A server did not start, or ended by itself. The message holds the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now; never the same one twice in a process."""
    for _ in range(1000):
        port = random.randint(_FIRST_PORT, _LAST_PORT)
        if port in _given_ports:
            continue
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((HOST, port))
            _given_ports.add(port)
            return port
    raise ServerError(f"no free port of {HOST} between {_FIRST_PORT} and {_LAST_PORT} in 1000 tries")


def listens(port: int) -> Callable[[], bool]:
    """Whether something accepts connections on the port, as a function to ask again and again."""

    def answer() -> bool:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        return False

    return answer


@dataclass
class Server:
    """One server: its command, and what tells that it is ready.

    `start` blocks until `ready` answers true, at most `ready_seconds`, and raises ServerError with the end of the log.
    `stop` asks with SIGTERM and insists with SIGKILL after `stop_seconds`; `kill` does not ask. Both leave no member of
    the process group. `pause` freezes the group, `resume` lets it go on. Started from a thread, a server ends with that
    thread (PR_SET_PDEATHSIG looks at the thread that forked), so start servers from the main thread.
    """

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool] = lambda: True
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    ready_seconds: float = 60.0
    stop_seconds: float = 10.0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    def start(self) -> None:
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
                preexec_fn=_end_with_parent(os.getpid()) if _libc else None,
            )
        atexit.register(self.kill)
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self.stop_seconds)
        self.kill()

    def kill(self) -> None:
        atexit.unregister(self.kill)
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The status of a server that has ended by itself; None while it runs, or when it was never started."""
        return None if self._process is None else self._process.poll()

    def check(self) -> None:
        """Raises ServerError when the server has ended by itself."""
        status = self.exit_status
        if status is not None:
            raise ServerError(f"{self.name} ended with status {status}\n{self.tail()}")

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The end of the server's log, indented, with its path."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        last = text.splitlines()[-lines:] or ["(empty)"]
        return "\n".join([f"  end of {self.log}:", *(f"    {line}" for line in last)])

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.ready_seconds
        while time.monotonic() < deadline:
            self.check()
            if self.ready() and process.poll() is None:
                return
            time.sleep(_POLL_SECONDS)
        raise ServerError(f"{self.name} was not ready after {self.ready_seconds:g} s\n{self.tail()}")


def _end_with_parent(parent: int) -> Callable[[], None]:
    """For the child, between fork and exec: be killed when the parent goes, also if it has gone already."""

    def set_signal() -> None:
        assert _libc is not None
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return set_signal
