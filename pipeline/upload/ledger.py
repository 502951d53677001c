"""The ledger: a chain of small objects in the bucket, which says which offsets of a partition are in which objects.

    _tidegate/<action>/<topic>/<topic id>/<partition>/start.json                     start and first version of the chain
    _tidegate/<action>/<topic>/<topic id>/<partition>/<first offset>.<epoch>.json    one entry for each cut
    _tidegate/<action>/rules/<digest>.json                                           the text of each version

An entry is created only if its key does not exist. So it is three things at once: the fence (a worker that lost its
partition finds that the entry exists, and stops), the truth (a new owner goes on at the end of the chain, whatever
Kafka's committed offset is) and the proof (`first` to `next` without gap or overlap, read = written + filtered +
dead-lettered, each object with its rows and digests). It also names the epoch and version of the *next* cut, so that a
change of a rule takes effect at the same offset for every worker. A writer that stops in order ends with an entry that
says so (`clean`). The next writer then opens a new epoch with an entry without offsets, under its own version, because
it has no cut to finish. The objects of a cut are written only after the previous entry exists.

An entry accounts for each of its offsets: records + absent + missing = next - first. `absent` are offsets at which the broker
showed no record (compaction, transactions). `missing` are offsets that Kafka deleted before they were read.

A topic is identified by its id (KIP-516), or "-" if the broker has none. A topic that was deleted and created again begins
another chain. Epochs in its keys are above those of earlier chains, so its objects never have the keys of the old ones.

There are two epochs. The epoch of an entry rises whenever an epoch ends without a cut. The epoch in the keys of objects rises
only with a new version: a frozen worker may have written objects beyond the place where its successor stopped, and a worker
with the same version finds and adopts them there.

A replay into the same keys makes the objects of a cut again with the present rules, and then writes the cut's entry again. This
entry carries the digest of the entry that it replaced, because the next entry names that digest.

If the columns of objects are inferred, an entry names the columns that are kept under its version (pipeline/formats/kept.py).
Each object names how many of them, from the first on, it was made with: those of the entry before its cut. So an object can be
made again from its entry and its records.

Pure: names, shapes and checks. agents/sinks/chain.py reads and writes them, and typed_fields.py reads the fields.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Final, NamedTuple, TypeVar

from pipeline.formats.kept import TYPES, KeptColumn, KeptColumns
from pipeline.template import object_names
from pipeline.upload import typed_fields

ROOT: Final = object_names.ROOT
START: Final = "start.json"
OFFSET_DIGITS: Final = 20  # so that keys sort as offsets and epochs do
EPOCH_DIGITS: Final = 6
_PARTITION: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_ENTRY_NAME: Final = re.compile(rf"[0-9]{{{OFFSET_DIGITS}}}\.[0-9]{{{EPOCH_DIGITS},}}\.json")
NO_TOPIC_ID: Final = "-"  # in keys and metadata, if the broker has no ids


class ChainPlace(NamedTuple):
    """The identity of a chain. `topic_id` is Kafka's, or empty if the broker has none."""

    action: str
    topic: str
    topic_id: str
    partition: int


class Missing(NamedTuple):
    """Offsets that Kafka no longer has: from `first` up to `next`, which is not included."""

    first: int
    next: int


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a cut. `first` and `last` are the offsets of its first and last row.

    `digest` covers its rows. `sha256` and `size` cover its stored bytes, and `etag` is S3's name for them. `columns` is the
    number of kept columns with which it was made.
    """

    key: str
    rows: int
    first: int
    last: int
    digest: str
    sha256: str
    size: int
    etag: str
    bucket: str = ""  # empty: the bucket of the ledger
    columns: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """One cut: all offsets from `first` up to `next`, which is not included."""

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
    previous: str = ""  # digest of the previous entry, or of the start
    clean: bool = False  # its writer stopped here and began nothing beyond, so the next worker may use any version
    next_key_epoch: int = 0  # the epoch in the keys of the next cut's objects
    absent: int = 0  # offsets at which the broker showed no record
    missing: tuple[Missing, ...] = ()  # offsets that Kafka had deleted before they were read
    topic_id: str = ""
    revision: int = 0  # revision of the writer's configuration; never falls along a chain
    run: str = ""  # the run of the lane that wrote it; only the dead letters of this run count (claims.py)
    original: str = ""  # digest of this entry before a replay replaced it; empty without a replay
    columns: KeptColumns = ()  # kept after this cut, under `version`

    def encode(self) -> bytes:
        """The bytes of the entry. The same entry always gives the same bytes."""
        fields = {**asdict(self), **{name: list(map(list, getattr(self, name))) for name in ("missing", "columns")}}
        for each, optional in [(fields, _OPTIONAL), *((each, _OPTIONAL_OF_OBJECT) for each in fields["objects"])]:
            for name in optional:
                if not each[name]:
                    del each[name]
        return typed_fields.sealed(fields)

    @property
    def digest(self) -> str:
        """The digest that the next entry names as `previous`. A replay does not change it."""
        return self.original or hashlib.sha256(self.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a chain. It is written before the first object, so that the next worker finishes the first cut in
    the same way.

    `ended` is the digest of the last entry that ended the chain in order, if any. It is written after that entry, so
    that the removal of an end leaves a trace. No worker goes on from it.
    """

    first: int
    version: str
    epoch: int = 0
    key_epoch: int = 0
    topic_id: str = ""
    revision: int = 0
    ended: str = ""

    def encode(self) -> bytes:
        """The bytes of the start. The same start always gives the same bytes."""
        return typed_fields.sealed(asdict(self))

    @property
    def digest(self) -> str:
        """The digest that the first entry names as `previous`. An end does not change it."""
        return hashlib.sha256(replace(self, ended="").encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """The end of a chain: the offset, epochs and version of the next cut."""

    first: int
    epoch: int
    version: str
    previous: str = ""
    clean: bool = False
    key_epoch: int = 0
    topic_id: str = ""
    revision: int = 0
    columns: KeptColumns = ()  # with which the objects of the next cut are made


# --- To bytes, and from them

_TYPES: Final = {"int": int, "str": str, "bool": bool}


def _types_of(shape: type) -> dict[str, type]:
    """The JSON types of a shape's fields. A field that is not a plain value is a list."""
    return {each.name: _TYPES.get(str(each.type), list) for each in fields(shape)}


_OBJECT: Final = _types_of(StoredObject)
# Fields that are left out if they are empty.
_OPTIONAL: Final = ("original", "columns")
_OPTIONAL_OF_OBJECT: Final = ("bucket", "columns")
_ENTRY: Final = _types_of(Entry)
_START: Final = _types_of(Start)
Sealed = TypeVar("Sealed", Entry, Start)


def decode_entry(content: bytes) -> Entry:
    """Decode an unchanged entry. Raises ValueError, which says what is wrong."""
    return _as_written(read_entry(content), content)


def decode_start(content: bytes) -> Start:
    """Decode the unchanged start of a chain. Raises ValueError, which says what is wrong."""
    return _as_written(read_start(content), content)


def _as_written(found: Sealed, content: bytes) -> Sealed:
    if found.encode() != content:
        raise ValueError("its checksum is not that of its content: it was changed after it was written")
    return found


def read_entry(content: bytes) -> Entry:
    """Decode an entry, also if it was changed. Raises ValueError, which names a bad field."""
    found = typed_fields.unsealed(content, _ENTRY, "the entry", optional=_OPTIONAL)
    objects = tuple(_stored_object(number, each) for number, each in enumerate(found.pop("objects")))
    missing = tuple(_missing(number, each) for number, each in enumerate(found.pop("missing")))
    columns = tuple(_column(number, each) for number, each in enumerate(found.pop("columns", ())))
    return Entry(**found, objects=objects, missing=missing, columns=columns)


def read_start(content: bytes) -> Start:
    """Decode the start of a chain, also if it was changed. Raises ValueError, which names a bad field."""
    return Start(**typed_fields.unsealed(content, _START, "the start"))


def _stored_object(number: int, found: object) -> StoredObject:
    where = f"objects[{number}]"
    if not isinstance(found, dict):
        raise ValueError(f"{where}: expected an object, found {type(found).__name__}")
    typed_fields.check(found, _OBJECT, where, optional=_OPTIONAL_OF_OBJECT)
    return StoredObject(**found)


def _missing(number: int, found: object) -> Missing:
    return Missing(*typed_fields.values(found, dict.fromkeys(Missing._fields, int), f"missing[{number}]"))


def _column(number: int, found: object) -> KeptColumn:
    where = f"columns[{number}]"
    column = KeptColumn(*typed_fields.values(found, dict.fromkeys(KeptColumn._fields, str), where))
    if column.type not in TYPES:
        raise ValueError(f"{where}: expected one of the types {', '.join(TYPES)}, found {column.type!r}")
    return column


# --- Keys


def topic_id_text(topic_id: str) -> str:
    """The text of a topic's id in a key or in metadata, where it must not be empty."""
    return topic_id or NO_TOPIC_ID


def topic_id_of(text: str) -> str:
    """The topic's id in a key or in metadata."""
    return "" if text == NO_TOPIC_ID else text


def action_prefix(action: str) -> str:
    """Prefix of all keys of one action's ledger."""
    return f"{ROOT}/{action}/"


def topic_prefix(action: str, topic: str) -> str:
    """Prefix of the chains of all topics that had this name."""
    return f"{action_prefix(action)}{topic}/"


def chain_prefix(place: ChainPlace) -> str:
    """Prefix of all keys of one chain."""
    return f"{topic_prefix(place.action, place.topic)}{topic_id_text(place.topic_id)}/{place.partition}/"


def version_prefix(action: str) -> str:
    """Prefix of the texts of versions."""
    return f"{action_prefix(action)}rules/"


def is_entry_key(place: ChainPlace, key: str) -> bool:
    """Whether a key belongs to an entry of this chain."""
    return (
        key.startswith(chain_prefix(place)) and _ENTRY_NAME.fullmatch(key.removeprefix(chain_prefix(place))) is not None
    )


def place_of(key: str) -> ChainPlace | None:
    """The chain of a key, or None if the key does not belong to a chain, such as the text of a version."""
    parts = key.split("/")
    if len(parts) != 6 or parts[0] != ROOT or not _PARTITION.fullmatch(parts[4]):
        return None
    return ChainPlace(parts[1], parts[2], topic_id_of(parts[3]), int(parts[4]))


def entry_key(place: ChainPlace, first: int, epoch: int) -> str:
    """Key of the entry of the cut that begins at `first` in `epoch`."""
    return f"{chain_prefix(place)}{first:0{OFFSET_DIGITS}d}.{epoch:0{EPOCH_DIGITS}d}.json"


def start_key(place: ChainPlace) -> str:
    """Key of the start of a chain. It sorts after all entries."""
    return f"{chain_prefix(place)}{START}"


def first_of(key: str) -> int:
    """The first offset of the entry with this key."""
    return int(key.rpartition("/")[2].partition(".")[0])


def after(prefix: str, offset: int) -> str:
    """A text that sorts after the keys of entries that begin up to `offset`, and before those of later entries."""
    return f"{prefix}{offset:0{OFFSET_DIGITS}d}.~"


def version_key(action: str, version: str) -> str:
    """Key of a version's text."""
    return f"{version_prefix(action)}{version}.json"


# --- The chain


def end_after(entry: Entry) -> ChainEnd:
    """The end of the chain after an entry."""
    return ChainEnd(
        first=entry.next,
        epoch=entry.next_epoch,
        version=entry.next_version,
        previous=entry.digest,
        clean=entry.clean,
        key_epoch=entry.next_key_epoch,
        topic_id=entry.topic_id,
        revision=entry.revision,
        columns=next_columns(entry),
    )


def next_columns(entry: Entry) -> KeptColumns:
    """The columns that are kept for the next cut. Another version begins with none."""
    return entry.columns if entry.next_version == entry.version else ()


def end_before(entry: Entry) -> ChainEnd:
    """The end of the chain before an entry, as far as the entry says."""
    return ChainEnd(
        first=entry.first,
        epoch=entry.epoch,
        version=entry.version,
        previous=entry.previous,
        key_epoch=entry.next_key_epoch - (entry.next_version != entry.version),
        topic_id=entry.topic_id,
    )


def end_at(start: Start) -> ChainEnd:
    """The end of an empty chain."""
    return ChainEnd(
        first=start.first,
        epoch=start.epoch,
        version=start.version,
        previous=start.digest,
        key_epoch=start.key_epoch,
        topic_id=start.topic_id,
        revision=start.revision,
    )


def next_key_epoch(end: ChainEnd, next_version: str) -> int:
    """The epoch in the keys of objects of `next_version` after `end`. Only another version raises it."""
    return end.key_epoch if next_version == end.version else end.key_epoch + 1


def without_offsets(end: ChainEnd, *, next_version: str, clean: bool, revision: int = 0) -> Entry:
    """An entry without offsets, which ends an epoch or opens one under another version."""
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
        topic_id=end.topic_id,
        revision=max(revision, end.revision),
        columns=end.columns,
    )
