"""Fixtures of this folder."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.connectors.s3.store import S3Store
from pipeline.demo import embedded
from pipeline.demo.process import Server, free_port
from pipeline.passwords import hashed
from tests.components.listener_parts import Listening
from tests.components.pipeline_parts import Make, Pipeline
from tests.components.secure_settings import TOPIC
from tests.parts import apache_kafka, secure_kafka
from tests.parts.certificates import certificate
from tests.parts.part import KafkaPart, MqttPart, S3Part, UnavailableError
from tests.parts.secure_kafka import SecureKafka
from tests.parts.stores import connector
from tests.parts.token_server import TokenServer


@pytest.fixture
def make(kafka: KafkaPart, s3: S3Part, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Make the test's pipeline, named after the test. Its workers end with the test."""
    made: list[Pipeline] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40].strip("-").replace("_", "-")

    def pipeline(**settings: Any) -> Pipeline:
        made.append(Pipeline(name, tmp_path, kafka, s3, **settings))
        return made[-1]

    yield pipeline
    for each in made:
        each.stop()


@pytest.fixture
async def clean(s3: S3Part) -> AsyncIterator[S3Store]:
    """The store without the proxy that makes it fail."""
    async with S3Store(connector(s3)) as opened:
        yield opened


@pytest.fixture
async def bucket(clean: S3Store) -> str:
    """An empty bucket of the test's own."""
    name = f"faults-{uuid.uuid4().hex[:12]}"
    await clean.create_bucket(name)
    return name


@pytest.fixture
def listening(request: pytest.FixtureRequest, tmp_path: Path, kafka: KafkaPart) -> Iterator[Listening]:
    """A started listener on its own port. Parameters add to its settings."""
    port = free_port()
    broker = MqttPart(Server("none", [], tmp_path / "none.log"), real=True, port=port, port_311=port)
    name = f"listener{time.time_ns()}"
    source = {"bind": f"127.0.0.1:{port}", "authentication": "none", "topics": [f"{name}/#", "will/%c"]}
    process = Listening(name, tmp_path, kafka, broker, source)
    process.settings = {"metrics": {"ingress_port": free_port()}}
    certificate(tmp_path)
    (tmp_path / "passwords").write_text(f"anna:{hashed('secret')}\n")
    process.reconfigure(**request.param(tmp_path) if hasattr(request, "param") else {})
    process.start()
    yield process
    process.server.stop()


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Part]:
    """The store that supports tags, classes and encryption."""
    port = free_port()
    server = embedded.s3(port, tmp_path_factory.mktemp("moto"))
    server.start()
    yield S3Part(server, real=False, port=port)
    server.stop()


@pytest.fixture(scope="session")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """The Kafka with all listeners."""
    try:
        apache_kafka.libraries()
    except UnavailableError as error:
        pytest.skip(f"needs a real Kafka: {error}")
    tokens = TokenServer()
    with tokens.serving():
        part = secure_kafka.start(tmp_path_factory.mktemp("secure-kafka"), tokens)
        admin = AdminClient({"bootstrap.servers": part.bootstrap_servers})
        for future in admin.create_topics([NewTopic(TOPIC, 1, 1)]).values():
            future.result(30)
        del admin  # its threads would be there as long as this process
        yield part
        part.kill()  # nobody needs its data any more, and an orderly stop takes most of a minute
