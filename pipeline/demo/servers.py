"""Runs the embedded servers alone, on known ports, for a first configuration of one's own.

`tidegate servers` calls `run`. Like the demo, it stops every server before it returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.demo import embedded
from pipeline.demo.main import INTERRUPTED, Interrupted, interruptible
from pipeline.demo.process import HOST, Server, ServerError, listens


@dataclass(frozen=True)
class Ports:
    """The ports of the servers."""

    kafka: int
    mqtt: int
    mqtt_311: int
    s3: int


def run(ports: Ports, bucket: str, say: Callable[[str], None]) -> int:
    """Run the servers until a signal comes. Returns the exit status. Raises ServerError if one does not start, or ends."""
    embedded.check_installed()
    _check_free(ports)
    with interruptible(), ExitStack() as stack:
        try:
            servers = _started(ports, bucket, Path(stack.enter_context(TemporaryDirectory())), stack)
            say(f"Kafka  {HOST}:{ports.kafka}")
            say(f"MQTT   {HOST}:{ports.mqtt} (MQTT 5), {HOST}:{ports.mqtt_311} (MQTT 3.1.1)")
            say(f"S3     http://{HOST}:{ports.s3}, bucket {bucket}, any access key and secret")
            say("Everything is kept in memory until Ctrl-C.")
            while True:
                for server in servers:
                    server.check()
                time.sleep(1)
        except Interrupted:
            return INTERRUPTED


def _check_free(ports: Ports) -> None:
    for option, port in vars(ports).items():
        if listens(port)():
            raise ServerError(
                f"port {port} of {HOST} is in use: stop what listens there, or choose another with "
                f"--{option.replace('_', '-')}-port"
            )


def _started(ports: Ports, bucket: str, folder: Path, stack: ExitStack) -> list[Server]:
    """All servers, ready."""
    servers = [
        embedded.kafka(ports.kafka, folder),
        embedded.mqtt(ports.mqtt, ports.mqtt_311, folder),
        embedded.s3(ports.s3, folder, bucket),
    ]
    for server in servers:
        stack.callback(server.stop)
        server.launch()
    for server in servers:
        server.wait()
    return servers
