"""A cut's states: what may happen when, and where its entry ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import InternalError
from pipeline.upload.buffer import EarlyEnd, Lines, RollLimits
from pipeline.upload.cut import TRANSITIONS, Cut, CutEvent, CutState
from pipeline.upload.ledger import ChainEnd, StoredObject, end_after
from pipeline.upload.outcomes import FILTERED, WRITTEN

LIMITS = RollLimits(rows_max=3, bytes_max=1 << 20)
CALLS = {
    CutEvent.RESUMED: lambda cut: cut.resumed(0, LIMITS),
    CutEvent.ROWS: lambda cut: cut.rows({}, [], b"", 0),
    CutEvent.GONE: lambda cut: cut.gone(0),
    CutEvent.DUE: Cut.due,
    CutEvent.SHORTER: Cut.shorter,
    CutEvent.LONGER: Cut.longer,
    CutEvent.REACHED: Cut.reached,
    CutEvent.ENTERED: lambda cut: cut.entered(cut.entry(ChainEnd(0, 0, "v"), "v"), LIMITS),
    CutEvent.LAST: Cut.last,
    CutEvent.FINISHED: Cut.finished,
    CutEvent.LOST: Cut.lost,
}


def reading(first: int = 0, read_before: int = 0) -> Cut:
    """A cut that begins at offset `first`."""
    cut = Cut(LIMITS)
    cut.resumed(first, LIMITS, read_before=read_before)
    return cut


def take(cut: Cut, *names: str) -> None:
    """Records, each with a row of the group of that name; "" for one that was filtered."""
    first = cut.position
    groups: dict[tuple[str, ...], Lines] = {}
    for offset, name in enumerate(names, first):
        if name:
            groups.setdefault((name,), Lines()).add(b"{}\n", offset)
    outcomes = bytes(WRITTEN if name else FILTERED for name in names)
    cut.rows(groups, range(first, first + len(names)), outcomes, first + len(names))


def store(cut: Cut, name: str, rows: int | None = None) -> None:
    """The group's first chunk becomes an object, of so many of its rows."""
    group = cut.buffer.groups[(name,)]
    chunk = group.chunks[0]
    count = chunk.rows if rows is None else rows
    cut.stored(
        group, StoredObject(f"{name}{chunk.first}", count, chunk.first, chunk.offsets[count - 1], "d", "s", 9, "e")
    )


@pytest.mark.parametrize("state", CutState)
@pytest.mark.parametrize("event", CutEvent)
def test_what_the_table_does_not_name_cannot_happen(state: CutState, event: CutEvent) -> None:
    """Each event leads where the table says, and is refused by name where it says nothing."""
    cut = reading()
    cut.state = state

    after = TRANSITIONS[state].get(event)

    if after is None:
        with pytest.raises(InternalError, match=event.value):
            CALLS[event](cut)
        assert cut.state is state
    else:
        CALLS[event](cut)
        assert cut.state is after


def test_an_entry_names_the_objects_and_counts_the_records() -> None:
    """All chunks are stored, and the entry ends where reading stands."""
    cut = reading(7)
    take(cut, "a", "", "b", "a")
    cut.due()
    store(cut, "a")
    store(cut, "b")

    entry = cut.entry(ChainEnd(7, 2, "v", "before", key_epoch=1), "v")

    assert (entry.first, entry.next, entry.records, entry.filtered, entry.rows) == (7, 11, 4, 1, 3)
    assert [each.key for each in entry.objects] == ["a7", "b9"]
    assert (entry.epoch, entry.next_epoch, entry.next_key_epoch, entry.previous) == (2, 2, 1, "before")


def test_a_shorter_object_ends_the_cut_at_the_furthest_one() -> None:
    """Rows beyond the furthest object go to the next cut, and only chunks that begin before its end are still stored."""
    cut = reading()
    take(cut, "a", "a", "b", "c")
    cut.due()
    store(cut, "a", rows=1)
    cut.shorter()

    assert cut.to_store == []
    entry = cut.entry(ChainEnd(0, 0, "v"), "v")
    cut.entered(entry, LIMITS)

    assert (entry.next, entry.records, entry.rows) == (1, 1, 1)
    assert (cut.state, cut.end, cut.outcomes.records) == (CutState.READING, 1, 3)


def test_chunks_that_begin_before_the_furthest_object_belong_to_the_cut() -> None:
    """An object of one group that reaches far makes the others follow."""
    cut = reading()
    take(cut, "a", "b", "a", "c")
    cut.due()
    store(cut, "a")
    cut.shorter()

    assert [group.name for group in cut.to_store] == [("b",)]


def test_an_older_version_ends_where_nothing_of_it_can_be_left() -> None:
    """Not while writers before us can have read further than we have."""
    cut = reading(read_before=3)
    take(cut, "a")
    store(cut, "a")
    early = cut.entry(ChainEnd(0, 4, "old", key_epoch=2), "new")
    take(cut, "a", "")
    store(cut, "a")
    late = cut.entry(ChainEnd(0, 4, "old", key_epoch=2), "new")

    assert (early.next_version, early.next_epoch, early.next_key_epoch) == ("old", 4, 2)
    assert (late.next_version, late.next_epoch, late.next_key_epoch) == ("new", 5, 3)


def test_given_up_rows_are_dead_letters_of_the_entry() -> None:
    """Their records are counted as such, and no chunk of them is left."""
    cut = reading()
    take(cut, "a", "b")
    cut.given_up(cut.buffer.groups[("a",)], 1, [0])
    cut.due()
    store(cut, "b")

    entry = cut.entry(ChainEnd(0, 0, "v"), "v")

    assert (entry.next, entry.records, entry.dead_lettered, entry.rows) == (2, 2, 1, 1)


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.sampled_from(["a", "b", "c", ""]), min_size=1, max_size=20), st.data())
def test_wherever_objects_end_each_row_is_in_one_entry(names: list[str], data: st.DataObject) -> None:
    """Objects of another writer may end anywhere: entries follow each other without gap, and no row is lost or there twice."""
    cut, chain, rows, records = reading(), ChainEnd(0, 0, "v"), 0, 0
    take(cut, *names)
    while not cut.outcomes.empty:
        cut.due()
        while groups := cut.to_store:
            chunk = groups[0].chunks[0]
            count = data.draw(st.integers(1, chunk.rows))
            store(cut, groups[0].name[0], count)
            if count < chunk.rows:
                cut.shorter()
        entry = cut.entry(chain, "v")
        assert entry.first == chain.first < entry.next
        assert all(entry.first <= each.first <= each.last < entry.next for each in entry.objects)
        rows, records = rows + entry.rows, records + entry.records
        chain = ChainEnd(entry.next, 0, "v")
        cut.entered(entry, LIMITS)

    assert (rows, records) == (sum(map(bool, names)), len(names))


EARLY = EarlyEnd(groups=4, going_on=0.25)


def early(*names: str) -> Cut:
    """A due cut with these rows, which may end early."""
    cut = Cut(RollLimits(rows_max=100, bytes_max=1 << 20), TRANSITIONS, EARLY)
    cut.resumed(0, RollLimits(rows_max=100, bytes_max=1 << 20))
    take(cut, *names)
    cut.due()
    cut.may_end_early()
    return cut


@pytest.mark.parametrize(
    ("names", "end"),
    [
        ("abcd", None),  # not more groups than an entry should have
        ("abcdefgh", 4),
        ("aabbccddeeff", 8),
        ("abcdaefgh", 5),  # one in four goes on
        ("abcdeabcdefghijk", 13),  # all go on at first; twice as many groups have an end
        ("abcdefghabcdefgh", None),
    ],
)
def test_a_cut_of_many_groups_ends_where_few_of_them_go_on(names: str, end: int | None) -> None:
    """At least so many groups are before the end; with rows of each all along, all are stored."""
    assert early(*names).early_end == end


def test_an_early_cut_stores_what_lies_before_its_end() -> None:
    """Rows beyond it begin the next cut, also those of a group that goes on."""
    cut = early(*"abcdaefgha")
    assert cut.early_end == 5
    while groups := cut.to_store:
        for group in groups:
            chunk = cut.next_chunk(group)
            store(cut, group.name[0], chunk.rows)

    entry = cut.entry(ChainEnd(0, 0, "v"), "v")
    cut.entered(entry, LIMITS)

    assert (entry.next, entry.rows, [each.last for each in entry.objects]) == (5, 5, [4, 1, 2, 3])
    assert (cut.end, cut.position) == (5, 10)
    assert {name for (name,) in cut.buffer.groups} == set("efgha")


def test_an_early_cut_reaches_to_the_end_of_its_objects() -> None:
    """An object of another writer, or a full chunk, may lie beyond the early end: then the cut goes as far as it does."""
    cut = early(*"abcdaefgh")
    group = cut.buffer.groups["a",]
    cut.stored(group, StoredObject("a", 2, 0, 7, "d", "s", 9, "e"))

    assert {each.name[0] for each in cut.to_store} == set("bcdefg")


@given(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=60))
def test_early_cuts_hold_each_row_once(names: list[str]) -> None:
    """Cut after cut, the entries follow each other, and no object lies beyond the end of its entry."""
    cut, chain, rows = early(*names), ChainEnd(0, 0, "v"), list[tuple[str, int]]()
    while True:
        while groups := cut.to_store:
            for group in groups:
                chunk = cut.next_chunk(group)
                rows += [(group.name[0], offset) for offset in chunk.offsets]
                store(cut, group.name[0], chunk.rows)
        entry = cut.entry(chain, "v")
        assert entry.first == chain.first < entry.next
        assert all(entry.first <= each.first <= each.last < entry.next for each in entry.objects)
        cut.entered(entry, cut.buffer.limits)
        chain = end_after(entry)
        if cut.outcomes.empty:
            break
        cut.due()
        cut.may_end_early()

    assert sorted(rows, key=lambda each: each[1]) == [(name, offset) for offset, name in enumerate(names)]
