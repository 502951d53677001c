"""The tree of errors: each kind has a code, a fault and whether to retry, and no error is outside the tree."""

from __future__ import annotations

import ast
import builtins
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from pipeline import errors
from pipeline.errors import Code, ConfigError, Fault, NotFoundError, TidegateError, located

ROOT = Path(__file__).parents[3]
PRODUCT = sorted(path for folder in ("pipeline", "ingress", "agents") for path in (ROOT / folder).rglob("*.py"))
BUILTIN = {name for name, each in vars(builtins).items() if isinstance(each, type) and issubclass(each, BaseException)}

OUTSIDE_THE_TREE = {
    "pipeline.demo.main.Interrupted": "a signal, which no `except Exception` may catch",
}
# Python's own errors that are raised, and where; ValueError everywhere: a function that reads one value cannot know its place,
# and its caller makes an error of the tree of it.
BUILTIN_RAISED = {
    "TypeError": {
        "pipeline/sql/runtime/jsontext.py": "what orjson asks a `default` to raise",
        "pipeline/config/base/section.py": "a class of settings that is declared wrongly does not load",
    },
    "ConnectionError": {"agents/stream/credentials.py": "what aiokafka takes for a connection that failed"},
    "SystemExit": {"pipeline/demo/launcher.py": "the end of a process that is no command of ours"},
}


class Kind(NamedTuple):
    """A line of the drawing."""

    base: str
    code: str
    fault: str
    retry: bool


def drawn() -> dict[str, Kind]:
    """The drawing in the docstring of pipeline/errors.py, by class."""
    found: dict[str, Kind] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"    ((?:[│ ] {3})*)([├└]── )?(\w+) +([A-Z_]+) +(\w+) +(yes|no) +\S.*", line):
            depth = len(match[1]) // 4 + bool(match[2])
            path[depth:] = [match[3]]
            found[match[3]] = Kind(path[depth - 1] if depth else "", match[4], match[5], match[6] == "yes")
    return found


def classes(path: Path) -> Iterator[ast.ClassDef]:
    """The classes of a file that are errors, by the names of their bases."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            bases = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
            if bases & BUILTIN or any(re.search(r"(Error|Exception|Warning)$", base) for base in bases):
                yield node


def found() -> dict[str, type[BaseException]]:
    """Every class of the product that is an error, by module and name."""
    found: dict[str, type[BaseException]] = {}
    for path in PRODUCT:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for node in classes(path):
            found[f"{module}.{node.name}"] = getattr(importlib.import_module(module), node.name)
    return found


def test_every_error_is_in_the_tree() -> None:
    """Every error class is in the tree, except those listed with a reason."""
    outside = {name for name, kind in found().items() if not issubclass(kind, TidegateError)}

    assert outside == set(OUTSIDE_THE_TREE)


def test_the_drawing_is_true() -> None:
    """The drawing names every class of the tree with base, code, fault and retry."""
    tree = {
        kind.__name__: Kind(
            next((base.__name__ for base in kind.__bases__ if issubclass(base, TidegateError)), ""),
            kind.code,
            kind.fault,
            kind.retry,
        )
        for kind in found().values()
        if issubclass(kind, TidegateError)
    }

    assert drawn() == tree


@pytest.mark.parametrize("kind", sorted(drawn()))
def test_a_kind_has_words_that_a_table_can_map(kind: str) -> None:
    """Each code is one of EMQX's, and each fault is one of four."""
    assert drawn()[kind].code in get_args(Code)
    assert drawn()[kind].fault in get_args(Fault)


def test_a_fault_of_ours_has_the_code_for_it() -> None:
    """Only a fault of ours has the code INTERNAL_ERROR."""
    assert {kind.code for kind in drawn().values() if kind.fault == "us"} == {"INTERNAL_ERROR"}
    assert {kind.fault for kind in drawn().values() if kind.code == "INTERNAL_ERROR"} == {"us"}


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_raised_on_purpose_is_of_the_tree(path: Path) -> None:
    """Of Python's own errors, only ValueError is raised, for a value whose place the caller knows."""
    name = str(path.relative_to(ROOT))
    raised = {
        node.exc.func.id
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name)
    }

    assert {each for each in raised & BUILTIN - {"ValueError"} if name not in BUILTIN_RAISED.get(each, {})} == set()


def test_nobody_asks_for_a_module_to_know_an_error() -> None:
    """No code asks for the module of an error, except the table of functions."""
    asking = [str(path.relative_to(ROOT)) for path in PRODUCT if "__module__" in path.read_text(encoding="utf-8")]

    assert asking == ["pipeline/sql/functions/registry.py"]


@pytest.mark.parametrize(
    "folder",
    ["pipeline/cli", "pipeline/connectors/kafka", "pipeline/upload", "pipeline/sql/functions", "agents/stream"],
)
def test_only_configuration_is_a_config_error(folder: str) -> None:
    """ConfigError is raised only for configuration."""
    wrong = [path for path in (ROOT / folder).rglob("*.py") if "raise ConfigError(" in path.read_text(encoding="utf-8")]

    assert wrong == []


def test_a_name_that_is_not_there_comes_with_those_that_are() -> None:
    """The error for an unknown name lists the known names."""
    assert str(NotFoundError.among("action", "hit", ["hot", "raw"])) == "no action 'hit'; there are: hot, raw"
    assert str(NotFoundError.among("rule", "x", [])) == "no rule 'x'; there are: none"


def test_an_error_gets_its_place() -> None:
    """The places of nested settings become one path."""
    with pytest.raises(ConfigError) as error, located("actions.s3.hot"), located("parameters.key"):
        raise ValueError("expected a key, found none")

    assert str(error.value) == "actions.s3.hot.parameters.key: expected a key, found none"
