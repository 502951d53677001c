"""The Helm chart makes objects that Kubernetes accepts, and pods that start what exists.

Helm and the schemas of Kubernetes are not Python packages of this project: `.ci/run tools` puts them into build/tools. Without
them these tests are skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from pipeline.cli.main import app
from pipeline.config.load import parse

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "tidegate"
TOOLS = ROOT / "build" / "tools" / "bin"
HELM = shutil.which("helm", path=str(TOOLS)) or shutil.which("helm")
VALIDATE = TOOLS / "kubernetes-validate"
KUBERNETES: Final = ("1.25", "1.33")  # the oldest that Chart.yaml allows, and a newer one

IMAGE: Final = ("--set", "image.repository=registry.example/tidegate", "--set", "image.tag=1.2.3")
EVERYTHING: Final = (
    *("--set", "api.enabled=true,api.expose=true,api.existingTlsSecret=tls,api.podDisruptionBudget.enabled=true"),
    *("--set", "worker.keda.enabled=true,worker.keda.metadata.tls=enable,worker.keda.authenticationRef=kafka"),
    *("--set", "podMonitor.enabled=true,podMonitor.labels.release=prometheus"),
    *("--set", "existingSecret=env,existingSecretFiles=files,existingSecretsKey=key"),
    *("--set", "ingress.replicas=2", "--set-json", 'ingress.ports=[{"name": "mqtts", "port": 8883}]'),
    *(
        "--set-json",
        'worker.topologySpreadConstraints=[{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]',
    ),
    *("--set-json", 'serviceAccount.annotations={"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/t"}'),
)
# What the schemas of Kubernetes itself do not have.
OF_OTHERS: Final = {"PodMonitor", "ScaledObject"}

pytestmark = pytest.mark.skipif(not HELM, reason="helm is not on this machine; `.ci/run tools` brings it")


def config_file(folder: Path) -> Path:
    """README's own my.yaml."""
    (text,) = re.findall(r"```yaml\n(# my\.yaml.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    path = folder / "my.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def rendered(*args: str, version: str = KUBERNETES[-1]) -> str:
    """The objects as text, or what Helm says."""
    words = [str(HELM), "template", "plant7", str(CHART), "--kube-version", version, *args]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout if done.returncode == 0 else done.stderr


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The arguments that give the chart its configuration."""
    return ("--set-file", f"config={config_file(tmp_path_factory.mktemp('chart'))}", *IMAGE)


def objects(text: str) -> dict[str, dict[str, Any]]:
    """Objects by kind and name."""
    return {f"{each['kind']}/{each['metadata']['name']}": each for each in yaml.safe_load_all(text) if each}


@cache
def command() -> Any:
    """The command line."""
    return typer.main.get_command(app)


@pytest.mark.skipif(not VALIDATE.exists(), reason="kubernetes-validate is not there; `.ci/run tools` brings it")
@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("options", [(), EVERYTHING], ids=["defaults", "everything"])
def test_kubernetes_accepts_the_objects(
    config: tuple[str, ...], options: tuple[str, ...], version: str, tmp_path: Path
) -> None:
    """Each object fits Kubernetes' schema, in which unknown fields are errors."""
    path = tmp_path / "objects.yaml"
    path.write_text(rendered(*config, *options, version=f"{version}.0"), encoding="utf-8")
    words = [str(VALIDATE), "--strict", "--kubernetes-version", version, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert set(re.findall(r"Couldn't find schema for kind (\w+)", said)) == (OF_OTHERS if options else set())
    assert said.count(" passed for ") == len(objects(path.read_text(encoding="utf-8"))) - len(OF_OTHERS) * bool(options)


def test_pods_start_commands_that_exist(config: tuple[str, ...]) -> None:
    """The arguments of each container are those of a command, and its configuration is README's with pages for the probes."""
    found = objects(rendered(*config, *EVERYTHING))
    text = found["ConfigMap/plant7-config"]["data"]["tidegate.yaml"]
    pods = [each["spec"]["template"]["spec"] for each in found.values() if each["kind"] == "Deployment"]

    assert [pod["containers"][0]["args"][0] for pod in pods] == ["api", "ingress", "worker"]
    for pod in pods:
        args = pod["containers"][0]["args"]
        with command().make_context("tidegate", list(args), resilient_parsing=True) as context:
            name, loaded, rest = command().resolve_command(context, list(args))
            loaded.make_context(name, rest, parent=context)
    metrics = parse(text).metrics
    assert (metrics.bind, metrics.ingress_port, metrics.worker_port) == ("0.0.0.0", 9464, 9464)


def test_pods_may_do_little(config: tuple[str, ...]) -> None:
    """Each container runs without root, without capabilities and on a read-only root, with probes and limits."""
    for name, each in objects(rendered(*config, *EVERYTHING)).items():
        if each["kind"] != "Deployment":
            continue
        pod = each["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert not pod["automountServiceAccountToken"], name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys(), name
        assert container["resources"]["limits"]["memory"], name
        assert pod["terminationGracePeriodSeconds"] > 20, name


def test_workers_and_ingress_are_asked_for_their_health(config: tuple[str, ...]) -> None:
    """A restart depends on /healthz, and traffic on /readyz."""
    found = objects(rendered(*config))

    for name in ("ingress", "worker"):
        (container,) = found[f"Deployment/plant7-{name}"]["spec"]["template"]["spec"]["containers"]
        paths = {probe: container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")}
        assert paths == {"livenessProbe": "/healthz", "readinessProbe": "/readyz"}


def test_keda_watches_the_groups_of_the_actions(config: tuple[str, ...]) -> None:
    """Each action's consumer group is a trigger, with its lag; KEDA alone sets the number of workers."""
    found = objects(rendered(*config, *EVERYTHING))
    (trigger,) = found["ScaledObject/plant7-worker"]["spec"]["triggers"]

    assert trigger["metadata"] == {
        "bootstrapServers": "127.0.0.1:9092",
        "consumerGroup": "plant7.hot",
        "lagThreshold": "100000",
        "offsetResetPolicy": "earliest",
        "tls": "enable",
    }
    assert "replicas" not in found["Deployment/plant7-worker"]["spec"]


def test_only_workers_and_ingress_can_open_sealed_secrets(config: tuple[str, ...]) -> None:
    """The key of sealed secrets is mounted everywhere but in the API."""
    found = objects(rendered(*config, *EVERYTHING))
    mounted = {
        name: {volume["name"] for volume in each["spec"]["template"]["spec"]["volumes"]}
        for name, each in found.items()
        if each["kind"] == "Deployment"
    }

    assert {name for name, volumes in mounted.items() if "secrets-key" in volumes} == {
        "Deployment/plant7-ingress",
        "Deployment/plant7-worker",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (IMAGE, "config: give the file"),
        (("--set", "config=pipeline: x"), "image.repository: set the name of your image"),
        (("--set", "image.repository=x,config=pipeline: x"), "image.tag: set the version"),
        ((*IMAGE, "--set-string", "config=metrics: {bind: 127.0.0.1}"), "expected `metrics: {bind: 0.0.0.0"),
        ((*IMAGE, "--set", "config=pipeline: x,worker.keda.enabled=true"), "worker.keda.actions: name the actions"),
        ((*IMAGE, "--set", "config=pipeline: x,worker.replicaz=3"), "replicaz"),
    ],
    ids=["config", "repository", "tag", "metrics", "keda", "spelling"],
)
def test_what_is_missing_is_named(options: tuple[str, ...], said: str) -> None:
    """A value that is missing, wrong or misspelt stops Helm with a sentence."""
    assert said in rendered(*options)
