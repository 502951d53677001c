"""The ledger: which offsets of a partition are in which objects, as a chain of small objects in the bucket itself.

    _tidegate/<action>/<topic>/<partition>/start.json                     where the chain begins, under which version
    _tidegate/<action>/<topic>/<partition>/<first offset>.<epoch>.json    one entry per cut
    _tidegate/<action>/rules/<digest>.json                                the text of each version

An entry is created only if its key is free. That makes it three things at once: the fence (a worker that lost its partition
finds the entry taken and stops), the truth (a new owner goes on where the chain ends, whatever Kafka's committed offset says)
and the proof (`first` to `next` without gap or overlap, read = written + filtered + dead-lettered, each object with its rows
and digest). It also names the *next* cut's epoch and version, so that a change of a rule takes effect at one offset for
everybody. A writer that stops in order ends with an entry that says so (`clean`); the next one opens a new epoch with an entry
that holds no offsets, under its own version, since no cut is under way that it would have to finish. Objects of a cut are
written only after the entry before it exists.

There are two epochs. That of an entry is raised by whatever ends one without a cut. That in the keys of objects is raised by a
new version only: a worker that was frozen may have written objects beyond the place where its successor stopped, and whoever goes
on under the same version meets them there, and adopts them.

A replay into the same keys makes the objects of a cut again, under the rules of now, and then writes the cut's entry anew. That
entry carries the digest of the one that it replaced, which is what its successor names.

Pure: names, shapes and checks. Reading and writing them is agents/sinks/aggregated.py's.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import orjson

from pipeline.template import object_names

ROOT: Final = object_names.ROOT
START: Final = "start.json"
OFFSET_DIGITS: Final = 20  # so that keys sort as offsets and epochs do
EPOCH_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a cut. `first` and `last` are the offsets of its first and last row."""

    key: str
    rows: int
    first: int
    last: int
    digest: str
    bucket: str = ""  # empty: that of the ledger


@dataclass(frozen=True, slots=True)
class Entry:
    """One cut: all offsets from `first` up to but not including `next`."""

    first: int
    next: int
    epoch: int
    version: str  # digest of the rules and settings that made these objects
    next_epoch: int
    next_version: str
    records: int
    filtered: int
    dead_lettered: int
    rows: int
    objects: tuple[StoredObject, ...] = field(default=())
    previous: str = ""  # digest of the entry before; empty for the first
    clean: bool = False  # its writer stopped here and began nothing beyond: whoever goes on may do so under any version
    next_key_epoch: int = 0  # the epoch in the keys of the next cut's objects
    original: str = ""  # digest of this entry before a replay wrote it anew; empty if none did

    def encode(self) -> bytes:
        """The entry's bytes: the same entry always gives the same ones."""
        fields = asdict(self)
        if not self.original:
            del fields["original"]
        for each in fields["objects"]:
            if not each["bucket"]:
                del each["bucket"]
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)

    @property
    def digest(self) -> str:
        """What the next entry calls `previous`. A replay changes entries, and this not."""
        return self.original or hashlib.sha256(self.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Start:
    """Where a chain begins. Written before the first object, so that a successor finishes the first cut alike."""

    first: int
    version: str
    epoch: int = 0

    def encode(self) -> bytes:
        return orjson.dumps(asdict(self), option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The end of a chain: where the next cut begins, and under what."""

    first: int
    epoch: int
    version: str
    previous: str = ""
    clean: bool = False
    key_epoch: int = 0


def decode_entry(content: bytes) -> Entry:
    """An entry from its bytes. Raises ValueError with the reason."""
    fields = _object(content)
    try:
        objects = tuple(StoredObject(**each) for each in fields.pop("objects"))
        return Entry(**fields, objects=objects)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a ledger entry: {error}") from None


def decode_start(content: bytes) -> Start:
    """The beginning of a chain from its bytes. Raises ValueError with the reason."""
    try:
        return Start(**_object(content))
    except TypeError as error:
        raise ValueError(f"not the start of a ledger: {error}") from None


def _object(content: bytes) -> dict[str, Any]:
    fields = orjson.loads(content)
    if not isinstance(fields, dict):
        raise ValueError(f"expected a JSON object, found {type(fields).__name__}")
    return fields


def partition_prefix(action: str, topic: str, partition: int) -> str:
    """Prefix of all ledger keys of one partition."""
    return f"{ROOT}/{action}/{topic}/{partition}/"


def entry_key(action: str, topic: str, partition: int, first: int, epoch: int) -> str:
    """Key of the entry of the cut that begins at `first` in `epoch`."""
    return f"{partition_prefix(action, topic, partition)}{first:0{OFFSET_DIGITS}d}.{epoch:0{EPOCH_DIGITS}d}.json"


def start_key(action: str, topic: str, partition: int) -> str:
    """Key of the beginning of a partition's chain. Sorts after all entries."""
    return f"{partition_prefix(action, topic, partition)}{START}"


def first_of(key: str) -> int:
    """The first offset of the entry with this key."""
    return int(key.rpartition("/")[2].partition(".")[0])


def after(prefix: str, offset: int) -> str:
    """What sorts after the keys of all entries that begin up to `offset`, and before those of later ones."""
    return f"{prefix}{offset:0{OFFSET_DIGITS}d}.~"


def version_key(action: str, version: str) -> str:
    """Key of a version's text."""
    return f"{ROOT}/{action}/rules/{version}.json"


def end_after(entry: Entry) -> ChainEnd:
    """Where the chain goes on after an entry."""
    return ChainEnd(
        entry.next, entry.next_epoch, entry.next_version, entry.digest, entry.clean, key_epoch=entry.next_key_epoch
    )


def next_key_epoch(end: ChainEnd, next_version: str) -> int:
    """The epoch in the keys of objects that `next_version` makes after `end`. Only another version raises it."""
    return end.key_epoch if next_version == end.version else end.key_epoch + 1


def without_offsets(end: ChainEnd, *, next_version: str, clean: bool) -> Entry:
    """An entry that holds no offsets: it ends an epoch, or opens one under another version."""
    return Entry(
        first=end.first,
        next=end.first,
        epoch=end.epoch,
        version=end.version,
        next_epoch=end.epoch + 1,
        next_version=next_version,
        records=0,
        filtered=0,
        dead_lettered=0,
        rows=0,
        previous=end.previous,
        clean=clean,
        next_key_epoch=next_key_epoch(end, next_version),
    )


def end_at(start: Start) -> ChainEnd:
    """Where an empty chain goes on."""
    return ChainEnd(start.first, start.epoch, start.version)
