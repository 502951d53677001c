"""Play a newcomer, with a clock: from an empty folder, the commands of README and of docs/tutorial.md as they stand there, on the
servers that they start.

It prints the seconds to the proof of the demo, to the first object of one's own and to the end of each section, and each step
that did not do what the text says; then it ends with 1. All commands go to one bash, as at a terminal: what README exports
stays, and what it starts with `&` runs on. Like a person it goes on when a started process says that it is ready, waits for the
row or the dead letter of a message before it goes on, and answers y to a question.

Three things differ from a bare machine. The environment .venv of this checkout is used (`make install` made it before, and it
is not timed), the demo lasts five seconds, and DuckDB asks copies of the objects, because its extension for S3 comes from a
server of its own. The ports of README must be free.
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
import pyarrow as pa
import pyarrow.parquet as pq

from tests.newcomer.page import Command, Part, Query, Step, steps

ROOT: Final = Path(__file__).parents[2]
SECONDS_MAX: Final = 180  # for one command
DEMO: Final = "--duration 5"
LEFT_OUT: Final = {"make test"}  # the CI has jobs for it

# What a process in the background says when it is ready, and what a command says if it did what the text says.
READY: Final = {"servers": "until Ctrl-C", "ingress": "ingress.ready", "worker": "action.started"}
SAYS: Final = {
    "make demo": "proved",
    "tidegate verify": "nothing lost, nothing twice",
    "tidegate dead-letter list": "hot",
    "tidegate dead-letter redrive": "sent 1 dead letter",
    "tidegate rule test": '"t"',
}
# The row of a message, or of a letter that was sent again; a message without one is a dead letter.
ROWS: Final = {
    """'{"temp": 31.5}'""": b'"t":31.5',
    """'{"temp": 40}'""": b'"t":2.5',
    "tidegate dead-letter redrive": b'"t":0,',
}
LETTERS: Final = "tidegate dead-letter list -c my.yaml"
DUCKDB: Final = ROOT / "build/tools/bin/python"  # with the package duckdb

# README's bucket.
LAKE: Final = boto3.client(
    "s3",
    endpoint_url="http://127.0.0.1:7070",
    region_name="us-east-1",
    aws_access_key_id="tidegate",
    aws_secret_access_key="tidegate-secret",
)
BUCKET: Final = "iot-data"


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
    """The status: 1 if a step did not do what the pages say."""
    readme, tutorial = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/tutorial.md"))
    sections = [
        *((readme, heading) for heading in ("Two commands", "A first rule of your own")),
        *((tutorial, heading) for heading in re.findall(r"^## (\d\. .+)$", tutorial, re.MULTILINE)),
    ]
    with tempfile.TemporaryDirectory(prefix="newcomer-") as place:
        folder = Path(place)
        for name in ("Makefile", "pyproject.toml", ".venv"):
            (folder / name).symlink_to(ROOT / name)
        terminal = Terminal(folder)
        try:
            stumbles = [
                stumble
                for page, heading in sections
                for stumble in play(terminal, folder, steps(page, heading), heading)
            ]
            stumbles += queries(folder)
        finally:
            terminal.close()
    for stumble in stumbles:
        print(stumble, file=sys.stderr)
    print(f"{len(stumbles)} steps did not do what the pages say")
    return 1 if stumbles else 0


def play(terminal: Terminal, folder: Path, todo: list[Step], heading: str) -> list[str]:
    """Do the steps; what did not do what the text says, each with the end of what was said."""
    began, stumbles = time.monotonic(), []
    awaited = ""  # the last command whose row is not there yet
    for step in [*todo, None]:
        if awaited and not (isinstance(step, Command) and step.words[0] == "kill"):
            if wait_until_true(lambda: arrived(terminal, awaited)):  # noqa: B023
                print(f"{time.monotonic() - began:.0f} s to what came of: {awaited}", flush=True)
            else:
                stumbles.append(f"{awaited}: nothing came of it in {SECONDS_MAX} s")
            awaited = ""
        if isinstance(step, Command) and " ".join(step.words) in LEFT_OUT:
            print(f"left out: {step.line}")
        elif step is not None and (stumble := done(terminal, folder, step)):
            stumbles.append(stumble)
        if isinstance(step, Command) and (step.words[0] == "mosquitto_pub" or "redrive" in step.words):
            awaited = step.line
    print(f"{time.monotonic() - began:.0f} s for {heading}", flush=True)
    return stumbles


def done(terminal: Terminal, folder: Path, step: Step) -> str:
    """Do one step; what is wrong, or nothing."""
    if isinstance(step, Command):
        return do(terminal, step)
    if isinstance(step, Query):
        return ask(folder, step)
    path = folder / step.name
    path.write_text(
        step.put_into(path.read_text(encoding="utf-8")) if isinstance(step, Part) else step.text, encoding="utf-8"
    )
    return ""


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


def arrived(terminal: Terminal, line: str) -> bool:
    """Whether the row of this command is in an object of README's rule, or its dead letter is there."""
    row = next((row for part, row in ROWS.items() if part in line), None)
    if row is None:
        return SAYS["tidegate dead-letter list"] in terminal.give(LETTERS)[1]
    return any(row in gzip.decompress(packed) for packed in objects().values())


def objects() -> dict[str, bytes]:
    """The objects of README's rule by key."""
    found = LAKE.list_objects_v2(Bucket=BUCKET, Prefix="hot/").get("Contents", [])
    return {each["Key"]: LAKE.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found}


def queries(folder: Path) -> list[str]:
    """The questions of docs/query.md to DuckDB, about an object that has the columns of its example."""
    page = (ROOT / "docs/query.md").read_text(encoding="utf-8")
    path = folder / BUCKET / "hot/day=2026-01-31/0-0-0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"clientid": ["dev-1", "dev-1"], "t": [31.0, 32.0]}), path)
    asked = [query for query in steps(page, "DuckDB") if isinstance(query, Query)]
    return [found for query in asked if (found := ask(folder, query, "'dev-1', 31.5)"))] if asked else ["no question"]


def ask(folder: Path, query: Query, expected: str = "(31.5, 'dev-1', ") -> str:
    """Ask DuckDB about copies of the objects; what is wrong, or nothing."""
    for key, packed in objects().items():
        path = folder / BUCKET / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(packed)
    program = "import duckdb, sys; print(duckdb.sql(sys.argv[1]).fetchall())"
    asked = query.text.replace(f"s3://{BUCKET}", str(folder / BUCKET))
    ended = subprocess.run([DUCKDB, "-c", program, asked], capture_output=True, text=True, timeout=60, check=False)
    good = ended.returncode == 0 and expected in ended.stdout
    return "" if good else f"{query.text}: expected {expected}\n{ended.stdout[-1000:]}{ended.stderr[-1000:]}"


if __name__ == "__main__":
    sys.exit(main())
