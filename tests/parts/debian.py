"""Programs of Debian's packages: the installed one, or its package where the tests run as root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.parts import cache
from tests.parts.part import UnavailableError

# Debian starts a service as soon as it is installed; this script, while it exists, forbids that.
_POLICY = Path("/usr/sbin/policy-rc.d")


def program(name: str, package: str) -> str:
    """The path of a program. Raises UnavailableError."""
    if _find(name) is None:
        with cache.locked("debian"):
            if _find(name) is None:
                _install(package)
    found = _find(name)
    if found is None:
        raise UnavailableError(f"{package} was installed and {name} cannot be found")
    return found


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _install(package: str) -> None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise UnavailableError(f"{package} is not installed, and only root on Debian can install it here")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    ours = not _POLICY.exists()
    if ours:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        cache.fetch(["apt-get", "-q", "update"], folder=Path("/"), environment=quiet)
        install = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=300", "install"]
        install += ["--no-install-recommends", package]
        cache.fetch(install, folder=Path("/"), environment=quiet)
    finally:
        if ours:
            _POLICY.unlink(missing_ok=True)
