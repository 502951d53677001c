"""The outcome of each offset of a cut, for the counts of a ledger entry.

records = written + filtered + dead-lettered. With the offsets that hold no record: records + absent + missing =
offsets. `absent` are offsets at which the broker showed no record within a fetch (compaction, markers of transactions).
`missing` are offsets that it had deleted before they were read. Nothing is inferred: the caller says which offsets the
broker showed.

Each record takes one byte, because a cut may end in the middle of the read records. Pure counting.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from pipeline.upload.ledger import Missing

FILTERED: Final = 0
WRITTEN: Final = 1
DEAD: Final = 2


class Counts(NamedTuple):
    """Counts of offsets by outcome. A record with rows and a dead letter counts as dead-lettered."""

    records: int
    filtered: int
    written: int
    dead_lettered: int
    absent: int
    missing: tuple[Missing, ...]


class _Shown(NamedTuple):
    """Offsets from `first` up to `next`, which is not included. These `offsets` hold records. `missing`: all are gone."""

    first: int
    next: int
    offsets: Sequence[int]
    outcomes: bytes
    missing: bool = False


class Outcomes:
    """Outcomes of the offsets since the last cut, batch by batch."""

    def __init__(self) -> None:
        self._shown: list[_Shown] = []
        self.records = 0
        self.any_dead = False
        self.any_missing = False  # whether any offset is gone

    def add(self, first: int, following: int, offsets: Sequence[int], outcomes: bytes) -> None:
        """Add the fetch of `first` to `following`: ascending offsets and their outcomes, of equal length."""
        self._shown.append(_Shown(first, following, offsets, outcomes))
        self.records += len(offsets)
        self.any_dead = self.any_dead or DEAD in outcomes

    def gone(self, missing: Missing) -> None:
        """Add offsets that Kafka no longer has."""
        self._shown.append(_Shown(*missing, (), b"", missing=True))
        self.any_missing = True

    @property
    def empty(self) -> bool:
        """Whether nothing was added since the last cut."""
        return not self._shown

    def misses(self, first: int, following: int) -> bool:
        """Whether any of these offsets is gone."""
        return any(shown.missing and shown.first < following and first < shown.next for shown in self._shown)

    def dead(self, dead: Sequence[int]) -> None:
        """Count records as dead letters that were counted as written: ascending offsets, which were all added before."""
        self.any_dead = self.any_dead or bool(dead)
        at = 0
        for number, shown in enumerate(self._shown):
            changed = bytearray(shown.outcomes)
            while at < len(dead) and dead[at] < shown.next:
                changed[bisect_left(shown.offsets, dead[at])] = DEAD
                at += 1
            self._shown[number] = shown._replace(outcomes=bytes(changed))

    def counts(self, until: int) -> Counts:
        """The counts of the offsets below `until`."""
        records = filtered = written = dead = absent = 0
        missing = []
        for first, following, offsets, outcomes, gone in self._shown:
            covered = max(0, min(following, until) - first)
            if gone:
                missing += [Missing(first, first + covered)] if covered else []
                continue
            end = bisect_left(offsets, until)
            records += end
            absent += covered - end
            filtered += outcomes.count(FILTERED, 0, end)
            written += outcomes.count(WRITTEN, 0, end)
            dead += outcomes.count(DEAD, 0, end)
        return Counts(records, filtered, written, dead, absent, tuple(missing))

    def drop(self, until: int) -> None:
        """Forget the offsets below `until`."""
        kept = []
        for shown in self._shown:
            if shown.next > until:
                begin = bisect_left(shown.offsets, until)
                kept.append(
                    shown._replace(
                        first=max(shown.first, until), offsets=shown.offsets[begin:], outcomes=shown.outcomes[begin:]
                    )
                )
        self._shown = kept
        self.records = sum(len(shown.offsets) for shown in kept)
        self.any_dead = any(DEAD in shown.outcomes for shown in kept)
        self.any_missing = any(shown.missing for shown in kept)
