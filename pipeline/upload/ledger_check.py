"""What a ledger proves, entry by entry: that every offset was read once, and where each row is.

A chain is fed in the order of its keys. Each entry must begin where the one before ended, under the epoch and the version that it
named, and carry its digest; it must count what it read, and name objects that lie within it. What does not hold is a Finding.
What is not in the entries themselves (are the objects there, do they hold what is said) is asked by whoever can read the bucket;
`object_findings` and `content_finding` compare the answers.

Pure: no I/O. Source: the rules of ledger.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pipeline.upload import ledger
from pipeline.upload.ledger import ChainEnd, Entry, StoredObject

Kind = Literal[
    "gap", "overlap", "broken_chain", "wrong_count", "unreadable", "missing", "different", "orphan", "unknown_version"
]
# What each finding means, for people.
MEANINGS: Final[Mapping[Kind, str]] = {
    "gap": "offsets that no entry covers: their rows may be lost",
    "overlap": "offsets that two entries cover: their rows may be there twice",
    "broken_chain": "an entry that is not the successor of the one before it",
    "wrong_count": "an entry whose numbers do not add up",
    "unreadable": "a ledger object that is not an entry",
    "missing": "an object that an entry names and that is not there",
    "different": "an object that is not what its entry says",
    "orphan": "an object of this action that no entry names and none ever will",
    "unknown_version": "rules that an entry names and whose text is not there",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be. `key` is the object it is about."""

    kind: Kind
    key: str
    text: str


@dataclass(slots=True)
class Totals:
    """What was seen of one partition, or of all."""

    partitions: int = 0
    entries: int = 0
    objects: int = 0
    rows: int = 0
    records: int = 0
    filtered: int = 0
    dead_lettered: int = 0

    def add(self, other: Totals) -> None:
        """Sum up."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class ChainCheck:
    """The ledger of one partition, fed in order: `begin` once, then `feed` for each entry."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.end: ChainEnd | None = None
        self.totals = Totals(partitions=1)

    def begin(self, key: str, content: bytes | None) -> list[Finding]:
        """The chain's start object; None if there is none."""
        if content is None:
            return [Finding("missing", key, "the ledger has no beginning, so nothing tells which offset is its first")]
        try:
            start = ledger.decode_start(content)
        except ValueError as error:
            return [Finding("unreadable", key, str(error))]
        self.end = ledger.end_at(start)
        self.first = start.first
        return []

    def feed(self, key: str, content: bytes | None) -> tuple[Entry | None, list[Finding]]:
        """The next entry, and what is wrong with it. The one after is compared with what this one says."""
        if content is None:
            return None, [Finding("missing", key, "the ledger's entry went away while it was read")]
        try:
            entry = ledger.decode_entry(content)
        except ValueError as error:
            return None, [Finding("unreadable", key, str(error))]
        found = [Finding(kind, key, text) for kind, text in self._wrongs(key, entry)]
        if self.first is None:
            self.first = entry.first
        self.end = ledger.end_after(entry)
        self._count(entry)
        return entry, found

    def _wrongs(self, key: str, entry: Entry) -> Iterator[tuple[Kind, str]]:
        name = f"{entry.first:0{ledger.OFFSET_DIGITS}d}.{entry.epoch:0{ledger.EPOCH_DIGITS}d}.json"
        if not key.endswith(f"/{name}"):
            yield "broken_chain", f"its content is that of {name}"
        if self.end is not None:
            yield from _succession(self.end, entry)
        yield from _counts(entry)
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

    def _count(self, entry: Entry) -> None:
        totals = self.totals
        totals.entries += 1
        totals.objects += len(entry.objects)
        totals.rows += entry.rows
        totals.records += entry.records
        totals.filtered += entry.filtered
        totals.dead_lettered += entry.dead_lettered

    def is_orphan(self, first: int, epoch: int) -> bool:
        """Whether an object that no entry names never will be: its offsets are entered already, or its epoch has ended.

        Any other is the beginning of the cut that is under way.
        """
        return self.end is not None and (first < self.end.first or epoch < self.end.key_epoch)


def _succession(end: ChainEnd, entry: Entry) -> Iterator[tuple[Kind, str]]:
    if entry.first > end.first:
        yield (
            "gap",
            f"begins at {entry.first}; the one before ends at {end.first}: {entry.first - end.first} offsets",
        )
    elif entry.first < end.first:
        yield "overlap", f"begins at {entry.first}; the one before ends at {end.first}"
    if entry.previous != end.previous:
        yield (
            "broken_chain",
            "carries a digest of its predecessor that is not the one before it: that was changed or replaced",
        )
    # A replay makes a cut's objects again, under another version than the chain had announced.
    if entry.epoch != end.epoch or (entry.version != end.version and not entry.original):
        yield (
            "broken_chain",
            f"is of epoch {entry.epoch}, version {entry.version[:12]}; "
            f"the one before names epoch {end.epoch}, version {end.version[:12]}",
        )


def _counts(entry: Entry) -> Iterator[tuple[Kind, str]]:
    written = entry.records - entry.filtered - entry.dead_lettered
    rows = sum(each.rows for each in entry.objects)
    if entry.next < entry.first:
        yield "overlap", f"ends at {entry.next}, before its first offset {entry.first}"
    if min(written, entry.filtered, entry.dead_lettered) < 0 or entry.records > entry.next - entry.first:
        yield (
            "wrong_count",
            f"{entry.records} records in {entry.next - entry.first} offsets, "
            f"{entry.filtered} filtered and {entry.dead_lettered} dead-lettered",
        )
    if rows != entry.rows or any(each.rows < 1 for each in entry.objects):
        yield "wrong_count", f"{entry.rows} rows; its objects have {rows}"
    # A record may give several rows, also one that is counted as dead-lettered; a written one gives at least one.
    if written > entry.rows:
        yield "wrong_count", f"{written} records were written and there are {entry.rows} rows"


def object_findings(stored: StoredObject, metadata: Mapping[str, str] | None) -> list[Finding]:
    """An object that an entry names, against its own metadata; None if it is not there."""
    if metadata is None:
        return [Finding("missing", stored.key, f"offsets {stored.first} to {stored.last}, {stored.rows} rows")]
    expected = {
        "tidegate-rows": str(stored.rows),
        "tidegate-last": str(stored.last),
        "tidegate-digest": stored.digest,
    }
    return [
        Finding("different", stored.key, f"its {name} is {metadata.get(name)!r}, the ledger says {value!r}")
        for name, value in expected.items()
        if metadata.get(name) != value
    ]


def content_finding(stored: StoredObject, rows: int, digest: str | None) -> Finding | None:
    """An object that an entry names, against what it holds. No digest: its container does not keep the rows' bytes."""
    if rows != stored.rows:
        return Finding("different", stored.key, f"it holds {rows} rows, the ledger says {stored.rows}")
    if digest is not None and digest != stored.digest:
        return Finding(
            "different", stored.key, f"the digest of its rows is {digest[:16]}…, the ledger says {stored.digest[:16]}…"
        )
    return None
