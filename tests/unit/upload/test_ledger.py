"""The shapes of the ledger."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.formats.kept import KeptColumn
from pipeline.upload import ledger, typed_fields
from pipeline.upload.ledger import ChainPlace, Missing, StoredObject

PLACE = ChainPlace("a", "t", "", 0)


def entry(**changes: object) -> ledger.Entry:
    fields: dict[str, object] = {
        "first": 10,
        "next": 30,
        "epoch": 0,
        "version": "v",
        "next_epoch": 1,
        "next_version": "w",
        "records": 10,
        "filtered": 7,
        "dead_lettered": 1,
        "rows": 2,
        "objects": (StoredObject("k", 2, 11, 15, "d", "s", 77, '"e"'),),
        "previous": "p",
        "next_key_epoch": 2,
        "absent": 3,
        "missing": (Missing(20, 27),),
        "topic_id": "id",
        "revision": 4,
    }
    return ledger.Entry(**{**fields, **changes})  # type: ignore[arg-type]


START = ledger.Start(7, "v", epoch=1, key_epoch=2, topic_id="id", revision=3)


def test_an_entry_survives_its_encoding() -> None:
    """And the same entry always has the same digest."""
    elsewhere = entry(objects=(StoredObject("k", 2, 11, 15, "d", "s", 77, "e", "bucket"),), original="o")

    assert ledger.decode_entry(entry().encode()) == entry()
    assert ledger.decode_entry(elsewhere.encode()) == elsewhere
    assert ledger.decode_start(START.encode()) == START
    assert entry().digest == entry().digest != entry(rows=3).digest


COLUMNS = (KeptColumn("t", "double"), KeptColumn("a", "string"))


def test_an_entry_names_kept_columns_only_if_there_are_some() -> None:
    """So entries of earlier versions stay as they were written, and columns come back in their order."""
    with_columns = entry(columns=COLUMNS, objects=(StoredObject("k", 2, 11, 15, "d", "s", 77, "e", columns=1),))
    content = with_columns.encode()

    assert ledger.decode_entry(content) == with_columns
    assert json.loads(content)["columns"] == [["t", "double"], ["a", "string"]]
    assert "columns" not in entry().encode().decode()


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ([["t", "date"]], r"columns\[0\]: expected one of the types boolean, double, string, found 'date'"),
        ([["t", "double"], ["t"]], r"columns\[1\]: expected name and type"),
        ([["t", 1]], "field 'type' of columns.*expected a text"),
        ("t", "expected a list"),
    ],
)
def test_columns_that_nobody_can_make_are_an_error_of_the_entry(columns: object, wrong: str) -> None:
    """A later version may know more types, and a writer that ignores them would make other objects."""
    fields = json.loads(entry().encode())
    content = typed_fields.sealed({**{name: fields[name] for name in fields if name != "checksum"}, "columns": columns})

    with pytest.raises(ValueError, match=wrong):
        ledger.read_entry(content)


def test_the_next_cut_has_the_columns_of_its_own_version() -> None:
    """Another version begins with none, because its rule may want other columns and types."""
    same, turned = entry(columns=COLUMNS, next_version="v"), entry(columns=COLUMNS)
    stop = ledger.without_offsets(ledger.end_after(same), next_version="v", clean=True)

    assert ledger.end_after(same).columns == COLUMNS
    assert ledger.end_after(stop).columns == COLUMNS
    assert ledger.end_after(turned).columns == ()


def test_the_chain_goes_on_where_it_ends() -> None:
    """Under the epochs and the version that the last entry, or the start, names for the next cut."""
    assert ledger.end_after(entry()) == ledger.ChainEnd(30, 1, "w", entry().digest, False, 2, "id", 4)
    assert ledger.end_at(START) == ledger.ChainEnd(7, 1, "v", START.digest, False, 2, "id", 3)


def test_an_entry_without_offsets_keeps_what_the_chain_is_of() -> None:
    """The topic's id, and a revision that never falls."""
    end = ledger.end_after(entry())

    older = ledger.without_offsets(end, next_version="w", clean=True, revision=1)
    newer = ledger.without_offsets(end, next_version="x", clean=False, revision=9)

    assert (older.topic_id, older.revision, older.next_key_epoch) == ("id", 4, 2)
    assert (newer.topic_id, newer.revision, newer.next_key_epoch) == ("id", 9, 3)


def test_a_turn_counts_nothing() -> None:
    """An entry that only changes the version has no offsets, records or rows, and opens the next epoch."""
    end = ledger.end_after(entry())
    turn = ledger.without_offsets(end, next_version="x", clean=True)

    assert (turn.first, turn.next, turn.records, turn.filtered, turn.dead_lettered, turn.rows) == (30, 30, 0, 0, 0, 0)
    assert (turn.epoch, turn.next_epoch, turn.version, turn.next_version, turn.clean) == (1, 2, "w", "x", True)
    assert ledger.ChainEnd(1, 2, "v") == ledger.ChainEnd(1, 2, "v", "", False, 0, "", 0)


@pytest.mark.parametrize("key", ["_tidegate/a/t/~/x/1.json", "other/a/t/~/0/1.json", "_tidegate/a/t/0/1.json", "a"])
def test_a_key_beside_the_chains_is_of_none(key: str) -> None:
    """Another root, a partition that is not a number, fewer parts."""
    assert ledger.place_of(key) is None


def test_keys_sort_as_offsets_do() -> None:
    """The newest entry is the last key, and the chain's start comes after all of them."""
    keys = [ledger.entry_key(PLACE, first, epoch) for first, epoch in ((9, 0), (10, 0), (10, 1), (1 << 40, 0))]

    assert sorted(keys) == keys
    assert max([*keys, ledger.start_key(PLACE)]) == ledger.start_key(PLACE)


@pytest.mark.parametrize("place", [PLACE, ChainPlace("a@into~it", "a.topic", "Z_-0123456789abcdefghi", 12)])
def test_a_key_tells_whose_chain_it_is_of(place: ChainPlace) -> None:
    """Also where the broker has no ids; and the texts of versions are of no chain."""
    assert ledger.place_of(ledger.entry_key(place, 5, 1)) == place
    assert ledger.place_of(ledger.start_key(place)) == place
    assert ledger.place_of(ledger.version_key(place.action, "0" * 64)) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"first": 1}', b'{"format": 1}', b'{"format": true}', b"1"])
def test_what_is_no_part_of_the_ledger_is_refused(content: bytes) -> None:
    """A ledger that somebody wrote over is an error, and not an empty one."""
    for decode in (ledger.decode_entry, ledger.decode_start):
        with pytest.raises(ValueError, match=r"."):
            decode(content)


def test_another_format_is_named() -> None:
    """So that nobody looks for a damage where there is none."""
    with pytest.raises(ValueError, match="the entry has format 3: this version reads format 2"):
        ledger.decode_entry(entry().encode().replace(b'"format": 2', b'"format": 3'))


ENTRY = json.loads(entry().encode())


@pytest.mark.parametrize("name", sorted(ENTRY.keys() - {"format"}))
@pytest.mark.parametrize("value", [None, 1.5, -1, True, "text", 7, [], {}, [1], "gone"])
def test_a_field_of_another_type_is_named(name: str, value: Any) -> None:
    """Whatever is there in its stead, and when nothing is."""
    expected = type(ENTRY[name])
    if type(value) is expected and value not in (-1, [1], "gone"):
        return
    fields = {**ENTRY, name: value}
    if value == "gone":
        del fields[name]

    with pytest.raises(ValueError, match=name):
        ledger.decode_entry(json.dumps(fields).encode())


@pytest.mark.parametrize("name", sorted(json.loads(START.encode()).keys() - {"format"}))
def test_so_is_one_of_the_start(name: str) -> None:
    """Its fields are the same kinds."""
    with pytest.raises(ValueError, match=name):
        ledger.decode_start(json.dumps({**json.loads(START.encode()), name: [3.5]}).encode())


@pytest.mark.parametrize("name", sorted(ENTRY["objects"][0]))
def test_so_is_one_of_an_object(name: str) -> None:
    """With the number of the object in the entry."""
    changed = {**ENTRY["objects"][0], name: False}

    with pytest.raises(ValueError, match=rf"{name}.*objects\[0\]"):
        ledger.decode_entry(json.dumps({**ENTRY, "objects": [changed]}).encode())


@pytest.mark.parametrize("ranges", [[1], [[1]], [[1, "2"]], [[True, 2]], [[1, 2, 3]], [None]])
def test_so_is_a_range(ranges: list[Any]) -> None:
    """Two offsets and nothing else."""
    with pytest.raises(ValueError, match=r"missing\[0\]"):
        ledger.decode_entry(json.dumps({**ENTRY, "missing": ranges}).encode())


def test_a_field_of_a_later_version_is_named() -> None:
    """Whoever does not know it cannot know what it changes."""
    with pytest.raises(ValueError, match="'sparkle', which this version does not know"):
        ledger.decode_entry(json.dumps({**ENTRY, "sparkle": 1}).encode())


def test_what_an_entry_or_a_start_does_not_say_is_nothing() -> None:
    """Older entries lack later fields: no offset is absent, no epoch and no revision has begun, and nothing ended in order."""
    plain = ledger.Entry(1, 2, 0, "v", 0, "v", 1, 0, 0, 1)
    start = ledger.Start(1, "v")

    assert (plain.objects, plain.missing, plain.clean) == ((), (), False)
    assert (plain.next_key_epoch, plain.absent, plain.revision) == (0, 0, 0)
    assert (start.epoch, start.key_epoch, start.revision) == (0, 0, 0)
    assert ledger.without_offsets(ledger.end_at(start), next_version="v", clean=True).revision == 0


def test_keys_are_read_back() -> None:
    """The key of an entry names its first offset and its chain, and no other key is taken for an entry's."""
    named, unnamed = ChainPlace("a", "t", "id", 3), ChainPlace("a", "t", "", 3)
    for place in (named, unnamed):
        key = ledger.entry_key(place, 42, 7)

        assert ledger.first_of(key) == 42
        assert ledger.place_of(key) == place
        assert ledger.is_entry_key(place, key)
        assert not ledger.is_entry_key(place, f"{key}x")
        assert not ledger.is_entry_key(place, ledger.start_key(place))
    assert not ledger.is_entry_key(named, ledger.entry_key(unnamed, 42, 7))
    assert not ledger.is_entry_key(named, key.rpartition("/")[2])
    assert ledger.topic_id_of(ledger.topic_id_text("")) == "" != ledger.topic_id_text("")


def test_the_chain_before_an_entry_had_the_epoch_of_its_keys() -> None:
    """Only an entry that turns to another version raises the epoch in the keys of what follows."""
    turned, stayed = entry(version="v", next_version="w"), entry(version="v", next_version="v")

    assert (ledger.end_before(turned).key_epoch, ledger.end_before(stayed).key_epoch) == (1, 2)
    assert ledger.end_before(turned) == ledger.ChainEnd(10, 0, "v", "p", key_epoch=1, topic_id="id")
