"""Change the pure modules a little, one change at a time, and see that a test fails: `make mutation`.

A change that no test notices is printed with file and line; it is either a test that lacks or code that is not needed. A run
lasts as long as it may (`--seconds`): the seed draws which mutants come first, so that each night tries others. It fails when
fewer are noticed in one of the modules than the floor says. Some mutants change nothing that a caller could see, such as the
first number of a counter; the floor leaves room for them.

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
from typing import Final, NamedTuple

import pytest

from tests.mutation import trial
from tests.mutation.mutants import mutants

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
    "pipeline/upload/buffer.py": ["tests/unit/upload/test_buffer.py", "tests/unit/upload/test_cut.py"],
    "pipeline/upload/open_offsets.py": ["tests/unit/upload/test_open_offsets.py"],
    "pipeline/upload/outcomes.py": ["tests/unit/upload/test_outcomes.py"],
    "pipeline/upload/ledger.py": ["tests/unit/upload/test_ledger.py", "tests/unit/upload/test_ledger_check.py"],
    "pipeline/upload/ledger_check.py": [
        "tests/unit/upload/test_ledger_check.py",
        "tests/unit/agents/operate/test_verify.py",
    ],
    "pipeline/formats/columns.py": ["tests/unit/formats", "tests/unit/test_formats.py"],
    "pipeline/sql/runtime/ordering.py": ["tests/conformance"],
    "ingress/route.py": ["tests/unit/ingress/test_route.py", "tests/unit/ingress/test_sparkplug.py"],
    "ingress/window.py": ["tests/unit/ingress/test_window.py"],
    "ingress/clientid.py": ["tests/unit/ingress/test_clientid.py"],
    "ingress/listener/limits/allowance.py": ["tests/unit/ingress/listener/test_limits.py"],
    "ingress/listener/wills.py": ["tests/unit/ingress/listener/test_wills.py"],
    "ingress/exhook/outbox.py": ["tests/unit/ingress/test_exhook_outbox.py"],
    "ingress/listener/inbox.py": [
        "tests/unit/ingress/listener/test_inbox.py",
        "tests/unit/ingress/listener/test_room.py",
        "tests/unit/ingress/listener/test_bridges.py",
    ],
}


def main() -> int:
    """Try the chosen modules one after the other, each for its share of the time. Returns the exit status."""
    given = _arguments()
    chosen = {path: tests for path, tests in SUBJECTS.items() if not given.only or path in given.only}
    began, shares = time.monotonic(), []
    for number, path in enumerate(chosen):
        left = given.seconds - (time.monotonic() - began)
        shares.append(_try(path, chosen[path], left / (len(chosen) - number), random.Random(given.seed)))
        print(f"{path}: {shares[-1]}", flush=True)
    print(
        f"{sum(each.tried for each in shares)} mutants in {time.monotonic() - began:.0f} s, seed {given.seed}: {_sum(shares)}"
    )
    return 0 if all(each.noticed >= given.floor for each in shares) else 1


class Share(NamedTuple):
    """How many mutants of a module there are, how many of them were tried, and how many of those no test noticed."""

    mutants: int
    tried: int
    survivors: int

    @property
    def noticed(self) -> float:
        return 1 - self.survivors / max(1, self.tried)

    def __str__(self) -> str:
        return f"{self.tried} of {self.mutants} tried, {self.noticed:.1%} noticed"


def _sum(shares: list[Share]) -> Share:
    return Share(*map(sum, zip(*shares, strict=True)))


def _arguments() -> argparse.Namespace:
    arguments = argparse.ArgumentParser(description="Whether the tests notice small changes of the code.")
    arguments.add_argument(
        "only", nargs="*", help="modules, such as pipeline/topics.py; all that have their tests by default"
    )
    arguments.add_argument("--seconds", type=float, default=1200.0, help="how long to go on, shared by the modules")
    arguments.add_argument("--seed", default="0", help="what is tried first: a number, or a commit")
    arguments.add_argument("--floor", type=float, default=0.9, help="the share that must be noticed in each module")
    return arguments.parse_args()


def _try(path: str, tests: list[str], seconds: float, chance: random.Random) -> Share:
    """Try mutants of one module until the time is over, at least one. Prints those that no test notices."""
    source = (trial.ROOT / path).read_text(encoding="utf-8")
    if not _survives(path, source, tests, SECONDS_UNCHANGED, shown=True):
        raise SystemExit(f"{path}: the tests {' '.join(tests)} fail without any change")
    todo = list(mutants(source))
    chance.shuffle(todo)
    began, tried, survivors = time.monotonic(), 0, 0
    for mutant in todo:
        if tried and time.monotonic() - began > seconds:
            break
        tried += 1
        if _survives(path, mutant.source, tests):
            survivors += 1
            print(f"{path}:{mutant.line}: `{mutant.before}` → `{mutant.after}`", flush=True)
    return Share(len(todo), tried, survivors)


def _survives(
    path: str, source: str, tests: list[str], seconds: float = SECONDS_FOR_ONE, *, shown: bool = False
) -> bool:
    """Whether the tests pass with this source. `shown`: with what pytest prints. Raises when they cannot be run at all."""
    name = path.removesuffix(".py").replace("/", ".")
    start = multiprocessing.get_context("forkserver").Process
    child = start(target=trial.run, args=(name, trial.ROOT / path, source, tests, shown))
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
