"""Metadata of the packages: versions, bounds, types."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEPENDENCIES = {found.name: found for found in map(Requirement, PROJECT["dependencies"])}
PACKAGES = ("pipeline", "ingress", "agents")
PRODUCT = sorted(path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py"))

# Names that begin with an underscore and are not ours: whose they are. Any release of that library may take them away.
PRIVATE_NAMES = {
    "_call_socket_register_write": "paho-mqtt",
    "_in_packet": "paho-mqtt",
    "_loop_rc_handle": "paho-mqtt",
    "_packet_handle": "paho-mqtt",
    "_packet_queue": "paho-mqtt",
    "_sock_close": "paho-mqtt",
    "_ssl": "paho-mqtt",
    "_aborted_producers": "aiokafka",
    "_check_crcs": "aiokafka",
    "_consume_aborted_up_to": "aiokafka",
    "_contains_abort_marker": "aiokafka",
    "_coordinator": "aiokafka",
    "_fetch_task": "aiokafka",
    "_fetcher": "aiokafka",
    "_isolation_level": "aiokafka",
    "_max_wait_ms": "aiokafka",
    "_pending_tasks": "aiokafka",
    "_rejoin_needed_fut": "aiokafka",
    "_upper_bounds": "prometheus-client",
    "_session_timeout_ms": "aiokafka",
    "_topic_partition": "aiokafka",
    "_tp": "aiokafka",
    "_update_position": "aiokafka",
    "_commit_offsets": "faust-streaming",
    "_committed_offset": "faust-streaming",
    "_ensure_consumer": "faust-streaming",
    "_extensions_finalized": "faust-streaming",
    "_get_active_partitions": "faust-streaming",
    "_getmany": "faust-streaming",
    "_handle_frame": "aiokafka",
    "_on_agent_error": "faust-streaming",
}
PUBLIC_ALL_THE_SAME = {"_asdict", "_replace", "_make", "_fields", "_exit"}  # of NamedTuple and os


def test_a_library_with_used_privates_has_an_upper_bound() -> None:
    """If the product uses a private name of a library, pyproject.toml has an upper bound for the library."""
    used = {name for path in PRODUCT for name in _used(path)} - {name for path in PRODUCT for name in _defined(path)}

    unbounded = {library for library in PRIVATE_NAMES.values() if not _is_bounded(library)}
    assert used - PRIVATE_NAMES.keys() - PUBLIC_ALL_THE_SAME == set(), "whose are these? add them to PRIVATE_NAMES"
    assert PRIVATE_NAMES.keys() - used == set(), "nobody uses these any more"
    assert unbounded == set()


def test_the_pythons_are_those_that_are_tested() -> None:
    """The classifiers begin with the oldest Python that pip accepts, and have no gap."""
    listed = [name.rpartition(" ")[2] for name in PROJECT["classifiers"] if re.search(r"Python :: 3\.\d+$", name)]

    assert f">={listed[0]}" == PROJECT["requires-python"]
    assert listed == [f"3.{minor}" for minor in range(int(listed[0][2:]), int(listed[0][2:]) + len(listed))]


def test_the_packages_say_that_they_are_typed() -> None:
    """Each package has the marker py.typed."""
    assert [name for name in PACKAGES if not (ROOT / name / "py.typed").is_file()] == []


def _is_bounded(library: str) -> bool:
    found = DEPENDENCIES.get(library)
    return found is not None and any(bound.operator in {"<", "<=", "==", "~="} for bound in found.specifier)


def _used(path: Path) -> Iterator[str]:
    """Private names in `x.name`. KafkaError's codes are named so by librdkafka, and public."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and not node.attr.isupper():
            yield node.attr


def _defined(path: Path) -> Iterator[str]:
    """Private functions, classes and attributes that the file makes itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _assigned(node)


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in (each for found in targets for each in ast.walk(found)):
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
            yield target.attr
        elif isinstance(target, ast.Name):
            yield target.id


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")
