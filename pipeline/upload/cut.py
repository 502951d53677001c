"""The state of one partition's chunks between two entries of its ledger: a table of states, and what to do next.

A *cut* ends with an entry that names its objects. The caller reports events (rows came, a full chunk was stored, an
object of another writer was found, the entry was written). The cut says what to do: which chunks to store, how far to
read on, where the entry ends. TRANSITIONS alone decides which events each state allows.

    RESUMING     the caller looks for the end of the ledger's chain
    READING      rows are appended; full chunks are stored meanwhile
    CUTTING      all open chunks are stored, then the entry is written; rows wait
    READING_ON   like CUTTING, but an object of another writer holds rows that were not read yet: they are appended first
    DRAINING     no more rows will come: the rest is cut, then the cut ends
    ENDED        the partition belongs to another worker, or everything is durable

An object that is *shorter* than our chunk means that another writer has cut there. This cut then ends where the
furthest of its objects ends, and later rows go to the next cut. A *longer* object means that another writer has read
on, so we read on too.

Offsets that Kafka deleted before we read them end a cut. So a writer that still has these rows finds a shorter object
than its own, and no wrong rows. If its own object holds these rows, it is the only object with them, and is adopted
unchanged.

A cut of thousands of groups may *end early*, at an offset beyond which few of them have rows. The next cut follows at once. So
there is an entry after some seconds, and not only after all of them, which a worker that stops may not reach.

Pure: no I/O, no clock. agents/sinks/aggregated.py has the tasks and requests, and writes the entry.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

from pipeline.errors import InternalError
from pipeline.formats.kept import KeptColumns, joined
from pipeline.template.object_key import GroupName
from pipeline.upload import ledger
from pipeline.upload.buffer import Buffer, Chunk, EarlyEnd, Group, Lines, RollLimits
from pipeline.upload.ledger import ChainEnd, Entry, Missing, StoredObject
from pipeline.upload.outcomes import Outcomes

# If all records are filtered, an entry is written this often. Otherwise they count in the next entry.
FILTERED_SECONDS: Final = 600.0
# If only dead letters are left, an entry is written this often, because the next owner repeats those since the last entry.
LETTERS_SECONDS: Final = 10.0
# Some seconds of requests, and at most a quarter more objects.
EARLY_END: Final = EarlyEnd(groups=2_000, going_on=0.25)


class CutState(Enum):
    """The state of a cut; see the top of this file."""

    RESUMING = "resuming"
    READING = "reading"
    CUTTING = "cutting"
    READING_ON = "reading on"
    DRAINING = "draining"
    ENDED = "ended"


class CutEvent(Enum):
    """An event of a cut."""

    RESUMED = "the end of the chain is known"
    ROWS = "rows came"
    GONE = "Kafka has deleted what comes next"
    DUE = "the interval has passed, memory is short, or a newer version waits"
    SHORTER = "an object of another writer ends before our chunk does"
    LONGER = "an object of another writer ends beyond what was read"
    REACHED = "everything up to the end of that object was read"
    ENTERED = "the entry is written"
    LAST = "nothing more will come"
    FINISHED = "everything is durable"
    LOST = "another worker has the partition"


Transitions = Mapping[CutState, Mapping[CutEvent, CutState]]
TRANSITIONS: Final[Transitions] = {
    CutState.RESUMING: {
        CutEvent.RESUMED: CutState.READING,
        CutEvent.LAST: CutState.DRAINING,
        CutEvent.LOST: CutState.ENDED,
    },
    CutState.READING: {
        CutEvent.ROWS: CutState.READING,
        CutEvent.GONE: CutState.READING,
        CutEvent.DUE: CutState.CUTTING,
        CutEvent.SHORTER: CutState.CUTTING,
        CutEvent.LAST: CutState.DRAINING,
        CutEvent.LOST: CutState.ENDED,
    },
    CutState.CUTTING: {
        CutEvent.DUE: CutState.CUTTING,
        CutEvent.SHORTER: CutState.CUTTING,
        CutEvent.LONGER: CutState.READING_ON,
        CutEvent.ENTERED: CutState.READING,
        CutEvent.LOST: CutState.ENDED,
    },
    CutState.READING_ON: {
        CutEvent.ROWS: CutState.READING_ON,
        CutEvent.GONE: CutState.READING_ON,
        CutEvent.DUE: CutState.READING_ON,
        CutEvent.SHORTER: CutState.READING_ON,
        CutEvent.REACHED: CutState.CUTTING,
        CutEvent.LOST: CutState.ENDED,
    },
    CutState.DRAINING: {
        CutEvent.DUE: CutState.CUTTING,
        CutEvent.SHORTER: CutState.CUTTING,
        CutEvent.FINISHED: CutState.ENDED,
        CutEvent.LOST: CutState.ENDED,
    },
    CutState.ENDED: {},
}


Rows = Mapping[GroupName, Lines]


class Cut:
    """One partition's cut under way, and the next one after it.

    Its objects are made with the `kept` columns. `columns` are these and those that its objects bring.
    `position` is the next offset to take. `furthest` is the end of the furthest object of this cut. Earlier writers may
    have read up to `read_before`: up to there they may have made objects, which this cut must find under their version.
    """

    def __init__(
        self, limits: RollLimits, transitions: Transitions = TRANSITIONS, early_end: EarlyEnd = EARLY_END
    ) -> None:
        self.state = CutState.RESUMING
        self.position = 0
        self.read_before = 0
        self.buffer = Buffer(limits)
        self.outcomes = Outcomes()
        self.objects: list[StoredObject] = []
        self.kept: KeptColumns = ()
        self.columns: KeptColumns = ()
        self.furthest = 0
        self.ends_at_furthest = False
        self.early_end: int | None = None  # the offset at which this cut ends early, unless an object lies beyond it
        self._ends_early = early_end
        self._transitions = transitions

    def _happened(self, event: CutEvent) -> None:
        try:
            self.state = self._transitions[self.state][event]
        except KeyError:
            raise InternalError(f"a cut that is {self.state.value} does not allow this event: {event.value}") from None

    # --- What happens

    def resumed(self, first: int, limits: RollLimits, *, read_before: int = 0, columns: KeptColumns = ()) -> None:
        """Begin at the end of the chain, offset `first`. The next cut has these limits and kept columns."""
        self._happened(CutEvent.RESUMED)
        self.position, self.read_before = first, read_before
        self.kept = self.columns = columns
        self.buffer = Buffer(limits)

    def rows(self, groups: Rows, offsets: Sequence[int], outcomes: bytes, next_offset: int) -> list[Group]:
        """Add the fetch from the position up to `next_offset`: rows by group, and the outcome of each record.

        Returns the groups that have a full chunk now.
        """
        self._happened(CutEvent.ROWS)
        full = [group for name, lines in groups.items() if (group := self.buffer.extend(name, lines)) is not None]
        self.outcomes.add(self.position, next_offset, offsets, outcomes)
        self.position = next_offset
        return full

    def gone(self, following: int) -> None:
        """Note that Kafka no longer has the offsets from the position up to `following`."""
        self._happened(CutEvent.GONE)
        self.outcomes.gone(Missing(self.position, following))
        self.position = following

    def due(self) -> None:
        """Cut now: the interval has passed, memory is short, a newer version waits, or no more rows will come."""
        self._happened(CutEvent.DUE)

    def may_end_early(self) -> None:
        """Find an early end for this cut, if it has many groups. No object of it is under way."""
        self.early_end = self.buffer.early_end(self._ends_early)

    def shorter(self) -> None:
        """Note that an object of another writer ends before our chunk, because that writer has cut there."""
        self._happened(CutEvent.SHORTER)
        self.ends_at_furthest = True

    def longer(self) -> None:
        """Note that an object of another writer ends beyond the rows that were read."""
        self._happened(CutEvent.LONGER)

    def reached(self) -> None:
        """Note that everything up to the end of that object was read."""
        self._happened(CutEvent.REACHED)

    def stored(self, group: Group, found: StoredObject, rows: int | None = None, columns: KeptColumns = ()) -> None:
        """Note that the first `rows` rows of the group's first chunk are in an object with these columns.

        Default: as many rows as the object has.
        """
        self.objects.append(found)
        self.columns = joined(self.columns, columns)
        self.furthest = max(self.furthest, found.last + 1)
        self.buffer.stored(group, found.rows if rows is None else rows)

    def given_up(self, group: Group, rows: int, offsets: Sequence[int]) -> None:
        """Note that the first `rows` rows of the group's first chunk, of records at `offsets`, are dead letters."""
        self.outcomes.dead(offsets)
        self.buffer.stored(group, rows)

    def entered(self, entry: Entry, limits: RollLimits) -> None:
        """Note that the entry is written. Rows beyond its end begin the next cut, which has these limits."""
        self._happened(CutEvent.ENTERED)
        self.objects, self.furthest, self.ends_at_furthest, self.early_end = [], 0, False, None
        self.kept = self.columns = ledger.next_columns(entry)
        self.outcomes.drop(entry.next)
        if self.outcomes.empty:
            self.buffer = Buffer(limits)

    def last(self) -> None:
        """Note that no more rows will come."""
        self._happened(CutEvent.LAST)

    def finished(self) -> None:
        """Note that everything is durable."""
        self._happened(CutEvent.FINISHED)

    def lost(self) -> None:
        """Note that another worker owns the partition and has written this cut's entry."""
        self._happened(CutEvent.LOST)

    # --- What is to be done

    @property
    def to_store(self) -> list[Group]:
        """Groups with a chunk that must be stored before the entry can be written."""
        return self.buffer.open_groups(before=self.furthest if self.ends_at_furthest else self._early_end)

    def next_chunk(self, group: Group) -> Chunk:
        """The rows of a group's next object: its first chunk, as far as the cut goes."""
        end = self._early_end
        return group.chunks[0] if end is None else group.chunks[0].before(end)

    @property
    def _early_end(self) -> int | None:
        """The early end, which is never before the end of an object of this cut."""
        return None if self.early_end is None else max(self.early_end, self.furthest)

    def wait_seconds(self, interval_seconds: float) -> float:
        """How long the cut stays open, if rows wait for `interval_seconds`."""
        if self.buffer.groups or self.objects or self.outcomes.any_missing:
            return interval_seconds
        return min(interval_seconds, LETTERS_SECONDS) if self.outcomes.any_dead else FILTERED_SECONDS

    @property
    def end(self) -> int:
        """The end of the entry: the first row that is not in an object."""
        first = self.buffer.first
        return self.position if first is None else first

    def entry(self, start: ChainEnd, newest: str, revision: int = 0) -> Entry:
        """The entry of this cut, which begins at `start`. `newest` is the digest of the configured version.

        The version changes only if nothing of the older one can be left: neither rows here nor objects of another writer.
        """
        end = self.end
        changes = newest != start.version and end == self.position >= self.read_before
        counts = self.outcomes.counts(end)
        accounted = counts.records + counts.absent + sum(gone.next - gone.first for gone in counts.missing)
        if accounted != end - start.first:
            raise InternalError(f"a cut of offsets {start.first} to {end - 1} accounts for {accounted} of them")
        return Entry(
            first=start.first,
            next=end,
            epoch=start.epoch,
            version=start.version,
            next_epoch=start.epoch + 1 if changes else start.epoch,
            next_version=newest if changes else start.version,
            records=counts.records,
            filtered=counts.filtered,
            dead_lettered=counts.dead_lettered,
            rows=sum(each.rows for each in self.objects),
            objects=tuple(sorted(self.objects, key=lambda each: (each.first, each.key))),
            previous=start.previous,
            next_key_epoch=ledger.next_key_epoch(start, newest if changes else start.version),
            absent=counts.absent,
            missing=counts.missing,
            topic_id=start.topic_id,
            revision=max(revision, start.revision),
            columns=self.columns,
        )
