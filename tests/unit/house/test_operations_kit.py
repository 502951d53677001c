"""deploy/ is about this program: each metric, alert, command and file that it names exists."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from pipeline.cli.main import app
from pipeline.process.several import STOP_SECONDS

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "tidegate.json").read_text(encoding="utf-8"))
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MONITORING = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
# A tool of `.ci/run tools`.
PARSER = next(iter(ROOT.glob("build/tools/lib/python3*/site-packages/promql_parser")), ROOT / "promql_parser")
# Of 0 (safe) to 10. 1.3 is what remains for a process that only needs the network.
EXPOSURE_MAX = 1.5


def _expressions() -> Iterator[tuple[str, str]]:
    """Each expression of PromQL, with the title of its panel or the name of its alert."""
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", []))
    for variable in DASHBOARD["templating"]["list"]:
        yield f"variable {variable['name']}", str(variable.get("definition", ""))
    yield from ((rule["alert"], rule["expr"]) for rule in ALERTS)


def _documented() -> set[str]:
    """The metrics that the manual lists. Another test compares them with those of the program."""
    pages = (ROOT / "docs" / name for name in ("ingress.md", "listener.md", "operations.md"))
    return {name for page in pages for name in re.findall(r"`(tidegate_\w+)`", page.read_text(encoding="utf-8"))}


def test_each_metric_of_dashboard_and_alerts_exists() -> None:
    """Panels, variables and alerts ask only for metrics that a process shows."""
    asked = {
        (where, re.sub(r"_(?:bucket|sum|count)$", "", name))
        for where, expression in _expressions()
        for name in re.findall(r"tidegate_\w+", expression)
    }

    assert len(asked) > 20
    assert {(where, name) for where, name in asked if name not in _documented()} == set()


@pytest.mark.skipif(not PARSER.exists(), reason="promql-parser is not there; `.ci/run tools` brings it")
def test_each_expression_is_promql() -> None:
    """Prometheus' grammar accepts each expression of panels and alerts."""
    texts = [text.replace("$__rate_interval", "5m") for where, text in _expressions() if "variable" not in where]
    program = "import json, sys, promql_parser\nfor text in json.load(sys.stdin): promql_parser.parse(text)"

    done = subprocess.run(
        [PARSER.parents[3] / "bin" / "python", "-c", program],
        input=json.dumps(texts),
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_panels_are_there_once_and_do_not_overlap() -> None:
    """Each panel has an id of its own and a place of its own on the 24 columns of Grafana."""
    panels = DASHBOARD["panels"]
    cells = [
        (column, line)
        for place in (panel["gridPos"] for panel in panels)
        for column in range(place["x"], place["x"] + place["w"])
        for line in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(column for column, _ in cells) < 24


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """Each alert has a severity, a summary, and a line in docs/monitoring.md with the same severity."""
    line = re.search(rf"^\| `{rule['alert']}` \| (\w+) \| [^|]+ \| [^|]+ \|$", MONITORING, re.M)

    assert line, f"docs/monitoring.md has no line for {rule['alert']}"
    assert line[1] == rule["labels"]["severity"]
    assert rule["annotations"]["summary"]
    assert (ROOT / rule["annotations"]["runbook"]).is_file()


def test_the_manual_names_no_alert_that_does_not_exist() -> None:
    """Each alert of docs/monitoring.md is in the file of alerts."""
    assert set(re.findall(r"`(Tidegate\w+)`", MONITORING)) == {rule["alert"] for rule in ALERTS}


def _settings(unit: Path) -> list[tuple[str, str]]:
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [(line.partition("=")[0], line.partition("=")[2]) for line in lines if re.match(r"\w+=", line)]


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_command_that_exists(unit: Path) -> None:
    """The command of a systemd unit has arguments that the command line accepts, and the unit waits for its orderly stop."""
    settings = dict(_settings(unit))
    words = shlex.split(settings["ExecStart"])
    root: Any = typer.main.get_command(app)

    with root.make_context("tidegate", words[1:], resilient_parsing=True) as context:
        name, command, rest = root.resolve_command(context, words[1:])
        command.make_context(name, rest, parent=context)
    assert words[0] == "/usr/local/bin/tidegate"
    assert int(settings["TimeoutStopSec"].removesuffix("s")) > STOP_SECONDS
    assert settings["User"] not in ("", "root")


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_accepts_a_unit(unit: Path, tmp_path: Path) -> None:
    """systemd knows each setting of the unit, and the process may do little more than use the network."""
    name = unit.name.replace("@.", "@1.")
    here = tmp_path / name
    # The command itself need not be on this machine.
    here.write_text(unit.read_text(encoding="utf-8").replace("/usr/local/bin/tidegate", "/bin/true"), encoding="utf-8")

    for words in (
        ["verify", "--man=no", str(here)],
        ["security", "--offline=yes", f"--threshold={EXPOSURE_MAX * 10:.0f}", str(here)],
    ):
        done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False)
        said = [line for line in done.stderr.splitlines() if unit.name.partition("@")[0].partition(".")[0] in line]
        assert (done.returncode, said) == (0, []), done.stdout + done.stderr
