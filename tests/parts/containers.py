"""Containers as tests make them: from settings, with the defaults of the rest."""

from __future__ import annotations

from typing import Any

from pipeline.config import AggregatedParameters
from pipeline.config.dump import content_of
from pipeline.formats import Container, make


def parameters(container: dict[str, Any], **others: Any) -> dict[str, Any]:
    settings = {"mode": "aggregated", "bucket": "sink", "key": "k", "container": container, **others}
    return content_of(AggregatedParameters.model_validate(settings))


def build(container: dict[str, Any], schemas: dict[str, tuple[str, str]] | None = None, **others: Any) -> Container:
    given = parameters(container, **others)
    return make(
        given["container"],
        compression=given["compression"],
        level=given["compression_level"],
        content_encoding=given["content_encoding"],
        schemas=schemas,
    )


def encoded(container: Container, rows: list[dict[str, Any]]) -> bytes:
    return container.encode(b"".join(map(container.line, rows)))
