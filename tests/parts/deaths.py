"""Which test ran in a test process that died, and of what it died.

Tests run in several processes (xdist). One that ends by a signal or in C code takes the answer with it, so each writes into a
file which test it runs, and Python's fault handler writes its last stack into another. The process that prints the results
reads both: when another one dies, and when pytest itself fails. A death is a failure of the run, whatever xdist makes of it.
"""

from __future__ import annotations

import faulthandler
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

_END_SECONDS: Final = 10  # between the last word of a process and its end
_STACK_LINES_MAX: Final = 60
# librdkafka blocks all signals in its threads, so that a fault there ends the process without a word from Python.
_SILENT: Final = (
    "(no stack: it was killed from outside, or a thread of a library failed that blocks signals, as librdkafka's do)"
)


class Witness:
    """Runs in a test process, and writes its present test into a file."""

    def __init__(self, folder: Path, name: str) -> None:
        self._now = (folder / f"{name}.now").open("w", encoding="utf-8")
        self._stack = (folder / f"{name}.stack").open("w", encoding="utf-8")
        self._note("while it collected tests")
        faulthandler.enable(self._stack)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._note(f"while it ran {item.nodeid}")
        try:
            return (yield)
        finally:
            self._note(f"after {item.nodeid}")

    def _note(self, text: str) -> None:
        self._now.seek(0)
        self._now.truncate()
        self._now.write(text)
        self._now.flush()


class Inquest:
    """Runs in the process that prints the results, and knows what each of the others did."""

    def __init__(self, config: pytest.Config) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-tests-"))
        self._config = config
        self._nodes: list[Any] = []
        self._deaths: dict[str, str] = {}

    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput["deaths"] = str(self.folder)
        self._nodes.append(node)

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        if error:
            self._deaths[node.gateway.id] = self._found(node, _END_SECONDS)
            self._say(self._deaths[node.gateway.id])

    def pytest_internalerror(self) -> None:
        """What each process did when pytest or xdist failed."""
        for node in self._nodes:
            self._say(self._found(node, 0))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._deaths and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for name, found in self._deaths.items():
            terminalreporter.section(f"test process {name} died", red=True)
            terminalreporter.write_line(found)

    def pytest_unconfigure(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _say(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(f"\n{text}", flush=True)

    def _found(self, node: Any, seconds: float) -> str:
        name = node.gateway.id
        now, stack = (_text(self.folder / f"{name}.{kind}") for kind in ("now", "stack"))
        last = "\n".join(stack.splitlines()[:_STACK_LINES_MAX]) or _SILENT
        return f"test process {name} {_end(node, seconds)} {now or 'before it began'}\n{last}"


@pytest.hookimpl(trylast=True)  # pytest too sets the fault handler, and the last one counts
def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", None)
    if given is not None:
        config.pluginmanager.register(Witness(Path(given["deaths"]), given["workerid"]), "witness")
    elif getattr(config.option, "numprocesses", None):
        config.pluginmanager.register(Inquest(config), "inquest")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def _end(node: Any, seconds: float) -> str:
    """How the process ended, if it ends within `seconds`."""
    process: subprocess.Popen[bytes] = node.gateway._io.popen
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        return "was alive"
    return f"ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
