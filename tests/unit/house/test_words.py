"""One word for one thing: log events, metrics, class names, section marks; and that the names in prose exist."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

import agents.metrics
import ingress.metrics

ROOT = Path(__file__).parents[3]
PRODUCT = sorted(path for folder in ("pipeline", "ingress", "agents") for path in (ROOT / folder).rglob("*.py"))
SOURCES = [
    *PRODUCT,
    *sorted(path for folder in ("tests", "benchmarks", "deploy") for path in (ROOT / folder).rglob("*.py")),
]
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
    """The event of a log line is a literal `noun.verbed`, and its facts are key=value pairs."""
    wrong = {name: where for name, where in _events().items() if not re.fullmatch(r"[a-z_0-9]+\.[a-z_]+", name)}

    assert wrong == {}


def test_log_lines_have_no_facts_in_their_text() -> None:
    """Every fact of a log line has a name."""
    wrong = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path in PRODUCT
        for call in _log_calls(path)
        if isinstance(call.func, ast.Attribute) and len(call.args) != (2 if call.func.attr == "log" else 1)
    ]

    assert wrong == []


def test_the_manual_lists_every_log_event() -> None:
    """The table of docs/operations.md lists exactly the events that the code logs."""
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
    """Metrics are named `tidegate_ingress_…` and `tidegate_worker_…`."""
    wrong = [name for process in ("ingress", "worker") for name in _metrics(process) if process != name.split("_")[1]]

    assert wrong == []
    assert all(name.startswith("tidegate_") for process in ("ingress", "worker") for name in _metrics(process))


def test_the_manual_lists_every_metric() -> None:
    """docs/ingress.md, docs/listener.md or docs/operations.md describes every metric."""
    text = "".join(map(_page, ("ingress.md", "listener.md", "operations.md")))
    missing = [name for process in ("ingress", "worker") for name in _metrics(process) if f"`{name}`" not in text]

    assert missing == []


def test_the_manual_names_no_metric_that_does_not_exist() -> None:
    """Every metric that a page names exists."""
    known = {name for process in ("ingress", "worker") for name in _metrics(process)}
    told = {
        name
        for path in (ROOT / "docs").glob("*.md")
        for name in re.findall(r"tidegate_(?:ingress|worker|build)_\w+", path.read_text(encoding="utf-8"))
    }

    assert told == known | {"tidegate_build_info"}


@pytest.mark.parametrize("process", ["ingress", "agents"])
def test_a_class_name_is_used_once_in_a_process(process: str) -> None:
    """A class name is used once in a process; the demo and the doctor are separate processes."""
    found = defaultdict(list)
    for path in PRODUCT:
        first, second = path.relative_to(ROOT).parts[:2]
        if first == process or (first == "pipeline" and second not in {"demo", "doctor"}):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):  # those are their file's own
                    found[node.name].append(str(path.relative_to(ROOT)))

    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_section_marks_have_one_style() -> None:
    """A section mark is `# --- Name`, with a number if the docstring has numbers."""
    marks = re.compile(r"\s*#+ ?([-─—=*~]{2}|\d+\. ).*")
    form = re.compile(r"\s*# --- (\d+\. )?[A-Z].*[^-─ ]")
    wrong = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if marks.fullmatch(line) and not form.fullmatch(line)
    ]

    assert wrong == []


def _prose(path: Path) -> Iterator[str]:
    """Every docstring and every comment of a file."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node, clean=False) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


FILES = {str(path.relative_to(ROOT)) for path in SOURCES}


def _file_exists(name: str) -> bool:
    """Whether a name in prose, such as `lane.py` or `lanes/lane.py`, is a file of ours."""
    return any(file == name or file.endswith(f"/{name}") for file in FILES)


def _name_exists(dotted: str) -> bool:
    """Whether `package.module.name` is: a package, a module, or what stands in it (looked for as a word)."""
    parts = dotted.split(".")
    for count in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:count])
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if file.is_file() or path.is_dir():
            text = file.read_text(encoding="utf-8") if file.is_file() else ""
            return all(re.search(rf"\b{each}\b", text) for each in parts[count:])
    return False


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_in_prose_exist(path: Path) -> None:
    """Each file and each dotted name of ours in a docstring or comment exists."""
    stale = []
    for text in _prose(path):
        files = re.findall(r"(?<![\w./-])((?:[\w-]+/)*[a-z_]\w*\.py)\b", text)
        dotted = re.findall(
            r"(?<![\w./-])((?:pipeline|ingress|agents|tests|benchmarks)(?:\.[A-Za-z_]\w*)+)\b(?!/)", text
        )
        stale += [name for name in files if name != "path/file.py" and not _file_exists(name)]
        stale += [name for name in dotted if not re.search(r"\.(md|py|yaml)$", name) and not _name_exists(name)]

    assert stale == []
