"""Open chunks: content decides when they close, and no split loses rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.upload.buffer import Buffer, Chunk, EarlyEnd, Group, Lines, RollLimits
from tests.parts.lines import chunk_of, lines_of, rows_in

LIMITS = RollLimits(rows_max=3, bytes_max=1000)
G = ("g",)


def filled(offsets: list[int], limits: RollLimits = LIMITS) -> Buffer:
    buffer = Buffer(limits)
    for number, offset in enumerate(offsets):
        buffer.extend(G, lines_of([(b"row %d\n" % number, offset)]))
    return buffer


def test_chunk_rolls_when_it_is_full() -> None:
    """The first row that does not fit begins the next chunk."""
    group = filled([1, 2, 3, 4]).groups[G]

    assert [chunk.rows for chunk in group.chunks] == [3, 1]


def test_a_chunk_that_ends_says_so() -> None:
    """And a record of more rows than a chunk takes ends none, because it is not known to be whole."""
    group = Buffer(LIMITS)

    assert not group.extend(G, lines_of([(b"\n", 1)] * 5))
    assert group.extend(G, lines_of([(b"\n", 2)]))
    assert not group.extend(G, lines_of([(b"\n", 3)]))


def test_rows_of_one_record_stay_together() -> None:
    """A chunk ends only at the end of a record, so that no two chunks begin with the same offset."""
    group = filled([1, 2, 2, 2, 2, 3]).groups[G]

    assert [list(chunk.offsets) for chunk in group.chunks] == [[1, 2, 2, 2, 2], [3]]


@pytest.mark.parametrize("bytes_max", [10, 12])
def test_bytes_roll_a_chunk_too(bytes_max: int) -> None:
    """The limit on bytes closes a chunk like the limit on rows, also a chunk that has just that many."""
    group = filled([1, 2, 3], RollLimits(rows_max=100, bytes_max=bytes_max)).groups[G]

    assert [chunk.rows for chunk in group.chunks] == [2, 1]


def test_adopting_part_of_a_chunk_moves_the_rolls_behind_it() -> None:
    """After a shorter object of another writer, the remaining rows form new chunks."""
    buffer = filled([1, 2, 3, 4, 5, 6, 7])
    group = buffer.groups[G]

    buffer.stored(group, 2)

    assert [list(chunk.offsets) for chunk in group.chunks] == [[3, 4, 5], [6, 7]]


def test_an_emptied_group_is_forgotten_and_costs_nothing() -> None:
    """An empty group is removed, and the byte count returns to zero."""
    buffer = filled([1, 2])

    buffer.stored(buffer.groups[G], 2)

    assert (buffer.groups, buffer.size_bytes, buffer.first) == ({}, 0, None)


def test_digest_of_a_prefix_is_that_of_a_chunk_of_these_rows() -> None:
    """The digest of a chunk's first rows equals that of a chunk of these rows."""
    rows = [(b"row %d\n" % number, number) for number in range(5)]
    long, short = chunk_of(rows), chunk_of(rows[:3])

    assert long.digest(3) == short.digest()
    assert long.rows_until(2) == 3


def test_a_chunk_before_an_offset_has_its_rows_alone() -> None:
    """A cut in the middle of a chunk stores the rows below its end, and one behind the chunk stores the chunk itself."""
    rows = [(b"row %d\n" % number, number) for number in range(5)]
    chunk, short = chunk_of(rows), chunk_of(rows[:3])

    part = chunk.before(3)

    assert (list(part.offsets), bytes(part.data), list(part.ends)) == ([0, 1, 2], bytes(short.data), list(short.ends))
    assert chunk.before(5) is chunk


@given(st.lists(st.integers(0, 30)), st.data())
def test_rows_leave_in_the_order_in_which_they_came(numbers: list[int], data: st.DataObject) -> None:
    """A group that is stored piece by piece gives its rows once each, in order."""
    offsets = sorted(numbers)
    buffer = filled(offsets)
    out: list[bytes] = []
    while G in buffer.groups:
        group = buffer.groups[G]
        rows = data.draw(st.integers(1, group.chunks[0].rows))
        out += [line for line, _ in rows_in(group.chunks[0])[:rows]]
        buffer.stored(group, rows)

    assert out == [b"row %d\n" % number for number in range(len(offsets))]
    assert buffer.size_bytes == 0


@given(st.lists(st.integers(0, 30)), st.data())
def test_rows_roll_at_the_same_places_in_whatever_pieces_they_come(numbers: list[int], data: st.DataObject) -> None:
    """Chunks close at the same rows, whatever the fetched pieces are."""
    offsets = sorted(numbers)
    lines = [b"row %d\n" % number for number in range(len(offsets))]
    limits = data.draw(st.sampled_from([LIMITS, RollLimits(rows_max=100, bytes_max=15)]))
    pieces = Buffer(limits)
    at = 0
    while at < len(offsets):
        end = data.draw(st.integers(at + 1, len(offsets)))
        while end < len(offsets) and offsets[end] == offsets[end - 1]:
            end += 1
        pieces.extend(G, lines_of(zip(lines[at:end], offsets[at:end], strict=True)))
        at = end

    one_by_one = filled(offsets, limits)
    assert _shape(pieces) == _shape(one_by_one)
    assert pieces.size_bytes == one_by_one.size_bytes


def _shape(buffer: Buffer) -> list[tuple[list[int], bytes, list[int]]]:
    chunks = buffer.groups[G].chunks if G in buffer.groups else []
    return [(list(chunk.offsets), bytes(chunk.data), list(chunk.ends)) for chunk in chunks]


def test_groups_that_are_open_before_an_offset() -> None:
    """Those whose first row that is not durable is below it; all of them without one."""
    buffer = filled([5])
    buffer.extend(("h",), lines_of([(b"\n", 8)]))

    assert [group.name for group in buffer.open_groups()] == [G, ("h",)]
    assert [group.name for group in buffer.open_groups(8)] == [G]
    assert buffer.open_groups(5) == []
    assert buffer.first == 5


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [([[1], [5]], 5), ([[1, 5], [5]], None), ([[1], [1]], None), ([[1], [1], [5]], 5), ([[1, 5], [1], [5]], None)],
)
def test_a_cut_ends_early_between_groups(offsets: list[list[int]], expected: int | None) -> None:
    """Before the first row of a later group, if no other goes on there; never before its own first row, with nothing in it."""
    buffer = Buffer(LIMITS)
    for number, its in enumerate(offsets):
        buffer.extend((f"g{number}",), lines_of([(b"\n", offset) for offset in its]))

    assert buffer.early_end(EarlyEnd(groups=1, going_on=0.0)) == expected


def test_one_call_can_roll_more_than_once() -> None:
    """Each chunk of one call counts its own rows and bytes, from its first row on."""
    by_rows, by_bytes = Group(G), Group(G)

    assert by_rows.extend(lines_of((b"\n", offset) for offset in range(7)), LIMITS)
    assert by_bytes.extend(lines_of((b"12345\n", offset) for offset in range(6)), RollLimits(100, 12))

    assert [chunk.rows for chunk in by_rows.chunks] == [3, 3, 1]
    assert [chunk.rows for chunk in by_bytes.chunks] == [2, 2, 2]


def test_a_group_has_rolled_when_a_second_chunk_begins() -> None:
    """Two chunks are enough, and nothing of a new group is being stored."""
    group = Group(G)
    before = group.rolled
    group.extend(lines_of((b"\n", offset) for offset in (1, 2, 3, 4)), LIMITS)

    assert (before, group.rolled, group.storing) == (False, True, False)


def test_nothing_but_a_line_break_ends_a_row() -> None:
    """Raw lines may hold the other line ends of Unicode."""
    rows = [(b"a\rb\x0b\x0c\n", 1), ("\u2028\x85\n".encode(), 2), (b"\n", 2)]

    assert rows_in(chunk_of(rows)) == rows


def test_the_digest_of_no_rows_is_that_of_nothing() -> None:
    """Rows that are not asked for are not in the digest."""
    chunk = chunk_of([(b"row\n", 1)])

    assert chunk.digest(0) == Chunk().digest() != chunk.digest()


def test_a_group_costs_its_name_and_more() -> None:
    """Names of groups are chosen by devices, so they count, and a group without a row waits for nobody."""
    buffer = Buffer(LIMITS)
    buffer.extend(("name",), Lines())
    empty = buffer.size_bytes
    buffer.extend(("longer name",), Lines())

    assert empty > len("name")
    assert buffer.size_bytes - 2 * empty == len("longer name") - len("name")
    assert buffer.open_groups() == []
    assert buffer.open_groups(before=5) == []


def test_rows_that_come_after_a_look_are_found_too() -> None:
    """A chunk looks for the ends of its rows when it is asked, and again when rows came since, in either way."""
    one, more = Lines(), Lines()
    one.add(b"a\n", 1)
    more.add_all(b"bb\nccc\n", [2, 3])
    chunk, other = Chunk.of(one), Chunk.of(more)
    ends = [list(chunk.ends)]
    chunk.add(more)
    ends.append(list(chunk.ends))
    chunk.extend(other, 1, 2)
    ends.append(list(chunk.ends))

    assert ends == [[2], [2, 5, 9], [2, 5, 9, 13]]
    assert (bytes(chunk.data), list(chunk.offsets)) == (b"a\nbb\nccc\nccc\n", [1, 2, 3, 3])
