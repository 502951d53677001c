"""Starts a server: asks Linux to end this process together with its parent, then becomes the server.

    python -I -S launcher.py <pid of the parent> <program> [argument …]

This is a separate program instead of `preexec_fn`, whose Python code runs between fork and exec in a copy of a process
with many threads. One in a hundred servers that were started that way beside a live gRPC channel aborted. The process
id does not change.
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
    if os.getppid() != parent:  # the parent has ended already
        raise SystemExit(1)
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]} cannot be run: {error.strerror}", file=sys.stderr)
        raise SystemExit(_CANNOT_RUN) from None


if __name__ == "__main__":
    main()
