"""Shipping: the lock file, licences, and the workflows that build everything."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy import notice

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "deploy" / "requirements.txt").read_text(encoding="utf-8")
PINNED = re.compile(r"^([\w.-]+)==([\w.!+]+)( ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M)
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PYTHONS = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)]


def _workflow(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_file_is_what_the_project_asks_for(python: str) -> None:
    """The lock file pins each dependency within its bounds for each Python; if this fails: make lock."""
    pinned = {canonicalize_name(found[1]): found[2] for found in PINNED.finditer(LOCK)}
    environment = {**default_environment(), "python_version": python, "platform_system": "Linux"}
    asked = [Requirement(text) for text in PROJECT["dependencies"]]

    wrong = [
        str(each)
        for each in asked
        if (each.marker is None or each.marker.evaluate(environment))  # type: ignore[arg-type]
        and not each.specifier.contains(pinned.get(canonicalize_name(each.name), "0"), prereleases=True)
    ]
    assert wrong == []


def test_the_lock_file_names_hashes_and_nobody() -> None:
    """Each package in the lock file has a hash, and the file names no index or mirror."""
    packages = re.findall(r"^([\w.-]+)==", LOCK, re.M)

    assert [found[1] for found in PINNED.finditer(LOCK)] == packages
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|--trusted-host", LOCK) == []


def test_the_image_is_installed_from_the_lock_file() -> None:
    """The image checks hashes, uses a Python of the classifiers, and runs as an unprivileged user."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert set(re.findall(r"^FROM python:([\d.]+)-slim", text, re.M)) < set(PYTHONS)
    assert "--require-hashes" in text
    assert re.search(r"^USER (?!root)", text, re.M)


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="the oldest Python needs the most packages")
def test_the_licences_of_others_are_named() -> None:
    """NOTICE lists what the image and the demo install; if this fails: python deploy/notice.py > NOTICE."""
    assert (ROOT / "NOTICE").read_text(encoding="utf-8") == notice.HEAD + "\n".join(notice.lines()) + "\n"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_ask_for_little_and_end(path: Path) -> None:
    """Workflows have read-only rights at the top, rights for each job, time limits, and versions of actions."""
    flow = _workflow(path)

    assert flow["permissions"] in ({}, {"contents": "read"})
    assert [name for name, job in flow["jobs"].items() if "uses" not in job and "timeout-minutes" not in job] == []
    uses = [step["uses"] for job in flow["jobs"].values() for step in job.get("steps", []) if "uses" in step]
    assert [each for each in uses if not re.search(r"@(v\d+|release/v\d+|[0-9a-f]{40})$", each)] == []


def test_the_matrix_is_that_of_the_classifiers() -> None:
    """The workflows run unit tests on each Python of the classifiers."""
    jobs = _workflow(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]

    assert jobs["unit"]["strategy"]["matrix"]["python"] == PYTHONS


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_say_words_that_the_script_knows(path: Path) -> None:
    """`.ci/run` knows every word with which a job calls it."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    called = re.findall(r"\.ci/run (\w+)", path.read_text(encoding="utf-8"))

    known = re.search(r"^  ((?:\w+ \| )+\w+)\) \"\$1\"", script, re.M)
    assert known
    assert set(called) <= set(known[1].split(" | "))


def test_the_script_refuses_an_unknown_word() -> None:
    """`.ci/run` fails for an unknown word."""
    ended = subprocess.run([ROOT / ".ci" / "run", "unti"], capture_output=True, text=True, timeout=20, check=False)

    assert ended.returncode == 2
    assert "unti" in ended.stderr
