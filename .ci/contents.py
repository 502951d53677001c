"""Check the wheel and the sdist in a folder: `contents.py dist`. If something is wrong, prints a list and ends with
status 1.

The wheel must hold the three packages as in git, what was built of their C, and their licence. What was built needs no library
but Python. The sdist must also hold the files that `.ci/run` needs.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

BUILT = "pipeline/native/_records.abi3.so"
PACKAGES = ("pipeline/", "ingress/", "agents/")
OF_THE_SDIST = {"pyproject.toml", "Makefile", ".ci/run", "LICENSE", "README.md", "tests/conftest.py", "docs/stores.md"}


def main(folder: str) -> None:
    wheels, sdists = list(Path(folder).glob("*.whl")), list(Path(folder).glob("*.tar.gz"))
    if len(wheels) != 1 or len(sdists) != 1:
        sys.exit(f"{folder}: expected one wheel and one sdist, found {len(wheels)} and {len(sdists)}")
    tracked = set(_lines("git", "ls-files"))
    product = {name for name in tracked if name.startswith(PACKAGES)} | {BUILT}
    wheel = set(zipfile.ZipFile(wheels[0]).namelist())
    info = {name for name in wheel if ".dist-info/" in name}
    with tarfile.open(sdists[0]) as archive:
        sdist = {name.partition("/")[2] for name in archive.getnames()}
    problems = [
        *(f"{wheels[0].name} lacks {name}" for name in product - wheel),
        *(f"{wheels[0].name} should not hold {name}" for name in wheel - product - info),
        *(f"{wheels[0].name} lacks {name}" for name in ("LICENSE", "NOTICE") if not any(name in each for each in info)),
        *(f"{sdists[0].name} lacks {name}" for name in ((product - {BUILT}) | OF_THE_SDIST) - sdist),
    ]
    if not problems:
        problems = [f"{BUILT} needs {name}, which is not of Python" for name in _needed(wheels[0])]
    print("\n".join(problems) or f"{wheels[0].name}: {len(product)} files; {sdists[0].name}: {len(sdist)}")
    sys.exit(bool(problems))


def _needed(wheel: Path) -> list[str]:
    """What the library built of C needs, besides functions of Python and what may be missing."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        symbols = [line.split() for line in _lines("nm", "-D", "--undefined-only", archive.extract(BUILT, folder))]
    return [name for kind, name in symbols if kind == "U" and not name.startswith(("Py", "_Py"))]


def _lines(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


if __name__ == "__main__":
    main(*sys.argv[1:])
