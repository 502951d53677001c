"""Servers as child processes: start, wait until ready, stop; and no orphan, however the parent ends.

Each server is the leader of a process group of its own, so that Ctrl-C at the terminal reaches only the parent, which
stops its servers in order, and so that stopping one takes whatever it started along. When the parent is killed
outright, Linux ends the child for us (launcher.py); elsewhere the exit hook covers everything but SIGKILL.

A signal goes to a process group that is certainly ours: a server that has ended is looked at without being reaped, so that
Linux gives its number to nobody else before the last signal is sent.

This file knows nothing of Kafka, MQTT or S3: what "ready" means is given as a function.
"""

from __future__ import annotations

import atexit
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
_LAUNCHER = Path(__file__).with_name("launcher.py")

_given_ports: set[int] = set()


class ServerError(TidegateError, code="SERVICE_UNAVAILABLE", fault="outside", retry=True):
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

    `start` is `launch`, which does not wait, and `wait`, which blocks until `ready` answers true, at most `ready_seconds` after
    the launch, and else raises ServerError with the end of the log. All of several servers may be launched before one is
    waited for.
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
    _deadline: float = field(default=0.0, init=False, repr=False)

    def start(self) -> None:
        if not self.running:
            self.launch()
            self.wait()

    def launch(self) -> None:
        if self.running:
            return
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _with_parent(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self._deadline = time.monotonic() + self.ready_seconds
        atexit.register(self.kill)

    def wait(self) -> None:
        try:
            self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + self.stop_seconds
        while self.running and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self.kill()

    def kill(self) -> None:
        atexit.unregister(self.kill)
        self._signal(signal.SIGKILL)
        process, self._process = self._process, None
        if process is not None:
            process.wait()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self._process is not None and self.exit_status is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} was not started")
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """The status of a server that has ended by itself; None while it runs, or when it was never started."""
        return None if self._process is None else _status(self._process)

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
        """Send it to the group, which is ours as long as `_process` is there: `kill` alone reaps."""
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _wait_until_ready(self) -> None:
        while time.monotonic() < self._deadline:
            self.check()
            if self.ready() and self.running:
                return
            time.sleep(_POLL_SECONDS)
        raise ServerError(f"{self.name} was not ready after {self.ready_seconds:g} s\n{self.tail()}")


def _with_parent(command: Sequence[str]) -> Sequence[str]:
    """The command, started so that it ends with this process, where the system can do that."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *command]


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """As `process.poll()`, and without reaping where the system can do that; a signal is a negative number."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll()
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
