"""A ledger that somebody changed who knows its format: each checksum and each link is right, and yet it cannot be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

from pipeline.upload import ledger
from pipeline.upload.ledger import ChainPlace, Entry, Missing, StoredObject
from tests.faults.damages.made import TOPIC
from tests.faults.damages.scene import Family, Scene

KNOWING = Family()


def _knowing(change: Callable[[Scene, Entry], Entry], *, any_entry: bool = False) -> Callable[[Scene], None]:
    """An entry with objects (or any), changed with all that follows from it in the chain."""

    def do(scene: Scene) -> None:
        key = scene.one(scene.entry_keys()[2:] if any_entry else scene.entry_keys_with_objects()[1:])
        entry = ledger.read_entry(scene.objects[key].body)
        changed = change(scene, entry)
        assert changed != entry
        scene.relink(key, changed)

    return do


def _first_object(**facts: object) -> Callable[[Scene, Entry], Entry]:
    """Its first object with other facts."""

    def change(scene: Scene, entry: Entry) -> Entry:
        first: StoredObject = replace(entry.objects[0], **facts)  # type: ignore[arg-type]
        return replace(entry, objects=(first, *entry.objects[1:]))

    return change


def _object_forgotten(scene: Scene, entry: Entry) -> Entry:
    """With its rows: its records are said to have been filtered."""
    gone, *kept = entry.objects
    rows = entry.rows - gone.rows
    more = max(0, entry.records - entry.filtered - entry.dead_lettered - rows)
    return replace(entry, objects=tuple(kept), rows=rows, filtered=entry.filtered + more)


def _object_twice(scene: Scene, entry: Entry) -> Entry:
    return replace(entry, objects=(*entry.objects, entry.objects[0]), rows=entry.rows + entry.objects[0].rows)


def _absent_for_records(scene: Scene, entry: Entry) -> Entry:
    return replace(entry, absent=entry.absent + 1)


def _missing_for_records(scene: Scene, entry: Entry) -> Entry:
    return replace(entry, missing=(Missing(entry.first, entry.first + 1),))


def _missing_outside(scene: Scene, entry: Entry) -> Entry:
    return replace(
        entry, records=entry.records - 1, filtered=entry.filtered - 1, missing=(Missing(entry.next, entry.next + 1),)
    )


def _missing_that_balances(scene: Scene, entry: Entry) -> Entry:
    fewer = max(entry.filtered, 1)
    spans = (Missing(entry.next - fewer, entry.next),)
    return replace(entry, records=entry.records - fewer, filtered=entry.filtered - fewer, missing=spans)


def _missing_backwards(scene: Scene, entry: Entry) -> Entry:
    return replace(entry, missing=(Missing(entry.first + 1, entry.first),), absent=entry.absent + 1)


def _revision_falls(scene: Scene, entry: Entry) -> Entry:
    """The entry before it gets a higher one; see `revision_falls`."""
    return replace(entry, revision=entry.revision + 1)


def _other_topic(scene: Scene, entry: Entry) -> Entry:
    return replace(entry, topic_id="AAAAAAAAAAAAAAAAAAAAAQ")


CHANGES: dict[str, Callable[[Scene, Entry], Entry]] = {
    "object_forgotten": _object_forgotten,
    "object_twice": _object_twice,
    "absent_for_records": _absent_for_records,
    "missing_for_records": _missing_for_records,
    "missing_outside": _missing_outside,
    "missing_backwards": _missing_backwards,
    "missing_that_balances": _missing_that_balances,
    "rows_miscounted": lambda scene, entry: replace(entry, rows=entry.rows + 1),
    "filtered_miscounted": lambda scene, entry: replace(entry, filtered=entry.records + 1),
    "too_few_rows": lambda scene, entry: replace(entry, objects=(), rows=0),
    "next_later": lambda scene, entry: replace(entry, next=entry.next + 5),
    "next_later_and_absent": lambda scene, entry: replace(entry, next=entry.next + 5, absent=entry.absent + 5),
    "first_earlier": lambda scene, entry: replace(entry, first=entry.first - 1, absent=entry.absent + 1),
    "object_of_a_later_row": lambda scene, entry: replace(
        entry, objects=(replace(entry.objects[0], last=entry.next), *entry.objects[1:])
    ),
    "object_without_rows": lambda scene, entry: replace(
        entry, objects=(replace(entry.objects[0], rows=0), *entry.objects[1:]), rows=entry.rows - entry.objects[0].rows
    ),
    "object_of_no_bytes": _first_object(size=0),
    "object_of_other_bytes": _first_object(sha256=hashlib.sha256(b"").hexdigest()),
    "object_of_other_rows": _first_object(digest=hashlib.sha256(b"").hexdigest()),
    "object_in_another_bucket": _first_object(bucket="elsewhere"),
    "object_in_no_bucket": _first_object(bucket="a/../b?x"),
    "object_under_no_name": _first_object(key=""),
    "object_under_a_long_name": _first_object(key="x" * 2000),
    "object_under_the_ledger": _first_object(key="_tidegate/probe"),
    "epoch_later": lambda scene, entry: replace(entry, epoch=entry.epoch + 1, next_epoch=entry.next_epoch + 1),
    "next_epoch_later": lambda scene, entry: replace(entry, next_epoch=entry.next_epoch + 2),
    "next_key_epoch_later": lambda scene, entry: replace(entry, next_key_epoch=entry.next_key_epoch + 1),
    "version_unknown": lambda scene, entry: replace(entry, version="0" * 64),
    "next_version_unknown": lambda scene, entry: replace(entry, next_version="0" * 64),
    "previous_wrong": lambda scene, entry: replace(entry, previous="0" * 64),
    "topic_id_changes": _other_topic,
}
for _name, _knows in CHANGES.items():
    KNOWING.add(_name, _knowing(_knows))


@KNOWING.kind()
def revision_falls(scene: Scene) -> None:
    """An entry of a newer configuration between older ones."""
    key = scene.one(scene.entry_keys()[:-1])
    entry = ledger.read_entry(scene.objects[key].body)
    scene.relink(key, replace(entry, revision=entry.revision + 3))


@KNOWING.kind()
def topic_id_of_all_changes(scene: Scene) -> None:
    """A chain whose entries are of another topic than its name says."""
    for key in scene.entry_keys()[2:]:
        entry = ledger.read_entry(scene.objects[key].body)
        scene.relink(key, replace(entry, topic_id="AAAAAAAAAAAAAAAAAAAAAQ"))


@KNOWING.kind()
def start_of_another_topic(scene: Scene) -> None:
    """A beginning that is of another topic than its name says."""
    key = scene.start_key()
    start = ledger.read_start(scene.objects[key].body)
    scene.write(key, replace(start, topic_id="AAAAAAAAAAAAAAAAAAAAAQ").encode())


@KNOWING.kind()
def two_entries_of_one_range(scene: Scene) -> None:
    """An entry of the same offsets in a later epoch, as a second chain would have it."""
    key = scene.one(scene.entry_keys_with_objects())
    entry = ledger.read_entry(scene.objects[key].body)
    later = replace(entry, epoch=entry.epoch + 1)
    place = ChainPlace(scene.action, TOPIC, "", scene.partition)
    scene.write(ledger.entry_key(place, later.first, later.epoch), later.encode())


@KNOWING.kind()
def objects_of_two_entries_exchanged(scene: Scene) -> None:
    """Each of two entries names the objects of the other, and the chain is linked again."""
    first, second = scene.entry_keys_with_objects()[:2]
    one, other = (ledger.read_entry(scene.objects[key].body) for key in (first, second))
    scene.relink(first, replace(one, objects=other.objects, rows=other.rows))
    linked = ledger.read_entry(scene.objects[second].body)
    scene.relink(second, replace(linked, objects=one.objects, rows=one.rows))
