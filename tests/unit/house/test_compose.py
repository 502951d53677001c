"""docker-compose.yml: what it runs is pinned, limited, and asked whether it works; its configuration is valid.

`.ci/run check` checks the file against the schema of the Compose Specification.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from pipeline.action import problems
from pipeline.cli.main import app
from pipeline.config import load_file

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
WHOLE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = WHOLE["services"]
OURS: Final = {name: each for name, each in SERVICES.items() if "build" in each}
THEIRS: Final = {name: each for name, each in SERVICES.items() if "build" not in each}
ENDS: Final = {"bucket", "objects"}  # they do something and end


def test_images_of_others_are_what_they_were() -> None:
    """Each image has a version for people and a digest; so do the images that ours is built on."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    images = [each["image"] for each in THEIRS.values()] + re.findall(r"^FROM (\S+)", dockerfile, re.M)

    assert len(images) == 5
    assert [each for each in images if not re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", each)] == []


@pytest.mark.parametrize("name", OURS)
def test_our_services_are_built_and_may_do_little(name: str) -> None:
    """No image of our name is pulled from strangers; the root is read-only, and nothing can gain rights."""
    service = OURS[name]

    assert (service["pull_policy"], service["read_only"], service["cap_drop"]) == ("build", True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_limits(name: str) -> None:
    """Memory and logs are limited, and no setting of the environment is a secret."""
    service = SERVICES[name]

    assert service["mem_limit"]
    assert service["logging"]["options"].keys() == {"max-size", "max-file"}
    assert [key for key in service.get("environment", {}) if "SECRET" in key] == []


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - ENDS))
def test_a_service_is_asked_whether_it_works(name: str) -> None:
    """Our processes are asked at /readyz, which knows more than that the process lives."""
    test = " ".join(SERVICES[name]["healthcheck"]["test"])

    assert ("/readyz" in test) == (name in OURS)


def test_the_number_of_workers_is_a_number() -> None:
    """There is one service of workers, and `--scale worker=4` changes how many."""
    workers = [name for name, each in OURS.items() if each.get("command", [""])[0] == "worker"]

    assert workers == ["worker"]
    assert not {"container_name", "ports"} & SERVICES["worker"].keys()


def test_each_command_exists() -> None:
    """The arguments of our services are those of a command."""
    root: Any = typer.main.get_command(app)
    for service in OURS.values():
        words = list(service.get("command", ["check", "-c", "x"]))
        with root.make_context("tidegate", words, resilient_parsing=True) as context:
            name, command, rest = root.resolve_command(context, words)
            command.make_context(name, rest, parent=context)


def test_files_that_are_mounted_are_there() -> None:
    """Each file of the checkout that a service sees exists, also the secret of the trial."""
    mounted = [each.partition(":")[0] for service in SERVICES.values() for each in service.get("volumes", ())]
    secret = re.sub(r"\$\{\w+:-(.*)\}", r"\1", WHOLE["secrets"]["s3"]["file"])

    assert [path for path in (*mounted, secret) if path.startswith("./") and not (ROOT / path).is_file()] == []


def test_the_objects_can_be_run() -> None:
    """The objects of examples/compose.yaml pass every check; servers and the secret are those of the compose file."""
    config = load_file(ROOT / "examples" / "compose.yaml")

    assert not problems(config)
    lake = config.connectors.s3["lake"]
    used = {config.kafka.bootstrap_servers, config.sources.mqtt["broker"].server, lake.host}
    assert {address.partition(":")[0] for address in used} <= SERVICES.keys()
    assert lake.secret_access_key is not None
    assert lake.secret_access_key.written == "file:///run/secrets/s3"
    assert all("s3" in each["secrets"] for each in OURS.values())


def test_the_api_is_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process follows one topic. The API reaches Kafka and the stores by published ports, and listens here only."""
    api, published = SERVICES["api"], [port for each in SERVICES.values() for port in each.get("ports", ())]
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
