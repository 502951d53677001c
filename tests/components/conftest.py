"""What the tests of this folder share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.components.pipeline_parts import Make, Pipeline
from tests.parts.part import KafkaPart, S3Part


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
