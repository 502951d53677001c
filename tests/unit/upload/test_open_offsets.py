"""The durable offset of a partition, and the outcomes of its records."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.upload.ledger import Missing
from pipeline.upload.open_offsets import OpenOffsets
from pipeline.upload.outcomes import DEAD, FILTERED, WRITTEN, Outcomes


def test_nothing_is_durable_before_anything_is_read() -> None:
    """Before the first record there is no offset to commit."""
    assert OpenOffsets().durable is None


def test_the_lowest_open_offset_holds_everything_back() -> None:
    """Finished later work does not move the commit past unfinished earlier work."""
    progress = OpenOffsets()
    for offset in (5, 6, 9):
        progress.open(offset)
    progress.read(12)
    progress.close(6)
    progress.close(9)

    assert progress.durable == 5

    progress.close(5)

    assert progress.durable == 12


def test_an_offset_with_several_rows_waits_for_all_of_them() -> None:
    """A record with three objects is done with the third."""
    progress = OpenOffsets()
    for _ in range(3):
        progress.open(1)
    progress.read(2)
    progress.close(1)
    progress.close(1)

    assert progress.durable == 1

    progress.close(1)

    assert progress.durable == 2


@given(st.lists(st.integers(0, 20)), st.randoms(use_true_random=False))
def test_durable_never_passes_open_work(numbers: list[int], chance: object) -> None:
    """In any order of work, the committed offset is below everything unfinished."""
    offsets = sorted(numbers)
    progress = OpenOffsets()
    for offset in offsets:
        progress.open(offset)
    progress.read(21)
    left = list(offsets)
    while left:
        done = left.pop(chance.randrange(len(left)))  # type: ignore[attr-defined]
        progress.close(done)
        assert progress.durable == (min(left) if left else 21)


def test_tally_counts_up_to_any_offset() -> None:
    """Outcomes are counted up to any offset, because a cut may end in the middle of a batch."""
    tally = Outcomes()
    tally.add(10, 14, range(10, 14), bytes([WRITTEN, FILTERED, DEAD, WRITTEN]))
    tally.add(14, 30, [20, 25], bytes([FILTERED, WRITTEN]))

    assert tally.counts(13) == (3, 1, 1, 1, 0, ())
    assert tally.counts(26) == (6, 2, 3, 1, 10, ())

    tally.drop(13)

    assert tally.counts(21) == (2, 1, 1, 0, 6, ())


def test_what_is_gone_is_told_apart_from_what_is_not_there() -> None:
    """And a cut may end before it, or after it; what a batch shows at its end holds no record either."""
    tally = Outcomes()
    tally.add(0, 4, [1], bytes([WRITTEN]))
    tally.gone(Missing(4, 9))
    tally.add(9, 12, [], b"")

    assert tally.counts(2) == (1, 0, 1, 0, 1, ())
    assert tally.counts(12) == (1, 0, 1, 0, 6, (Missing(4, 9),))
    assert tally.any_missing

    tally.drop(9)

    assert tally.counts(12) == (0, 0, 0, 0, 3, ())
    assert (tally.empty, tally.any_missing) == (False, False)


def test_an_offset_before_the_last_open_one_is_refused() -> None:
    """The last one itself may be opened again, whether its work is done or not."""
    offsets = OpenOffsets()
    offsets.open(5)
    offsets.open(5)
    offsets.close(5)
    assert (offsets.durable, offsets.pending) == (5, 1)
    offsets.open(7)
    offsets.close(7)
    offsets.open(7)

    with pytest.raises(ValueError, match="offset 6 after 7"):
        offsets.open(6)
