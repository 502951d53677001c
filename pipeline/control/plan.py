"""Plans: what has to change so that the topic holds what files say, or what it held before. Pure.

A plan compares the texts of objects. What is equal is not written, so that its revision and its author stay.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pipeline.config import Config
from pipeline.config.base.section import Section
from pipeline.config.dump import to_yaml
from pipeline.control.objects import Change, Stored, Value, place_of, whole
from pipeline.control.records import Past
from pipeline.errors import NotFoundError

APPLY: Final = "apply"


class PlannedStep(NamedTuple):
    """What becomes of one object. `before` is None if it is new, `after` is None if it goes."""

    key: str
    before: Stored | None
    after: Value | None

    @property
    def sign(self) -> str:
        """A sign for people: new, gone or changed."""
        if self.before is None:
            return "+"
        return "-" if self.after is None else "~"


def to_apply(there: Mapping[str, Stored], wanted: Mapping[str, Value], *, prune: bool) -> list[PlannedStep]:
    """The steps to what files say. `prune`: objects that `apply` wrote last, and that no file has, go."""
    steps = [PlannedStep(key, there.get(key), value) for key, value in wanted.items()]
    steps = [each for each in steps if each.before is None or each.before.value != each.after]
    gone = [key for key, each in there.items() if place_of(key) and each.source == APPLY and key not in wanted]
    return steps + [PlannedStep(key, there[key], None) for key in sorted(gone) if prune]


def to_roll_back(
    there: Mapping[str, Stored], past: Sequence[Past], revision: int
) -> tuple[list[PlannedStep], dict[str, str]]:
    """The steps to the objects as they were at a revision, and through what each was written then.

    Raises NotFoundError if there was nothing yet, or if the topic has not come so far.
    """
    then: dict[str, Stored | None] = {
        each.key: each.stored for each in past if each.revision <= revision and place_of(each.key)
    }
    if past and revision > past[-1].revision + 1:  # one more: the mark of its end has an offset too
        raise NotFoundError(f"no revision {revision}: the last one is {past[-1].revision + 1}")
    if not then:
        raise NotFoundError(f"no revision {revision}: the history has nothing of that time")
    steps = []
    for key in sorted({*then, *filter(place_of, there)}):
        before, after = there.get(key), then.get(key)
        if (before and before.value) != (after and after.value):
            steps.append(PlannedStep(key, before, after.value if after else None))
    return steps, {key: each.source for key, each in then.items() if each}


def first_after(past: Sequence[Past], revision: int) -> Past | None:
    """The first change after a revision. Since then Kafka may have compacted what the revision held."""
    return next((each for each in past if each.revision > revision), None)


def change_of(
    steps: Sequence[PlannedStep], *, by: str, source: str, sources: Mapping[str, str] | None = None
) -> Change:
    """The change of these steps. It is refused if one of the objects is changed in between."""
    return Change(
        puts={each.key: each.after for each in steps if each.after is not None},
        deletes=frozenset(each.key for each in steps if each.after is None),
        expected={each.key: each.before.revision if each.before else None for each in steps},
        by=by,
        source=source,
        sources=sources or {},
    )


# --- For people


def difference(base: Config, steps: Sequence[PlannedStep]) -> Iterator[str]:
    """The lines of a readable difference. Values that may hold a secret are hidden."""
    for step in steps:
        yield f"{step.sign} {step.key}"
        before = _text(base, step.key, step.before.value if step.before else None)
        after = _text(base, step.key, step.after)
        found = list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]
        for line in found:
            yield "    …" if line.startswith("@@") else f"  {line}"
        if not found:
            yield "    a hidden setting differs"


def _text(base: Config, key: str, value: Value | None) -> list[str]:
    """The lines of an object. What is wrong with it is told by whoever writes it."""
    section = None if value is None else section_of(base, key, value)
    return [] if section is None else to_yaml(section, masked=True).splitlines()


def section_of(base: Config, key: str, value: Value) -> Section:
    """An object as a section of the configuration, by itself. Raises ConfigError."""
    place = place_of(key)
    assert place is not None
    found: Any = whole(base, {key: value}, check=False)
    for part in place.path:
        found = found[part] if isinstance(found, dict) else getattr(found, part)
    assert isinstance(found, Section)
    return found
