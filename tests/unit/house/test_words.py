"""One word for one thing: the form of log events and metrics, and that the manual knows each of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

import agents.metrics
import ingress.metrics

ROOT = Path(__file__).parents[3]
PRODUCT = sorted(path for folder in ("pipeline", "ingress", "agents") for path in (ROOT / folder).rglob("*.py"))
LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}


def _page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _log_calls(path: Path) -> Iterator[ast.Call]:
    """Each call of a method of `log` that writes a line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id in {"log", "logger"}:
                yield node


def _event(call: ast.Call) -> object:
    """The name of the event as it stands there; None when it is not a literal."""
    assert isinstance(call.func, ast.Attribute)
    where = call.args[1:2] if call.func.attr == "log" else call.args[:1]
    return where[0].value if where and isinstance(where[0], ast.Constant) else None


def _events() -> dict[str, str]:
    """Where each log event is written, by its name."""
    return {
        str(_event(call)): f"{path.relative_to(ROOT)}:{call.lineno}" for path in PRODUCT for call in _log_calls(path)
    } | {"library.warned": "pipeline/log.py"}


def test_log_events_have_one_form() -> None:
    """A log line is named `noun.verbed`, in a literal that can be searched for; its facts are key=value beside it."""
    wrong = {name: where for name, where in _events().items() if not re.fullmatch(r"[a-z_0-9]+\.[a-z_]+", name)}

    assert wrong == {}


def test_log_lines_have_no_facts_in_their_text() -> None:
    """All that is said beside the event has a name."""
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in PRODUCT
        for call in _log_calls(path)
        if isinstance(call.func, ast.Attribute) and len(call.args) != (2 if call.func.attr == "log" else 1)
    ]

    assert wrong == []


def test_the_manual_lists_every_log_event() -> None:
    """The table of docs/operations.md is complete, and names none that nobody writes."""
    section = _page("operations.md").partition("## The log\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]

    assert sorted(listed) == sorted(_events())


def _metrics(process: str) -> list[str]:
    """The names of all metrics of a process, as its page shows them."""
    module = {"ingress": ingress.metrics, "worker": agents.metrics}[process]
    found = [each for each in vars(module).values() if isinstance(each, MetricWrapperBase)]
    return [each._name + ("_total" if each._type == "counter" else "") for each in found]


def test_metrics_are_named_after_their_process() -> None:
    """`tidegate_ingress_…` and `tidegate_worker_…`."""
    wrong = [name for process in ("ingress", "worker") for name in _metrics(process) if process != name.split("_")[1]]

    assert wrong == []
    assert all(name.startswith("tidegate_") for process in ("ingress", "worker") for name in _metrics(process))


def test_the_manual_lists_every_metric() -> None:
    """What each counts is said in docs/ingress.md, docs/listener.md or docs/operations.md."""
    text = "".join(map(_page, ("ingress.md", "listener.md", "operations.md")))
    missing = [name for process in ("ingress", "worker") for name in _metrics(process) if f"`{name}`" not in text]

    assert missing == []


def test_the_manual_names_no_metric_that_does_not_exist() -> None:
    """Wherever a page says `tidegate_…`, a process has it."""
    known = {name for process in ("ingress", "worker") for name in _metrics(process)}
    told = {
        name
        for path in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"tidegate_(?:ingress|worker|build)_\w+", path.read_text(encoding="utf-8"))
    }

    assert told == known | {"tidegate_build_info"}
