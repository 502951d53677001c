"""A real mosquitto: the installed one, or Debian's package when the tests run as root.

Its defaults drop messages of a subscriber that is slow or away (1,000 queued at most), so the limits are lifted here as
they are in the compose file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from pipeline.demo.process import HOST, Server, free_port, listens
from tests.parts import cache
from tests.parts.part import MqttPart, UnavailableError

_CONFIG = """\
listener {port} {host}
allow_anonymous true
user root
max_queued_messages 0
max_inflight_messages 0
persistence {persistence}
persistence_location {folder}/
autosave_interval 1
log_dest topic
log_dest stderr
log_type notice
log_type warning
log_type error
log_type unsubscribe
connection_messages true
sys_interval 1
"""

# Debian starts a service as soon as it is installed; this script, while it exists, forbids that.
_POLICY = Path("/usr/sbin/policy-rc.d")


def program() -> str:
    """The path of mosquitto. Raises UnavailableError."""
    return _found_or_installed("mosquitto", "mosquitto")


def publisher() -> str:
    """The path of mosquitto_pub, mosquitto's own client. Raises UnavailableError."""
    return _found_or_installed("mosquitto_pub", "mosquitto-clients")


def _found_or_installed(name: str, package: str) -> str:
    if _find(name) is None:
        with cache.locked("mosquitto"):
            if _find(name) is None:
                _install(package)
    found = _find(name)
    if found is None:
        raise UnavailableError(f"{package} was installed and {name} cannot be found")
    return found


def start(folder: Path, *, persistence: bool = False, more: str = "") -> MqttPart:
    """A fresh broker. With `persistence` its sessions and queues outlive an orderly restart. `more` is configuration."""
    mosquitto = program()
    port = free_port()
    config = folder / "mosquitto.conf"
    text = _CONFIG.format(port=port, host=HOST, folder=folder, persistence="true" if persistence else "false")
    config.write_text(text + more, encoding="utf-8")
    command = [mosquitto, "-c", str(config)]
    server = Server(f"mosquitto {_version(mosquitto)}", command, folder / "mosquitto.log", listens(port), folder=folder)
    server.start()
    return MqttPart(server, real=True, port=port, port_311=port, events=("mosquitto_log",))


def _find(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _version(mosquitto: str) -> str:
    told = subprocess.run([mosquitto, "-h"], capture_output=True, text=True, timeout=30).stdout
    found = re.search(r"version (\S+)", told)
    return found[1] if found else "of unknown version"


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
