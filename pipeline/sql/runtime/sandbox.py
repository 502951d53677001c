"""A child process for programs that cannot be trusted to end: jq.

The one place in the language that starts a process. The child is started when first needed and then kept; it gets no
environment, an empty directory, a bound on memory, and requests one at a time. When an answer is late it is killed, and
the next request starts a new one. The child runs `main()` of this file.

Requests and answers are frames: a 4-byte length and that many bytes. A request is a JSON list of program and document;
an answer begins with `+` and a JSON list, or `-` and a message.
"""

from __future__ import annotations

import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import suppress
from typing import IO, Any, Final

from pipeline.sql.runtime.values import BadValueError, TimeOverError

MEMORY_BYTES_MAX: Final = 1 << 30
ANSWER_BYTES_MAX: Final = 16_777_216
START_SECONDS_MAX: Final = 20.0
# Words by which a jq program could reach files or the process. As the name of a field (`.include`, `{import: 1}`) they
# are harmless. A builtin before a colon is not (`.[modulemeta:1]`).
_FORBIDDEN: Final = re.compile(
    rb"(?<![.\w$])(?:(?:import|include)\b(?!\s*:)|(?:modulemeta|input_filename|get_search_list|halt)\b)"
)


class Child:
    """One child process and the pipes to it."""

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="tidegate-jq-")
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOT, os.path.abspath(__file__), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.directory,
            env={},
        )
        if self.receive(START_SECONDS_MAX) != b"+ready":
            self.end()
            raise BadValueError("jq cannot be started")

    def ask(self, request: bytes, seconds: float) -> bytes | None:
        """The answer, or None when it is late or the child died."""
        pipe = self._pipe(self.process.stdin)
        try:
            pipe.write(struct.pack(">I", len(request)) + request)
            pipe.flush()
        except OSError:
            return None
        return self.receive(seconds)

    def receive(self, seconds: float) -> bytes | None:
        pipe = self._pipe(self.process.stdout)
        readable, _, _ = select.select([pipe], [], [], seconds)
        if not readable:
            return None
        head = pipe.read(4)
        if len(head) < 4:
            return None
        (size,) = struct.unpack(">I", head)
        return pipe.read(size)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        with suppress(OSError):
            os.rmdir(self.directory)

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


class Sandbox:
    """A child process that is started when it is first needed. Each action has its own, so that none waits for another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._children: list[Child] = []  # none, or the one
        weakref.finalize(self, _end_all, self._children)

    def run_jq(self, program: bytes, document: bytes, seconds: float) -> bytes:
        """The outputs of the program as a JSON list. Raises BadValueError for its errors, TimeOverError when the time is over."""
        if _FORBIDDEN.search(program):
            raise BadValueError("a jq program here can import nothing and knows nothing of files")
        request = struct.pack(">I", len(program)) + program + document
        with self._lock:
            if self._children and self._children[0].process.poll() is not None:
                _end_all(self._children)
            if not self._children:
                self._children.append(Child())
            answer = self._children[0].ask(request, seconds)
            if answer is None:
                _end_all(self._children)
                raise TimeOverError(f"jq gave no answer within {seconds:g} seconds, or needed too much memory")
        if answer[:1] != b"+":
            raise BadValueError(f"jq: {answer[1:].decode(errors='replace')}")
        return answer[1:]

    def interrupt(self) -> None:
        """The program that runs now gets no further: whoever waits for it has no answer."""
        for child in list(self._children):
            child.process.kill()

    def close(self) -> None:
        """Ends the child, if there is one."""
        with self._lock:
            _end_all(self._children)


def _end_all(children: list[Child]) -> None:
    while children:
        children.pop().end()


_BOOT: Final = "import sys, runpy; sys.path[:] = sys.argv[2:]; runpy.run_path(sys.argv[1], run_name='__main__')"


# --- In the child


def main() -> None:
    """Answers requests until the pipe is closed."""
    import resource

    import jq

    os.environ.clear()  # Python itself sets LC_CTYPE
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        resource.setrlimit(limit, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    out, source = sys.stdout.buffer, sys.stdin.buffer
    programs: dict[str, Any] = {}
    _send(out, b"+ready")
    while len(head := source.read(4)) == 4:
        request = source.read(struct.unpack(">I", head)[0])
        _send(out, _answer(jq, programs, request))


def _send(out: IO[bytes], answer: bytes) -> None:
    out.write(struct.pack(">I", len(answer)) + answer)
    out.flush()


def _answer(jq: Any, programs: dict[str, Any], request: bytes) -> bytes:
    size = struct.unpack(">I", request[:4])[0]
    try:
        text, document = request[4 : 4 + size].decode(), request[4 + size :].decode()
        if len(programs) > 1000:
            programs.clear()
        program = programs.get(text) or programs.setdefault(text, _compiled(jq, text))
        answer = ("[" + ",".join(program.input_text(document)) + "]").encode()
    except Exception as error:
        return b"-" + " ".join(str(error).split()).encode()
    if len(answer) > ANSWER_BYTES_MAX:
        return b"-the result has more than %d bytes" % ANSWER_BYTES_MAX
    return b"+" + answer


def _compiled(jq: Any, text: str) -> Any:
    """The program with its outputs as JSON text: Python's floats would forget that 1.0 was written as one."""
    jq.compile(text)  # alone, so that text which closes the bracket is an error
    return jq.compile(f"({text}\n)|tojson")


if __name__ == "__main__":
    main()
