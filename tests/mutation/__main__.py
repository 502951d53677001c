"""Change the pure modules a little, one change at a time, and see that a test fails: `make mutation`.

A change that no test notices is printed with file and line; it is either a test that lacks or code that is not needed. A run
lasts as long as it may (`--seconds`): the seed draws which mutants come first, so that each night tries others. It fails when
fewer are noticed than the floor says.

Why not mutmut or cosmic-ray: the first knows neither a seed nor a bound of time, and half of its mutants are other texts in
messages; the second starts Python for each mutant, which costs ten times what the tests do. Here each mutant is a fork of a
process that has imported the libraries, but nothing of ours.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from typing import Final

import pytest

from tests.mutation import trial
from tests.mutation.mutants import Mutant, mutants

PRELOADED: Final = [
    "pytest", "pytest_asyncio", "hypothesis", "orjson", "pyarrow.parquet", "fastavro", "jinja2", "pydantic", "structlog",
    "confluent_kafka", "asyncio",
]  # fmt: skip
SECONDS_FOR_ONE: Final = 60
SECONDS_UNCHANGED: Final = (
    600  # the first process also imports the libraries, and this time says nothing about the tests
)

# What is mutated, and the tests that should notice.
SUBJECTS: Final[dict[str, list[str]]] = {
    "pipeline/topics.py": ["tests/unit/test_topics.py"],
    "pipeline/upload/buffer.py": ["tests/unit/upload/test_buffer.py"],
    "pipeline/upload/open_offsets.py": ["tests/unit/upload/test_open_offsets.py"],
    "pipeline/upload/outcomes.py": ["tests/unit/upload/test_outcomes.py"],
    "pipeline/upload/ledger.py": ["tests/unit/upload/test_ledger.py", "tests/unit/upload/test_ledger_check.py"],
    "pipeline/upload/ledger_check.py": [
        "tests/unit/upload/test_ledger_check.py",
        "tests/unit/agents/operate/test_verify.py",
    ],
    "pipeline/formats/columns.py": ["tests/unit/formats", "tests/unit/test_formats.py"],
    "pipeline/sql/runtime/ordering.py": ["tests/conformance"],
    "ingress/route.py": ["tests/unit/ingress/test_route.py"],
    "ingress/window.py": ["tests/unit/ingress/test_window.py"],
    "ingress/clientid.py": ["tests/unit/ingress/test_clientid.py"],
    "ingress/listener/limits/allowance.py": ["tests/unit/ingress/listener/test_limits.py"],
    "ingress/listener/wills.py": ["tests/unit/ingress/listener/test_wills.py"],
    "ingress/exhook/outbox.py": ["tests/unit/ingress/test_exhook_outbox.py"],
    "ingress/listener/inbox.py": [
        "tests/unit/ingress/listener/test_inbox.py",
        "tests/unit/ingress/listener/test_bridges.py",
    ],
}


def main() -> int:
    arguments = argparse.ArgumentParser(description="Whether the tests notice small changes of the code.")
    arguments.add_argument(
        "only", nargs="*", help="modules, such as pipeline/topics.py; all that have their tests by default"
    )
    arguments.add_argument("--seconds", type=float, default=1200.0, help="how long to go on")
    arguments.add_argument("--seed", default="0", help="what is tried first: a number, or a commit")
    arguments.add_argument("--floor", type=float, default=0.9, help="the share that must be noticed")
    given = arguments.parse_args()
    chosen = {path: tests for path, tests in SUBJECTS.items() if not given.only or path in given.only}
    todo = [(path, each) for path in chosen for each in mutants((trial.ROOT / path).read_text(encoding="utf-8"))]
    random.Random(given.seed).shuffle(todo)
    print(f"{len(todo)} mutants of {len(chosen)} modules, seed {given.seed}, at most {given.seconds:g} s")
    for path, tests in chosen.items():
        if not _survives(path, (trial.ROOT / path).read_text(encoding="utf-8"), tests, SECONDS_UNCHANGED):
            raise SystemExit(f"{path}: the tests {' '.join(tests)} fail without any change")
    survivors: list[tuple[str, Mutant]] = []
    began, tried = time.monotonic(), 0
    for path, mutant in todo:
        if time.monotonic() - began > given.seconds:
            break
        tried += 1
        if _survives(path, mutant.source, chosen[path]):
            survivors.append((path, mutant))
            print(f"{path}:{mutant.line}: `{mutant.before}` → `{mutant.after}`", flush=True)
    noticed = 1 - len(survivors) / max(1, tried)
    print(f"{tried} of {len(todo)} tried in {time.monotonic() - began:.0f} s; noticed: {noticed:.1%}")
    return 0 if tried and noticed >= given.floor else 1


def _survives(path: str, source: str, tests: list[str], seconds: float = SECONDS_FOR_ONE) -> bool:
    """Whether the tests pass with this source. Raises when they cannot be run at all."""
    name = path.removesuffix(".py").replace("/", ".")
    start = multiprocessing.get_context("forkserver").Process
    child = start(target=trial.run, args=(name, trial.ROOT / path, source, tests))
    child.start()
    child.join(seconds)
    if child.exitcode is None:  # it never ends, which somebody would notice
        child.kill()
        child.join()
        return False
    if child.exitcode not in trial.STATUSES:
        raise SystemExit(f"{path}: the tests {' '.join(tests)} could not be run: status {child.exitcode}")
    return child.exitcode == pytest.ExitCode.OK


if __name__ == "__main__":
    multiprocessing.set_forkserver_preload([*PRELOADED, "tests.mutation.trial"])
    sys.exit(main())
