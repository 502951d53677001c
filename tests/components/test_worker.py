"""The worker as a process of its own, between a real Kafka and a real S3 server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components.pipeline_parts import Pipeline, direct, message
from tests.parts.part import KafkaPart, S3Part

pytestmark = pytest.mark.real
Make = Callable[..., Pipeline]
ALL = 'SELECT * FROM "t/#"'


@pytest.fixture
def make(kafka: KafkaPart, s3: S3Part, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """Makes the test's pipeline, named after the test; its workers end with the test."""
    made: list[Pipeline] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40].strip("-").replace("_", "-")

    def pipeline(**settings: Any) -> Pipeline:
        made.append(Pipeline(name, tmp_path, kafka, s3, **settings))
        return made[-1]

    yield pipeline
    for each in made:
        each.stop()


ODD_PAYLOADS = [
    b"",
    bytes(range(256)),
    b"x" * (1 << 20),
    b"{not json",
    b"\xff\xfe",
    b"null",
    '{"ü": "\U0001f600"}'.encode(),
]


def test_every_payload_becomes_an_object_of_the_same_bytes(make: Make) -> None:
    """Direct upload keeps a payload byte for byte: empty, binary, 1 MB, not JSON."""
    pipeline = make(
        actions={"raw": direct("odd-payloads", "${clientid}", content="${payload}")}, rules={"r": (ALL, ["raw"])}
    )
    pipeline.prepare("odd-payloads")
    pipeline.produce([message(f"c{number}", payload) for number, payload in enumerate(ODD_PAYLOADS)])
    pipeline.worker()
    pipeline.wait_for_no_lag("raw")

    assert pipeline.objects("odd-payloads") == {f"c{number}": payload for number, payload in enumerate(ODD_PAYLOADS)}
    assert pipeline.dead_letters() == []
