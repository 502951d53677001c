"""A real mosquitto: the installed one, or Debian's package when the tests run as root.

Its defaults drop messages of a subscriber that is slow or away (1,000 queued at most), so the limits are lifted here as
they are in the compose file.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from pipeline.demo.process import HOST, Server, free_port, listens
from tests.parts import debian
from tests.parts.part import MqttPart

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


def program() -> str:
    """The path of mosquitto. Raises UnavailableError."""
    return debian.program("mosquitto", "mosquitto")


def publisher() -> str:
    """The path of mosquitto_pub, mosquitto's own client. Raises UnavailableError."""
    return debian.program("mosquitto_pub", "mosquitto-clients")


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


def _version(mosquitto: str) -> str:
    told = subprocess.run([mosquitto, "-h"], capture_output=True, text=True, timeout=30).stdout
    found = re.search(r"version (\S+)", told)
    return found[1] if found else "of unknown version"
