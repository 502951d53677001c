"""Runs in a server's place until the server does: asks Linux to end this process with its parent, then becomes the server.

    python -I -S launcher.py <pid of the parent> <program> [argument …]

A program of its own instead of `preexec_fn`: Python code between fork and exec runs in a copy of a process with many threads.
Of servers started that way beside a live gRPC channel, one in a hundred aborted. The process id stays the same throughout.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CANNOT_RUN = 127  # a shell's status for a program that it cannot run


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it has gone already
        raise SystemExit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be run: {error.strerror}", file=sys.stderr)
        raise SystemExit(_CANNOT_RUN) from None


if __name__ == "__main__":
    main()
