"""Commands on a configuration whose secrets are not here, and the schema for editors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.action import warnings
from pipeline.cli.check import _placed
from pipeline.cli.doctor import _checks
from pipeline.config import load_file
from pipeline.config.load import load
from tests.parts.commands import CONFIG, tidegate

LINE = "connectors.s3.lake.secret_access_key: the environment variable TIDEGATE_TEST_UNSET is not set"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    source = "sources: {mqtt: {plant: {server: 'h:1', topics: ['t/#'], password: 'file:///nowhere/password'}}}\n"
    path.write_text(CONFIG.replace("open-sesame", "'${TIDEGATE_TEST_UNSET}'") + source)
    return path


def test_check_warns_of_secrets_that_are_not_here(config: Path) -> None:
    """`check` warns of a missing secret with file and line, and accepts the configuration."""
    done = tidegate("check", "-c", str(config))

    assert (done.returncode, done.stdout) == (0, f"{config}: good\n")
    assert f"warning: {config}:3:" in done.stderr
    assert LINE in done.stderr
    assert "sources.mqtt.plant.password: cannot read the secret file /nowhere/password" in done.stderr


def test_check_fails_when_it_is_to_connect(config: Path) -> None:
    """With --connect, a missing secret is an error."""
    done = tidegate("check", "-c", str(config), "--connect")

    assert done.returncode == 1
    assert f"error: {config}:3:" in done.stderr
    assert LINE in done.stderr


def test_a_warning_about_an_object_in_kafka_begins_with_its_path() -> None:
    """It has no place in a file."""
    rules = {"hot": {"sql": 'SELECT * FROM "never/#"', "actions": []}}
    sources = {"mqtt": {"plant": {"server": "127.0.0.1:1", "topics": ["t/#"]}}}
    config = load({"pipeline": "p", "kafka": {"bootstrap_servers": "127.0.0.1:1"}, "sources": sources, "rules": rules})

    (found,) = _placed(config, warnings(config))

    assert str(found).startswith("rules.hot.sql: ")


@pytest.mark.parametrize(
    ("command", "said"), [("worker", LINE), ("ingress", "sources.mqtt.plant.password: cannot read")]
)
def test_a_process_that_needs_them_does_not_start(config: Path, command: str, said: str) -> None:
    """Each process requires only its own secrets."""
    done = tidegate(command, "-c", str(config))

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("error: ") == 1
    assert f"{config}:" in done.stderr


async def test_the_doctor_begins_with_them(config: Path) -> None:
    """Each missing secret is a bad check with an advice."""
    checks = _checks(load_file(config))
    first, second = await anext(checks), await anext(checks)
    await checks.aclose()  # type: ignore[attr-defined]

    assert (first.state, second.state) == ("bad", "bad")
    assert {first.name, second.name} == {
        "secret sources.mqtt.plant.password",
        "secret connectors.s3.lake.secret_access_key",
    }
    assert "TIDEGATE_TEST_UNSET is not set" in second.line()


def test_the_schema_is_printed() -> None:
    """`config schema` prints JSON and nothing else."""
    done = tidegate("config", "schema")

    assert done.returncode == 0
    assert json.loads(done.stdout)["properties"]["kafka"]["$ref"] == "#/$defs/KafkaConfig"
