"""The error about a missing library names the extra that contains it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from ingress.supervisor import open_carrier
from pipeline.config.load import parse
from pipeline.errors import ConfigError
from pipeline.extras import Extra
from pipeline.formats.columns import columns
from pipeline.sql.runtime.schemas import build

AVRO = '{"type": "record", "name": "r", "fields": [{"name": "a", "type": "long"}]}'


@pytest.mark.parametrize(
    ("kind", "package"), [("avro", "fastavro"), ("json", "jsonschema_rs"), ("protobuf", "proto_schema_parser")]
)
def test_a_schema_names_the_extra_that_brings_its_library(
    monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    """The error about a schema without its library has the command that installs it."""
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "pipeline.sql.runtime.protobuf", raising=False)

    with pytest.raises(
        ConfigError, match=rf"type {kind} needs the package {package}.*pip install 'tidegate\[schemas\]'"
    ):
        build(kind, AVRO)


def test_parquet_with_a_schema_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet with a schema needs the extra, and inferred columns do not."""
    monkeypatch.setitem(sys.modules, "fastavro", None)

    with pytest.raises(ConfigError, match=r"a Parquet object with a schema needs .*tidegate\[schemas\]"):
        columns(AVRO)


def test_exhook_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """An ingress with ExHook does not start without gRPC."""
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, "ingress.exhook.server", raising=False)
    config = parse("pipeline: p\nkafka: {bootstrap_servers: '127.0.0.1:9092'}\nsources: {exhook: {emqx: {}}}\n")

    with pytest.raises(ConfigError, match=r"sources.exhook needs the package grpc.*tidegate\[exhook\]"):
        open_carrier(config, "exhook:emqx", producer=None)  # type: ignore[arg-type]


def test_extras_are_those_of_the_distribution() -> None:
    """The extras in errors are extras of the distribution."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    assert set(get_args(Extra)) <= set(project["optional-dependencies"])
