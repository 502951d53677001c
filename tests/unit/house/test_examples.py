"""The example configurations are valid: settings, rules and templates."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from pipeline.action import problems
from pipeline.config import load_file
from pipeline.demo.stack import EXAMPLE, Stack

ROOT = Path(__file__).parents[3]


def test_the_demo_can_be_run() -> None:
    """examples/demo.yaml with the demo's addresses passes every check, and the demo reads this file."""
    stack = Stack()
    try:
        found = problems(stack.config)
    finally:
        stack.close()

    assert not found
    assert EXAMPLE.resolve() == ROOT / "examples" / "demo.yaml"


def test_the_compose_example_can_be_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects of examples/compose.yaml pass every check with the environment that docker-compose.yml gives them."""
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for name, value in services["worker-1"]["environment"].items():
        monkeypatch.setenv(name, value)

    config = load_file(ROOT / "examples" / "compose.yaml")

    assert not problems(config)
    used = {config.kafka.bootstrap_servers, config.sources.mqtt["broker"].server, config.connectors.s3["lake"].host}
    assert {address.partition(":")[0] for address in used} <= services.keys()


def test_the_api_of_the_compose_file_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process follows one topic. The API reaches Kafka and the stores by published ports, and listens here only."""
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    api, published = whole["api"], [port for each in whole.values() for port in each.get("ports", ())]
    for name, value in api["environment"].items():
        monkeypatch.setenv(name, value)

    own = load_file(ROOT / "deploy" / "compose.yaml")
    objects = load_file(ROOT / "examples" / "compose.yaml")

    assert own.control is not None
    assert (own.pipeline, own.kafka.partitions) == (objects.pipeline, objects.kafka.partitions)
    assert any(port.startswith(own.kafka.bootstrap_servers) for port in published)
    assert "--bind" not in api["command"]
    assert {port.partition(":")[0] for port in published} == {"127.0.0.1"}
    assert {each.partition(":")[0] for each in api["extra_hosts"]} == {"s3", "mosquitto"}
