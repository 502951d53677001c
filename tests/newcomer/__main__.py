"""Play a newcomer, with a clock: from an empty folder, README's commands as they stand there, on the servers that they start.

It prints the seconds to the proof of the demo and to the first object of one's own, and each command that did not do what the
text says; then it ends with 1. All commands go to one bash, as at a terminal: what README exports stays, and what it starts with
`&` runs on. Like a person it goes on when a started process says that it is ready, waits for the object before it asks for the
proof, and answers y to a question.

Two things differ from a bare machine. The environment .venv of this checkout is used (`make install` made it before, and it is
not timed), and the demo lasts five seconds. The ports of README must be free.
"""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import boto3

from tests.newcomer.page import Command, File, steps

ROOT: Final = Path(__file__).parents[2]
SECONDS_MAX: Final = 180  # for one command
DEMO: Final = "--duration 5"
LEFT_OUT: Final = {"make test"}  # the CI has jobs for it

# What a process in the background says when it is ready, and what a command says if it did what the text says.
READY: Final = {"servers": "until Ctrl-C", "ingress": "ingress.ready", "worker": "action.started"}
SAYS: Final = {"make demo": "proved", "tidegate verify": "nothing lost, nothing twice"}

# README's bucket, and its message in the object.
LAKE: Final = boto3.client(
    "s3",
    endpoint_url="http://127.0.0.1:7070",
    region_name="us-east-1",
    aws_access_key_id="tidegate",
    aws_secret_access_key="tidegate-secret",
)
BUCKET: Final = "iot-data"
ROW: Final = b'"t":31.5'


class Terminal:
    """One bash in a folder. All that it and its processes say is in `said`."""

    def __init__(self, folder: Path) -> None:
        self.said = ""
        self._bash = subprocess.Popen(
            ["bash", "--norc", "-m"],
            cwd=folder,
            env={**os.environ, "DEMO_ARGS": DEMO},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def give(self, line: str) -> tuple[int, str]:
        """The status of a command, and what was said meanwhile."""
        begin = len(self.said)
        self._write(f'{{ {line}\n}} <<< y\necho "[status $?]"\n')
        if not self.hears(r"\[status \d+\]", begin):
            return 124, f"{self.said[begin:]}\nnot done after {SECONDS_MAX} s"
        said = self.said[begin:]
        return int(re.findall(r"\[status (\d+)\]", said)[-1]), said

    def hears(self, words: str, begin: int) -> bool:
        """Wait until the words are said after `begin`."""
        return wait_until_true(lambda: bool(re.search(words, self.said[begin:])))

    def close(self) -> None:
        """End what runs, the last that was started first, so that none misses its servers; then what did not end."""
        with self._bash:
            self._write('for job in $(jobs -p | tac); do kill "$job"; wait "$job"; done; exit\n')
            try:
                self._bash.wait(60)
            except subprocess.TimeoutExpired:
                self._kill()
            self._listener.join()

    def _kill(self) -> None:
        command = ["ps", "-o", "pid=", "-s", str(self._bash.pid)]
        found = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        for pid in map(int, found.split()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _write(self, text: str) -> None:
        assert self._bash.stdin
        self._bash.stdin.write(text.encode())
        self._bash.stdin.flush()

    def _listen(self) -> None:
        assert self._bash.stdout
        for line in self._bash.stdout:
            self.said += line.decode(errors="replace")


def wait_until_true(true: Callable[[], bool]) -> bool:
    """Whether it became true within SECONDS_MAX."""
    end = time.monotonic() + SECONDS_MAX
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def main() -> int:
    """The status: 1 if a command did not do what README says."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="newcomer-") as place:
        folder = Path(place)
        for name in ("Makefile", "pyproject.toml", ".venv"):
            (folder / name).symlink_to(ROOT / name)
        terminal = Terminal(folder)
        try:
            stumbles = play(terminal, folder, steps(readme, "Two commands"), "the proof of the demo")
            stumbles += play(terminal, folder, steps(readme, "A first rule of your own"), "the end of the first rule")
        finally:
            terminal.close()
    for stumble in stumbles:
        print(stumble, file=sys.stderr)
    print(f"{len(stumbles)} commands did not do what README says")
    return 1 if stumbles else 0


def play(terminal: Terminal, folder: Path, todo: list[File | Command], goal: str) -> list[str]:
    """Do the steps; what did not do what the text says, each with the end of what was said."""
    began, stumbles = time.monotonic(), []
    for step in todo:
        if isinstance(step, File):
            (folder / step.name).write_text(step.text, encoding="utf-8")
        elif " ".join(step.words) in LEFT_OUT:
            print(f"left out: {step.line}")
        elif stumble := do(terminal, step):
            stumbles.append(stumble)
        if isinstance(step, Command) and step.words[0] == "mosquitto_pub":
            if wait_until_true(stored):
                print(f"{time.monotonic() - began:.0f} s to the first object of one's own", flush=True)
            else:
                stumbles.append(f"{step.line}: no object after {SECONDS_MAX} s")
    print(f"{time.monotonic() - began:.0f} s to {goal}", flush=True)
    return stumbles


def do(terminal: Terminal, command: Command) -> str:
    """Give one command; what is wrong, or nothing."""
    begin = len(terminal.said)
    status, said = terminal.give(command.line)
    if command.in_background:
        wanted = READY[command.words[1]]
        good = status == 0 and terminal.hears(re.escape(wanted), begin)
        said = terminal.said[begin:]
    else:
        wanted = SAYS.get(" ".join(command.words[:2]), "")
        good = status == 0 and wanted in said
    return "" if good else f"{command.line}: status {status}, expected 0 and {wanted!r}\n{said[-2000:]}"


def stored() -> bool:
    """Whether the row of README's message is in an object of README's rule."""
    for each in LAKE.list_objects_v2(Bucket=BUCKET, Prefix="hot/").get("Contents", []):
        packed = LAKE.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
        if ROW in gzip.decompress(packed):
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
