"""The tests' view of an outside system: its address, whether it is real, and the verbs that make it fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config

from pipeline.demo.process import HOST, Server


class UnavailableError(Exception):
    """The real part is not available here. The text gives the reason for the summary of the run."""


@dataclass
class Part:
    """A running outside system. `stop` is orderly, `kill` is SIGKILL, `pause` is SIGSTOP; `start` brings it back."""

    server: Server
    real: bool

    @property
    def name(self) -> str:
        return self.server.name

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.server.stop()

    def kill(self) -> None:
        self.server.kill()

    def pause(self) -> None:
        self.server.pause()

    def resume(self) -> None:
        self.server.resume()


@dataclass
class KafkaPart(Part):
    port: int

    @property
    def bootstrap_servers(self) -> str:
        return f"{HOST}:{self.port}"


@dataclass
class MqttPart(Part):
    """`port` speaks MQTT 5, `port_311` 3.1.1 (the same one on mosquitto); `events` are adapters that it can feed."""

    port: int
    port_311: int
    events: tuple[str, ...] = ()
    host: str = HOST

    @property
    def server_address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass
class S3Part(Part):
    port: int
    host: str = HOST
    access_key_id: str = "tidegate-tests"
    secret_access_key: str = "secret-of-the-tests"
    region: str = "us-east-1"

    @property
    def endpoint_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def client(self, **options: Any) -> Any:
        """AWS's own client of this store; `options` are botocore's, addressing by path unless they say otherwise."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            region_name=self.region,
            config=Config(**{"s3": {"addressing_style": "path"}, **options}),
        )
