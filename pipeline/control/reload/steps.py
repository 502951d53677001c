"""Decides what a process has to do with its parts when the configuration changes: start, stop, replace, turn, or nothing. Pure.

A part (an action of a worker, a source of an ingress) is compared by digests: `fixed` covers what it cannot change while it runs,
`whole` all that it depends on. A description is in neither of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import orjson

from pipeline.config.base.section import Section
from pipeline.config.dump import dump

# Settings that decide nothing.
_FOR_PEOPLE: Final = {"description", "tags", "fallback_actions"}

Verb = Literal["start", "stop", "replace", "turn"]
VERBS: Final[tuple[Verb, ...]] = ("start", "stop", "replace", "turn")


class Digests(NamedTuple):
    """What a part depends on."""

    fixed: str
    whole: str


class PartStep(NamedTuple):
    """What to do with a part."""

    verb: Verb
    name: str


def steps(running: Mapping[str, Digests], wanted: Mapping[str, Digests]) -> list[PartStep]:
    """What to do, so that the wanted parts run and no others. A part that is in no step goes on as it is."""
    found = [PartStep("stop", name) for name in running if name not in wanted]
    for name, after in wanted.items():
        before = running.get(name)
        if before is None:
            found.append(PartStep("start", name))
        elif before.fixed != after.fixed:
            found.append(PartStep("replace", name))
        elif before.whole != after.whole:
            found.append(PartStep("turn", name))
    return found


def decisive(section: Section) -> dict[str, Any]:
    """The settings of a section as they were written, without those for people."""
    return {name: value for name, value in dump(section, defaults=True).items() if name not in _FOR_PEOPLE}


def digest(facts: Any) -> str:
    """The digest of plain data."""
    return hashlib.sha256(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)).hexdigest()
