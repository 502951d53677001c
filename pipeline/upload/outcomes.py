"""What became of each record of a cut, so that a ledger entry can count: read = written + filtered + dead-lettered.

One byte per record, because a cut may turn out to end in the middle of what was read. Pure counting.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

FILTERED: Final = 0
WRITTEN: Final = 1
DEAD: Final = 2


class Counts(NamedTuple):
    """Records of a stretch by outcome. A record with rows and a dead letter counts as dead-lettered."""

    records: int
    filtered: int
    written: int
    dead_lettered: int


class Outcomes:
    """Outcomes of the records since the last cut, batch by batch."""

    def __init__(self) -> None:
        self._batches: list[tuple[Sequence[int], bytes]] = []
        self.records = 0
        self.any_dead = False

    def add(self, offsets: Sequence[int], outcomes: bytes) -> None:
        """One batch: ascending offsets and their outcomes, of equal length."""
        self._batches.append((offsets, outcomes))
        self.records += len(offsets)
        self.any_dead = self.any_dead or DEAD in outcomes

    def dead(self, dead: Sequence[int]) -> None:
        """Records that were counted as written turn out to be dead letters: ascending offsets, all of them known here."""
        self.any_dead = self.any_dead or bool(dead)
        at = 0
        for number, (offsets, outcomes) in enumerate(self._batches):
            changed = bytearray(outcomes)
            while at < len(dead) and dead[at] <= offsets[-1]:
                changed[bisect_left(offsets, dead[at])] = DEAD
                at += 1
            self._batches[number] = offsets, bytes(changed)

    def counts(self, until: int) -> Counts:
        """What became of the records below offset `until`."""
        records = filtered = written = dead = 0
        for offsets, outcomes in self._batches:
            end = bisect_left(offsets, until)
            records += end
            filtered += outcomes.count(FILTERED, 0, end)
            written += outcomes.count(WRITTEN, 0, end)
            dead += outcomes.count(DEAD, 0, end)
        return Counts(records, filtered, written, dead)

    def drop(self, until: int) -> None:
        """Forget the records below offset `until`."""
        kept = []
        for offsets, outcomes in self._batches:
            begin = bisect_left(offsets, until)
            if begin < len(offsets):
                kept.append((offsets[begin:], outcomes[begin:]))
        self._batches = kept
        self.records = sum(len(offsets) for offsets, _ in kept)
        self.any_dead = any(DEAD in outcomes for _, outcomes in kept)
