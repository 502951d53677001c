"""Checks a ledger entry by entry: every offset was read once, and each row has its object.

The entries of a chain are fed in the order of their keys. Each entry must begin where the previous one ended, with the epoch and
version that the previous one named, and must carry its digest. It must account for each of its offsets, and name objects within
these offsets. Each breach is a Finding. The caller reads the bucket to check the objects themselves, and object_check.py compares
them.

Pure: no I/O. Source: the rules of ledger.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from pipeline.upload import ledger
from pipeline.upload.ledger import ChainEnd, ChainPlace, Entry, Start

Kind = Literal[
    "gap", "overlap", "gone", "broken_chain", "older_revision", "wrong_count", "altered", "unreadable", "foreign",
    "unknown_version", "missing", "different", "orphan", "unfinished", "no_ledger", "twice", "unmarked", "unread",
]  # fmt: skip
# The meaning of each finding, for people.
MEANINGS: Final[Mapping[Kind, str]] = {
    "gap": "no entry covers these offsets: their rows may be lost",
    "overlap": "two entries cover these offsets: their rows may be there twice",
    "gone": "Kafka had deleted these records before a worker read them: they are lost",
    "broken_chain": "an entry does not follow from the entry before it: somebody changed or replaced one of them",
    "older_revision": "an entry was written under an older configuration than the entry before it",
    "wrong_count": "the numbers of an entry do not add up",
    "altered": "somebody changed this object of the ledger after it was written",
    "unreadable": "an object of the ledger is not an entry",
    "foreign": "this object lies in the ledger, and the ledger has no object of that name",
    "unknown_version": "an entry names rules, and their text does not exist or was changed",
    "missing": "an entry names this object, and it does not exist",
    "different": "this object differs from what was written",
    "orphan": "no entry names this object of the action, and none ever will",
    "unfinished": "no entry names these objects beyond the end of the ledger, and no worker goes on from them",
    "no_ledger": "these objects belong to a partition, and its ledger does not exist",
    "twice": "another object holds the same row",
    "unread": "the store does not give this object, so nothing proves what it holds",
    "unmarked": "this object lies under the keys of the action, and does not say which row it holds",
}

Decoded = TypeVar("Decoded", Entry, Start)
Wrongs = Iterator[tuple[Kind, str]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach. `key` is the object that it is about."""

    kind: Kind
    key: str
    text: str


@dataclass(slots=True)
class Totals:
    """Counts of one partition, or of all. `gone` are records that Kafka had deleted."""

    partitions: int = 0
    entries: int = 0
    objects: int = 0
    rows: int = 0
    records: int = 0
    filtered: int = 0
    dead_lettered: int = 0
    absent: int = 0
    gone: int = 0

    def add(self, other: Totals) -> None:
        """Sum up."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class ChainCheck:
    """The check of one partition's ledger. Call `begin` once, then `feed` for each entry in order.

    `is_whole` is true until a finding makes its entries doubtful.
    """

    def __init__(self, place: ChainPlace) -> None:
        self.place = place
        self.first: int | None = None
        self.end: ChainEnd | None = None
        self.last_key = ledger.chain_prefix(place)  # key of the last entry
        self.key_epoch = 0  # epoch in the keys of the last entry's objects
        self.totals = Totals(partitions=1)
        self.is_whole = True
        self.awaited = ""  # the digest of an entry that must follow, because the start names it

    def begin(self, key: str, content: bytes | None) -> list[Finding]:
        """Check the chain's start object. None: it does not exist."""
        if content is None:
            text = "the ledger has no beginning, so nothing tells which offset is its first"
            return self._found([Finding("missing", key, text)])
        start, found = _read(ledger.read_start, key, content)
        if start is not None:
            if start.topic_id != self.place.topic_id:
                found.append(Finding("broken_chain", key, _other_topic(start.topic_id, self.place)))
            self.end = ledger.end_at(start)
            self.first = start.first
            self.awaited = start.ended
        return self._found(found)

    def feed(self, key: str, content: bytes | None) -> tuple[Entry | None, list[Finding]]:
        """Check the next entry, and return it with its findings. The entry after it is compared with this one."""
        self.last_key = key
        if content is None:
            return None, self._found([Finding("missing", key, "the ledger's entry went away while it was read")])
        entry, found = _read(ledger.read_entry, key, content)
        if entry is None:
            return None, self._found(found)
        found += [Finding(kind, key, text) for kind, text in self._wrongs(key, entry)]
        if self.first is None:
            self.first = entry.first
        self.key_epoch = self.end.key_epoch if self.end is not None else entry.next_key_epoch
        self.end = ledger.end_after(entry)
        if entry.digest == self.awaited:
            self.awaited = ""
        self._count(entry)
        self._found([each for each in found if each.kind != "gone"])
        return entry, found

    def unread(self, findings: list[Finding]) -> list[Finding]:
        """The findings about objects of the chain that the store does not give."""
        return self._found(findings)

    def finish(self) -> list[Finding]:
        """The findings about a chain after all its entries were fed."""
        if not self.awaited:
            return []
        text = "its beginning tells of an orderly end, and that entry does not exist: the last entries are gone"
        return self._found([Finding("missing", ledger.start_key(self.place), text)])

    def _found(self, findings: list[Finding]) -> list[Finding]:
        self.is_whole = self.is_whole and not findings
        return findings

    def _wrongs(self, key: str, entry: Entry) -> Wrongs:
        expected = ledger.entry_key(self.place, entry.first, entry.epoch)
        if key != expected:
            yield "broken_chain", f"its content is that of {expected.rpartition('/')[2]}"
        if entry.topic_id != self.place.topic_id:
            yield "broken_chain", _other_topic(entry.topic_id, self.place)
        if self.end is not None:
            yield from succession(self.end, entry)
        yield from _counts(entry)
        yield from _spans(entry)

    def _count(self, entry: Entry) -> None:
        totals = self.totals
        totals.entries += 1
        totals.objects += len(entry.objects)
        totals.rows += entry.rows
        totals.records += entry.records
        totals.filtered += entry.filtered
        totals.dead_lettered += entry.dead_lettered
        totals.absent += entry.absent
        totals.gone += sum(span.next - span.first for span in entry.missing)

    def is_orphan(self, first: int, epoch: int) -> bool:
        """Whether an unnamed object will stay unnamed: its offsets are entered already, or its epoch has ended.

        Any other object belongs to the cut under way.
        """
        return self.end is not None and (first < self.end.first or epoch < self.end.key_epoch)


def _read(read: Callable[[bytes], Decoded], key: str, content: bytes) -> tuple[Decoded | None, list[Finding]]:
    """Decode an object of the ledger, and check that it is unchanged."""
    try:
        found = read(content)
    except ValueError as error:
        return None, [Finding("unreadable", key, str(error))]
    if found.encode() != content:
        return found, [Finding("altered", key, "its checksum is not that of its content")]
    return found, []


def _other_topic(topic_id: str, place: ChainPlace) -> str:
    return f"is of the topic with id {topic_id or 'none'}, and lies in the chain of {place.topic_id or 'none'}"


def succession(end: ChainEnd, entry: Entry) -> Wrongs:
    """The reasons why an entry cannot follow the end of a chain."""
    if entry.first > end.first:
        yield "gap", f"begins at {entry.first}; the one before ends at {end.first}: {entry.first - end.first} offsets"
    elif entry.first < end.first:
        yield "overlap", f"begins at {entry.first}; the one before ends at {end.first}"
    if entry.previous != end.previous:
        yield (
            "broken_chain",
            "carries a digest of its predecessor that is not the one before it: that was changed or replaced",
        )
    # A replay makes a cut's objects again, with another version than the chain had named.
    if entry.epoch != end.epoch or (entry.version != end.version and not entry.original):
        yield (
            "broken_chain",
            f"is of epoch {entry.epoch}, version {entry.version[:12]}; "
            f"the one before names epoch {end.epoch}, version {end.version[:12]}",
        )
    turns = entry.next_version != end.version
    if entry.next_epoch not in (entry.epoch, entry.epoch + 1) or (turns and entry.next_epoch == entry.epoch):
        yield "broken_chain", f"is of epoch {entry.epoch} and names {entry.next_epoch} for the next one"
    if entry.next_key_epoch != ledger.next_key_epoch(end, entry.next_version):
        yield (
            "broken_chain",
            f"names epoch {entry.next_key_epoch} for the keys of the next one; those of this one have {end.key_epoch}",
        )
    if entry.revision < end.revision:
        yield "older_revision", f"is of revision {entry.revision}; the one before is of revision {end.revision}"


def _counts(entry: Entry) -> Wrongs:
    written = entry.records - entry.filtered - entry.dead_lettered
    gone = sum(span.next - span.first for span in entry.missing)
    rows = sum(each.rows for each in entry.objects)
    if entry.next < entry.first:
        yield "overlap", f"ends at {entry.next}, before its first offset {entry.first}"
    if entry.records + entry.absent + gone != entry.next - entry.first:
        yield (
            "wrong_count",
            f"{entry.next - entry.first} offsets; {entry.records} records, {entry.absent} offsets without one, {gone} gone",
        )
    if written < 0:
        yield (
            "wrong_count",
            f"{entry.records} records, {entry.filtered} filtered and {entry.dead_lettered} dead-lettered",
        )
    if rows != entry.rows or any(each.rows < 1 for each in entry.objects):
        yield "wrong_count", f"{entry.rows} rows; its objects have {rows}"
    # A record may give several rows, also if it counts as dead-lettered. A written record gives at least one.
    if written > entry.rows:
        yield "wrong_count", f"{written} records were written and there are {entry.rows} rows"


def _spans(entry: Entry) -> Wrongs:
    """Check the offsets of an entry's objects and of its deleted records."""
    names = set()
    for each in entry.objects:
        if (each.bucket, each.key) in names:
            yield "overlap", f"names {each.key} twice"
        names.add((each.bucket, each.key))
        if not entry.first <= each.first <= each.last < entry.next:
            yield (
                "overlap",
                f"{each.key} holds offsets {each.first} to {each.last}, outside of {entry.first} to {entry.next - 1}",
            )
    at = entry.first
    for span in entry.missing:
        yield "gone", f"offsets {span.first} to {span.next - 1}: {span.next - span.first} records"
        if not at <= span.first < span.next <= entry.next:
            yield "wrong_count", f"offsets {span.first} to {span.next - 1} are not in their place between its own"
        at = span.next
        inside = [each.key for each in entry.objects if span.first <= each.first < span.next]
        if inside:
            yield "wrong_count", f"{inside[0]} begins with a record that is said to be gone"
