"""What Tidegate has in C, for tests: as it was installed, or else built on the spot, so that no test depends on the installation.

With TIDEGATE_TEST_CFLAGS it is always built on the spot, with these flags: `.ci/run sanitize` sets them.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from pipeline import native

SOURCE = Path(native.__file__).with_name("_records.c")
STABLE_ABI = "-DPy_LIMITED_API=0x030B0000"  # as pyproject.toml has it


@cache
def unpack() -> Callable[..., Any] | None:
    """The function of _records.c. None on a machine without it and without a C compiler."""
    flags = os.environ.get("TIDEGATE_TEST_CFLAGS")
    if native.unpack is not None and flags is None:
        return native.unpack
    compiler = shutil.which("cc")
    headers = sysconfig.get_paths()["include"]
    if compiler is None or not Path(headers, "Python.h").exists():
        assert flags is None, "expected cc and Python.h"
        return None
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "_records.abi3.so")
        options = [
            "-O1",
            "-g",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-Wno-unused-parameter",
            "-Wno-missing-field-initializers",
        ]
        command = [compiler, STABLE_ABI, *options, *shlex.split(flags or ""), "-fPIC", "-shared", f"-I{headers}"]
        subprocess.run([*command, str(SOURCE), "-o", str(built)], check=True)
        spec = importlib.util.spec_from_file_location("_records", built)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module.unpack
