"""Where fetched servers are kept: outside the checkout, fetched once, whatever runs at the same time.

`TIDEGATE_CACHE` names another folder than ~/.cache/tidegate. A folder gets its final name only when it is whole.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.parts.part import UnavailableError

_FETCH_SECONDS = 900


def root() -> Path:
    given = os.environ.get("TIDEGATE_CACHE")
    return Path(given).absolute() if given else Path.home() / ".cache" / "tidegate"


def obtain(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache; `build` fills it when it is not there yet. Raises what `build` raises."""
    folder = root() / name
    if folder.exists():
        return folder
    with locked(name):
        if not folder.exists():
            partial = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=root()))
            try:
                build(partial)
                partial.rename(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def fetch(command: Sequence[str], *, folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run a package client. Raises UnavailableError with the end of what it printed when it fails or takes too long."""
    env = {**os.environ, **(environment or {})}
    shown = " ".join(command[:3])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"`{shown} …` took longer than {_FETCH_SECONDS} s") from None
    except OSError as error:
        raise UnavailableError(f"`{shown} …` cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        last = " | ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
        raise UnavailableError(f"`{shown} …` failed: {last}")


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Whatever is done under one name is done by one run of the tests at a time."""
    root().mkdir(parents=True, exist_ok=True)
    with (root() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
