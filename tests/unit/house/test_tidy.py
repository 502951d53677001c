"""The rules of the house that a machine can check: sizes, docstrings, names, and that ARCHITECTURE.md tells the truth."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINES_PER_FILE_MAX = 400
LINES_PER_FUNCTION_MAX = 60
FILES_PER_FOLDER_MAX = 15
# Families of like files, one for each member of a list that grows: SQL functions, commands, routes.
FAMILIES = {"pipeline/sql/functions", "pipeline/cli", "pipeline/web/routes"}
# Whatever runs a story in virtual time.
VIRTUAL_TIME = {"VirtualLoop", "tell", "told", "in_virtual_time"}
NAMES_THAT_SAY_NOTHING = {"manager", "helper", "helpers", "util", "utils", "handler", "data", "misc", "common"}

PRODUCT = sorted(path for folder in ("pipeline", "ingress", "agents") for path in (ROOT / folder).rglob("*.py"))
SOURCES = [
    *PRODUCT,
    *sorted(path for folder in ("tests", "benchmarks", "deploy") for path in (ROOT / folder).rglob("*.py")),
]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_can_be_read_in_one_go(path: Path) -> None:
    """No file has more than 400 lines, and no function more than 60."""
    text = path.read_text(encoding="utf-8")

    long_functions = [
        f"{node.name} has {length} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > LINES_PER_FUNCTION_MAX
    ]
    assert text.count("\n") <= LINES_PER_FILE_MAX
    assert not long_functions


def test_a_folder_can_be_taken_in_at_a_glance() -> None:
    """No folder of the product has more than 15 files, except families of similar files."""
    files = Counter(_name(path.parent) for path in PRODUCT)

    crowded = {name: count for name, count in files.items() if count > FILES_PER_FOLDER_MAX and name not in FAMILIES}
    assert not crowded


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_says_why_it_exists(path: Path) -> None:
    """Each module begins with a docstring, unless it is an empty file."""
    text = path.read_text(encoding="utf-8")

    assert not text.strip() or ast.get_docstring(ast.parse(text))


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_a_file_has_a_name_that_says_something(path: Path) -> None:
    """No file is called helper, utils, manager or the like."""
    assert not NAMES_THAT_SAY_NOTHING & set(path.stem.split("_"))


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name.startswith("test_")], ids=_name)
def test_a_test_is_a_sentence(path: Path) -> None:
    """Each test has a docstring, which says what must hold."""
    tree = ast.parse(path.read_text(encoding="utf-8"))

    silent = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert not silent


def test_architecture_names_what_exists() -> None:
    """Each file that ARCHITECTURE.md names exists, and so does each name that its tables give with a file.

    A table row names them as `path/file.py` followed by `function`, `Class` or `Class.method`, or as `path/file.py: name`.
    """
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")

    missing = [f"{path}: {name}" for path, name in _named(text) if not _exists(ROOT / path, name)]
    assert not missing


def test_architecture_shows_every_floor() -> None:
    """ARCHITECTURE.md shows every floor of .importlinter."""
    floors = (ROOT / ".importlinter").read_text(encoding="utf-8").partition("layers =\n")[2].partition("\n\n")[0]
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = text.partition("pipeline/cli   ")[2].partition("```")[0]

    missing = [name for name in re.findall(r"\w+", floors) if name != "cli" and not re.search(rf"\b{name}\b", shown)]
    assert not missing


def _named(text: str) -> Iterator[tuple[str, str]]:
    """Pairs of file and name, line by line; the name is empty where only the file is named."""
    for line in text.splitlines():
        path = ""
        for quoted in re.findall(r"`([^`]+)`", line):
            found = re.fullmatch(r"((?:pipeline|ingress|agents|tests)/[\w/]+\.py)(?:: ?([\w.]+))?", quoted)
            if found:
                path = found[1]
                yield path, found[2] or ""
            elif path and line.lstrip().startswith("|") and re.fullmatch(r"[A-Za-z_][\w.]*(\(\))?", quoted):
                yield path, quoted.removesuffix("()")


def _exists(path: Path, name: str) -> bool:
    if not path.is_file():
        return False
    body: list[ast.stmt] = ast.parse(path.read_text(encoding="utf-8")).body
    for part in filter(None, name.split(".")):
        found = next((node for node in body if part in _defines(node)), None)
        if found is None:
            return False
        body = getattr(found, "body", [])
    return True


def _defines(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_tests_wait_for_what_they_need() -> None:
    """Only the waiting functions sleep in real time."""
    real = [
        path for path in SOURCES if _name(path).startswith(("tests/components", "tests/faults/real", "tests/parts"))
    ]
    unit = [path for path in SOURCES if _name(path).startswith(("tests/unit", "tests/conformance"))]

    assert [_name(path) for path in real if "sleep" in _attributes(path)] == ["tests/parts/waiting.py"]
    assert not [_name(path) for path in unit if _sleeps(path) and not VIRTUAL_TIME & _imported(path)]


def _sleeps(path: Path) -> bool:
    """Whether a call of `sleep` in the file waits for anything but a turn of the loop."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return any(
        isinstance(call.func, ast.Attribute) and call.func.attr == "sleep" and ast.unparse(call.args[0]) != "0"
        for call in calls
    )


def _imported(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {each.name for node in nodes if isinstance(node, ast.ImportFrom) for each in node.names}


def test_no_test_is_built_on_another() -> None:
    """No test file imports another test file."""
    found = [
        f"{_name(path)}: {node.module}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").rpartition(".")[2].startswith("test_")
    ]

    assert not found


def test_signals_go_to_our_own_processes() -> None:
    """No Python code runs between fork and exec, and only the class that owns a process group sends it signals.

    Code in the copy of a process with threads can abort or hang; a number that was reaped may be another process's.
    """
    found = [
        f"{_name(path)}: {word}" for path in SOURCES for word in _attributes(path) & {"preexec_fn", "killpg", "fork"}
    ]

    assert found == ["pipeline/demo/process.py: killpg"]


def _attributes(path: Path) -> set[str]:
    """Names of attributes and of keyword arguments in a file."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    return {
        *(node.attr for node in nodes if isinstance(node, ast.Attribute)),
        *(node.arg or "" for node in nodes if isinstance(node, ast.keyword)),
    }
