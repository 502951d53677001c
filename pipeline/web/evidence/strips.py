"""The picture of a verification: each partition's offsets as a strip of runs, which say what became of the offsets in them.

A ledger may have a hundred thousand entries and a screen has some hundred columns, so runs that lie in one column become one. A
strip keeps at most `RUNS_MAX` runs: when there are more, each two neighbours become one. The counts stay exact. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Final, cast

from pipeline.upload.ledger import ChainPlace, Entry
from pipeline.web.evidence.shapes.jobs import PartitionStrip, StripRun

RUNS_MAX: Final = 4_096


@dataclass(slots=True)
class OffsetRun:
    """Offsets from `first` up to `next`, which is not included. Each offset is counted in one of the six numbers after these.

    `missing`: no entry covers it. `gone`: Kafka had deleted it. `wrong` counts objects of which something is wrong.
    """

    first: int
    next: int
    written: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    absent: int = 0
    gone: int = 0
    missing: int = 0
    objects: int = 0
    rows: int = 0
    entries: int = 0
    wrong: int = 0

    def with_(self, other: OffsetRun) -> OffsetRun:
        """This run and the one after it as one."""
        sums = [getattr(self, name) + getattr(other, name) for name in _COUNTED]
        return OffsetRun(min(self.first, other.first), max(self.next, other.next), *sums)


_COUNTED: Final = OffsetRun.__slots__[2:]


class Strip:
    """The strip of one partition, from the entries of its ledger in order."""

    def __init__(self, place: ChainPlace) -> None:
        self.place = place
        self.runs: list[OffsetRun] = []

    def add(self, entry: Entry, wrong: frozenset[str]) -> None:
        """Add the next entry. `wrong`: keys of objects of which something is wrong."""
        if entry.next <= entry.first:
            return  # it ends or opens an epoch
        if self.runs and entry.first > self.runs[-1].next:
            end = self.runs[-1].next
            self.runs.append(OffsetRun(end, entry.first, missing=entry.first - end))
        self.runs.append(_run_of(entry, wrong))
        if len(self.runs) > RUNS_MAX:
            pairs = zip(self.runs[::2], self.runs[1::2], strict=False)
            self.runs = [a.with_(b) for a, b in pairs] + ([self.runs[-1]] if len(self.runs) % 2 else [])

    def shown(self, columns: int) -> PartitionStrip:
        """The strip as the API shows it, with about one run for each of so many columns."""
        place = self.place
        first = self.runs[0].first if self.runs else 0
        end = self.runs[-1].next if self.runs else 0
        whole = OffsetRun(first, first)
        for each in self.runs:
            whole = whole.with_(each)
        return {
            "topic": place.topic,
            "topic_id": place.topic_id,
            "partition": place.partition,
            "first": first,
            "next": end,
            "total": _counts(whole),
            "runs": [_counts(each) for each in _merged(self.runs, first, max(1, end - first), columns)],
        }


def _run_of(entry: Entry, wrong: frozenset[str]) -> OffsetRun:
    return OffsetRun(
        entry.first,
        entry.next,
        written=max(0, entry.records - entry.filtered - entry.dead_lettered),
        filtered=entry.filtered,
        dead_lettered=entry.dead_lettered,
        absent=entry.absent,
        gone=sum(each.next - each.first for each in entry.missing),
        objects=len(entry.objects),
        rows=entry.rows,
        entries=1,
        wrong=sum(each.key in wrong for each in entry.objects),
    )


def _merged(runs: Iterable[OffsetRun], first: int, offsets: int, columns: int) -> list[OffsetRun]:
    """The runs, those that begin in the same column as one."""
    found: list[OffsetRun] = []
    before = -1
    for each in runs:
        column = (each.first - first) * columns // offsets
        if column == before:
            found[-1] = found[-1].with_(each)
        else:
            found.append(each)
        before = column
    return found


def _counts(run: OffsetRun) -> StripRun:
    """A run without the numbers that are 0, because most are."""
    counts = {name: value for name, value in asdict(run).items() if value or name in ("first", "next")}
    return cast(StripRun, counts)
