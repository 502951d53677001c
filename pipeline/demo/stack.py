"""The processes of the demo: three embedded servers, the ingress, the worker and the API with its dashboard, on free ports.

All start as a user would start them, with `-c FILE`. The file has the addresses; sources, connectors, actions and rules of
examples/demo.yaml go into Kafka, as `tidegate apply` puts them there, so that they can be changed on the dashboard while the demo
runs. All ports are on 127.0.0.1, and everything ends with the `with` block.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import yaml

from pipeline.config import Config
from pipeline.config.load import OBJECT_SETTINGS, load, parse
from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import objects_of
from pipeline.control.plan import APPLY, change_of, to_apply
from pipeline.demo import embedded
from pipeline.demo.evidence import Bucket, Log
from pipeline.demo.process import HOST, Server, free_port
from pipeline.errors import ConfigError

BUCKET: Final = "iot-data"
EXAMPLE: Final = Path(__file__).with_name("demo.yaml")  # a link to examples/demo.yaml, so that a wheel has it too

CONFIG_TOPIC: Final = "tidegate.config"

_SECRET_VARIABLE = "TIDEGATE_DEMO_S3_SECRET"
_LINK = re.compile(r"https?://\S+/first_user\?token=\S+")
_PLACEHOLDER = re.compile(r"\$\{(TIDEGATE_DEMO_[A-Z0-9_]+)\}")


class Stack:
    """All processes. With `listener`, there is no broker. The folder stays if `keep_logs` is set."""

    def __init__(self, example: Path = EXAMPLE, *, listener: bool = False) -> None:
        embedded.check_installed()
        self.keep_logs = False
        os.environ[_SECRET_VARIABLE] = secrets.token_urlsafe(16)  # ingress and worker inherit it
        self.mqtt_5, self.mqtt_311 = free_port(), free_port()
        kafka, s3 = free_port(), free_port()
        self.ingress_metrics, self.worker_metrics = free_port(), free_port()
        api = free_port()
        self.page = f"http://{HOST}:{api}/"
        self.s3_url = f"http://{HOST}:{s3}"
        values = {
            "TIDEGATE_DEMO_KAFKA": f"{HOST}:{kafka}",
            "TIDEGATE_DEMO_MQTT": f"{HOST}:{self.mqtt_5}",
            "TIDEGATE_DEMO_S3_HOST": HOST,
            "TIDEGATE_DEMO_S3_PORT": str(s3),
            "TIDEGATE_DEMO_INGRESS_METRICS": str(self.ingress_metrics),
            "TIDEGATE_DEMO_WORKER_METRICS": str(self.worker_metrics),
        }
        text = _fill(example, values)
        if listener:
            self.mqtt_311 = self.mqtt_5
            text = _with_listener(text, f"{HOST}:{self.mqtt_5}")
        self.config = parse(text, name=str(example))
        self.folder = Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
        self.config_file = self.folder / "demo.yaml"
        own = {name: value for name, value in yaml.safe_load(text).items() if name not in OBJECT_SETTINGS}
        own["control"] = {"topic": CONFIG_TOPIC}
        self.config_file.write_text(yaml.safe_dump(own, sort_keys=False), encoding="utf-8")
        self._base = load(own)
        self._s3 = embedded.s3(s3, self.folder, BUCKET)
        self._worker = self._tidegate("worker", f"http://{HOST}:{self.worker_metrics}/healthz")
        self._ingress = self._tidegate("ingress", f"http://{HOST}:{self.ingress_metrics}/readyz")
        self._api = self._tidegate("api", f"{self.page}api/v5/session", "--port", str(api))
        self._kafka = embedded.kafka(kafka, self.folder)
        self.servers = [self._kafka, self._s3]
        if not listener:
            self.servers.append(embedded.mqtt(self.mqtt_5, self.mqtt_311, self.folder))
        self.processes = [self._ingress, self._worker, self._api]

    def __enter__(self) -> Self:
        """Start everything, and return when devices can publish. Raises ServerError or ConfigError."""
        try:
            self.start()
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.keep_logs = self.keep_logs or (kind is not None and issubclass(kind, Exception))
        self.close()

    def start(self) -> None:
        """Launch everything side by side, and wait for the parts that devices need: the broker, Kafka and the ingress.

        The ingress reads its sources once, so it is launched when they are in Kafka.
        """
        for process in self._all():
            if process is not self._ingress:
                process.launch()
        self._kafka.wait()
        asyncio.run(_apply(self._base, self.config))
        self._ingress.launch()
        for process in [*self.servers, self._ingress]:
            if process is not self._s3:
                process.wait()

    def wait(self) -> None:
        """Wait until the S3 server, the worker and the API are ready too. They find earlier messages in Kafka."""
        for process in (self._s3, self._worker, self._api):
            process.wait()

    def first_user_link(self) -> str:
        """The link that the API has printed for its first user; empty until then."""
        log = self._api.log
        found = _LINK.search(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else None
        return found[0] if found else ""

    def close(self) -> None:
        """Stop everything in reverse order."""
        for process in reversed(self._all()):
            process.stop()
        if not self.keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)

    def check(self) -> None:
        """Raise ServerError if one of the processes has ended."""
        for process in self._all():
            process.check()

    def _all(self) -> list[Server]:
        return [*self.servers, *self.processes]

    def bucket(self) -> Bucket:
        return Bucket(self.s3_url, "demo", os.environ[_SECRET_VARIABLE], BUCKET)

    def log(self) -> Log:
        return Log(self.config.kafka)

    def _tidegate(self, command: str, ready: str, *options: str) -> Server:
        return Server(
            f"tidegate {command}",
            [sys.executable, "-m", "pipeline.cli", command, "-c", str(self.config_file), *options],
            self.folder / f"{command}.log",
            embedded.answers(ready),
            environment={"PYTHONUNBUFFERED": "1"},
        )


async def _apply(base: Config, config: Config) -> None:
    """Put the objects of a configuration into Kafka."""
    async with ConfigLog(base) as log:
        steps = to_apply(log.snapshot.objects, objects_of(config), prune=False)
        await log.write(change_of(steps, by="demo", source=APPLY))


def _fill(example: Path, values: dict[str, str]) -> str:
    """The text of the example with its placeholders filled. Ingress and worker resolve the placeholder of the secret."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1], found[0])

    try:
        return _PLACEHOLDER.sub(value, example.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the demo's configuration: {error.strerror}", where=str(example)) from None


def _with_listener(text: str, address: str) -> str:
    """The configuration with a listener of the ingress instead of the broker.

    The listener knows the publishers and client events itself.
    """
    config = yaml.safe_load(text)
    listener = {"bind": address, "authentication": "none", "topics": ["t/%c", "t/me", "status/%c"]}
    config["sources"] = {"listener": {"fleet": listener}}
    return yaml.safe_dump(config, sort_keys=False)
