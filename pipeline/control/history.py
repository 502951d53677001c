"""What the whole cluster did in the last hour, one sample every 10 s, and what each object did, one every 30 s, for charts.

Counters of processes only rise; one that starts again begins at 0 under another name. So a sample holds what each process has
counted more than in its sample before, and a new process counts from its start only if that was seen. Pure: times are arguments.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from pipeline.control.status import Parts, ProcessReport

STEP_SECONDS: Final = 10.0
STEP_MS: Final = 10_000
KEPT: Final = 360  # samples: an hour
OBJECT_STEP_MS: Final = 30_000
OBJECT_KEPT: Final = 120  # samples of each object: an hour
OBJECTS_MAX: Final = 10_000  # with samples, 1 kB each; whoever had no message for the longest time gives way

# The columns of a sample, and the counters that they are the sum of.
COUNTED: Final[Mapping[str, tuple[Parts, str]]] = {
    "received": ("sources", "received"),
    "received_bytes": ("sources", "received_bytes"),
    "sent": ("actions", "success"),
    "sent_bytes": ("actions", "object_bytes"),
    "objects": ("actions", "objects"),
    "dropped": ("actions", "dead_letters"),
    "latency_count": ("actions", "latency.count"),
    "latency_ms": ("actions", "latency.sum_ms"),
}

# What a message of an object is, for its own samples.
MESSAGES: Final[Mapping[Parts, str]] = {"rules": "matched", "actions": "matched", "sources": "received"}


class Step(NamedTuple):
    """What happened in the step before `at`. `connections` and `lag` (in records) are those of its end."""

    at: int
    counts: Mapping[str, int]
    connections: int
    lag: int


class History:
    """The samples of the last hour."""

    def __init__(self) -> None:
        self._before: dict[str, dict[str, int]] | None = None
        self._sampled_at = 0
        self._samples: deque[Step] = deque(maxlen=KEPT)
        self.of_objects = ObjectHistory()

    def sample(self, now_ms: int, reports: Iterable[ProcessReport]) -> None:
        """Take a sample of the present reports."""
        wanted = list(reports)
        totals = {each.node: {name: _total(each, *where) for name, where in COUNTED.items()} for each in wanted}
        if self._before is not None:
            connections, lag = _total_of(wanted, "sources", "connections"), _total_of(wanted, "actions", "queuing")
            unseen = {
                each.node for each in wanted if each.node not in self._before and each.started_at < self._sampled_at
            }
            counting = {each.node for each in wanted if each.kind != "api"}
            if not counting or counting - unseen:  # else nobody knows what happened in this step
                grown = self._growth({node: counts for node, counts in totals.items() if node not in unseen})
                self._samples.append(Step(now_ms, grown, connections, lag))
        self._before, self._sampled_at = totals, now_ms
        self.of_objects.sample(now_ms, wanted)

    def _growth(self, totals: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
        assert self._before is not None
        found = dict.fromkeys(COUNTED, 0)
        for node, counts in totals.items():
            before = self._before.get(node, {})
            for name, count in counts.items():
                found[name] += max(0, count - before.get(name, 0))
        return found

    def since(self, at: int) -> list[Step]:
        """The samples since a time, oldest first."""
        return [each for each in self._samples if each.at > at]

    @property
    def last(self) -> Step | None:
        """The newest sample."""
        return self._samples[-1] if self._samples else None


@dataclass(frozen=True, slots=True)
class ObjectStep:
    """What an object did in the step before `at`: messages, and messages a second."""

    at: int
    count: int
    rate: float


class _Counts:
    """The messages of one object by the number of the step, in a ring."""

    __slots__ = ("_ring", "last")

    def __init__(self) -> None:
        self.last = -1
        self._ring = array("Q", bytes(8 * OBJECT_KEPT))

    def put(self, step: int, count: int) -> None:
        for idle in range(max(self.last + 1, step - OBJECT_KEPT + 1), step):
            self._ring[idle % OBJECT_KEPT] = 0
        self._ring[step % OBJECT_KEPT] = count
        self.last = step

    def at(self, step: int) -> int:
        """Of a step that is kept: the newest ones of the history."""
        return self._ring[step % OBJECT_KEPT] if self.last - OBJECT_KEPT < step <= self.last else 0


class ObjectHistory:
    """The messages of each rule, action and source in the last hour. One without any takes no memory."""

    def __init__(self) -> None:
        self._before: dict[str, ProcessReport] | None = None
        self._sampled_at = 0
        self._taken = 0
        self._steps: deque[tuple[int, int]] = deque(maxlen=OBJECT_KEPT)  # when each ended, and how long it was
        self._counts: dict[tuple[Parts, str], _Counts] = {}  # who had a message last is the last

    def sample(self, now_ms: int, reports: Collection[ProcessReport]) -> None:
        """Take a sample of the present reports, if it is time for one."""
        length = now_ms - self._sampled_at
        if self._before is not None and length < OBJECT_STEP_MS:
            return
        if self._before is not None:
            for key, count in self._growth(self._before, reports).items():
                counts = self._counts.pop(key, None) or _Counts()
                counts.put(self._taken, count)
                self._counts[key] = counts
            self._steps.append((now_ms, length))
            self._forget()
            self._taken += 1
        self._before, self._sampled_at = {each.node: each for each in reports}, now_ms

    def _growth(
        self, before: Mapping[str, ProcessReport], reports: Iterable[ProcessReport]
    ) -> dict[tuple[Parts, str], int]:
        found: dict[tuple[Parts, str], int] = {}
        for report in reports:
            old = before.get(report.node)
            if old is None and report.started_at < self._sampled_at:
                continue  # it was silent: what it counted meanwhile is not of this step
            for kind, name in MESSAGES.items():
                for id, part in report.parts.get(kind, {}).items():
                    known = old.of(kind, id) if old else None
                    count = int(part.counters.get(name, 0)) - (int(known.counters.get(name, 0)) if known else 0)
                    if count > 0:
                        found[kind, id] = found.get((kind, id), 0) + count
        return found

    def _forget(self) -> None:
        """Let those go that had no message for an hour, and those above the limit."""
        while self._counts:
            key, counts = next(iter(self._counts.items()))
            if counts.last > self._taken - OBJECT_KEPT and len(self._counts) <= OBJECTS_MAX:
                return
            del self._counts[key]

    def since(self, at: int, kind: Parts, ids: Iterable[str]) -> list[ObjectStep]:
        """The steps since a time, oldest first, of some objects together."""
        kept = [counts for id in ids if (counts := self._counts.get((kind, id))) is not None]
        found = []
        for step, (end, length) in enumerate(self._steps, self._taken - len(self._steps)):
            if end > at:
                count = sum(each.at(step) for each in kept)
                found.append(ObjectStep(end, count, round(count * 1000 / length, 3)))
        return found


def _total_of(reports: Iterable[ProcessReport], kind: Parts, name: str) -> int:
    return sum(_total(each, kind, name) for each in reports)


def _total(report: ProcessReport, kind: Parts, name: str) -> int:
    return sum(int(part.counters.get(name, 0)) for part in report.parts.get(kind, {}).values())
