"""Servers as child processes: start, wait until ready, stop. No server outlives its parent.

Each server is the leader of its own process group. So Ctrl-C at the terminal reaches only the parent, which stops its servers in
order, and a stop ends every process that a server has started. If the parent is killed, Linux ends the child (launcher.py). On
other systems the exit hook covers everything except SIGKILL.

A signal goes only to a process group that is certainly ours: this file looks at a server that has ended without reaping it. So
Linux gives its number to no other process before the last signal is sent.

This file does not know Kafka, MQTT or S3. It gets a function that says whether a server is ready.
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

# Below the range from which Linux takes the ports of outgoing connections. Otherwise a client that keeps connecting to
# a stopped server could get the same port, and would then connect to itself.
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_POLL_SECONDS = 0.05
_TAIL_LINES = 15
_LAUNCHER = Path(__file__).with_name("launcher.py")

_given_ports: set[int] = set()


class ServerError(TidegateError, code="SERVICE_UNAVAILABLE", fault="outside", retry=True):
    """A server did not start, or ended by itself. The message holds the end of its log."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 on which no process listens now. A process never gets the same port twice."""
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
    """A function that says whether something accepts connections on the port now."""

    def answer() -> bool:
        with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        return False

    return answer


@dataclass
class Server:
    """One server: its command, and a function that says whether it is ready.

    `start` is `launch` and then `wait`. `launch` does not wait. `wait` blocks until `ready` is true. If this takes longer than
    `ready_seconds` after the launch, it raises ServerError with the end of the log. You may launch several servers before you
    wait for the first.
    `stop` sends SIGTERM, and SIGKILL after `stop_seconds`. `kill` sends SIGKILL at once. After both, the process group is empty.
    `pause` freezes the group, and `resume` lets it go on. A server ends with the thread that started it (PR_SET_PDEATHSIG counts
    the thread that forked), so start servers from the main thread.
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
        """The exit status of a server that has ended by itself. None while it runs, and before it was started."""
        return None if self._process is None else _status(self._process)

    def check(self) -> None:
        """Raise ServerError if the server has ended by itself."""
        status = self.exit_status
        if status is not None:
            raise ServerError(f"{self.name} ended with status {status}\n{self.tail()}")

    def tail(self) -> str:
        """The end of the server's log, indented, with its path."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        last = text.splitlines()[-_TAIL_LINES:] or ["(empty)"]
        return "\n".join([f"  end of {self.log}:", *(f"    {line}" for line in last)])

    def _signal(self, number: int) -> None:
        """Send a signal to the group. The group is ours while `_process` is set, because only `kill` reaps it."""
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
    """The command in a form that ends together with this process, if the system supports this."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), *command]


def _status(process: subprocess.Popen[bytes]) -> int | None:
    """The same as `process.poll()`, without reaping if the system supports this. A signal is a negative number."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return process.poll()
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
