"""The outcomes of the offsets of a cut, against a list with one word for each offset."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from pipeline.upload.ledger import Missing
from pipeline.upload.outcomes import DEAD, FILTERED, WRITTEN, Outcomes

ABSENT, GONE = "absent", "gone"
RECORDS = {"filtered": FILTERED, "written": WRITTEN, "dead": DEAD}

FETCHES = st.lists(
    st.lists(st.sampled_from([*RECORDS, ABSENT]), min_size=1, max_size=6) | st.integers(1, 4), max_size=6
)


def shown(outcomes: Outcomes, fetches: list[list[str] | int], first: int) -> list[str]:
    """Show fetches to `outcomes`: a list is a fetch, a number so many offsets that are gone. Returns a word for each offset."""
    words: list[str] = []
    for fetch in fetches:
        at = first + len(words)
        if isinstance(fetch, int):
            outcomes.gone(Missing(at, at + fetch))
            words += [GONE] * fetch
        else:
            offsets = [at + number for number, word in enumerate(fetch) if word in RECORDS]
            outcomes.add(at, at + len(fetch), offsets, bytes(RECORDS[word] for word in fetch if word in RECORDS))
            words += fetch
    return words


def counted(words: list[str]) -> tuple[int, ...]:
    """Records, and those filtered, written and dead-lettered; offsets without a record, and offsets that are gone."""
    number = {word: words.count(word) for word in (*RECORDS, ABSENT, GONE)}
    return (sum(number[word] for word in RECORDS), *number.values())


def told(outcomes: Outcomes, until: int) -> tuple[int, ...]:
    """What `counts` says, in the same form."""
    found = outcomes.counts(until)
    return (*found[:5], sum(each.next - each.first for each in found.missing))


@given(FETCHES, st.data())
def test_outcomes_are_those_of_the_offsets(fetches: list[list[str] | int], data: st.DataObject) -> None:
    """Counts, what is gone, dead letters that come later, and what is left when offsets are dropped."""
    first = 100
    outcomes = Outcomes()
    words = shown(outcomes, fetches, first)
    cut = first + data.draw(st.integers(0, len(words)))
    written = [first + at for at, word in enumerate(words) if word == "written"]
    late = [each for each in written if data.draw(st.booleans())]

    assert outcomes.empty is (not fetches)
    assert told(outcomes, cut) == counted(words[: cut - first])
    for at, word in enumerate(words):
        assert outcomes.misses(first + at, first + at + 1) is (word == GONE)

    outcomes.dead(late)
    words = ["dead" if first + at in late else word for at, word in enumerate(words)]
    assert told(outcomes, cut) == counted(words[: cut - first])

    outcomes.drop(cut)
    left = words[cut - first :]
    assert told(outcomes, first + len(words)) == counted(left)
    assert outcomes.records == counted(left)[0]
    assert (outcomes.any_dead, outcomes.any_missing, outcomes.empty) == ("dead" in left, GONE in left, not left)


def test_what_is_gone_keeps_its_ranges() -> None:
    """Up to any offset, and each range for itself."""
    outcomes = Outcomes()
    words = shown(outcomes, [2, ["written"], 3], 10)

    assert [len(list(same)) for word, same in groupby(words) if word == GONE] == [2, 3]
    assert outcomes.counts(15).missing == (Missing(10, 12), Missing(13, 15))
    assert not outcomes.misses(12, 13)
    assert outcomes.misses(12, 14)
    assert not outcomes.misses(16, 20)


def test_nothing_is_dead_or_gone_before_it_is_told() -> None:
    """Flags begin and stay as the outcomes say."""
    outcomes = Outcomes()
    outcomes.add(0, 2, [0, 1], bytes([WRITTEN, FILTERED]))
    outcomes.dead([])

    assert (outcomes.any_dead, outcomes.any_missing, outcomes.records) == (False, False, 2)

    outcomes.dead([0])

    assert outcomes.any_dead

    outcomes = Outcomes()
    outcomes.add(0, 1, [0], bytes([DEAD]))
    outcomes.add(1, 2, [1], bytes([WRITTEN]))

    assert outcomes.any_dead


def test_what_is_gone_beyond_the_cut_is_not_in_its_counts() -> None:
    """A range that begins where the cut ends belongs to the next cut."""
    outcomes = Outcomes()
    outcomes.gone(Missing(5, 9))

    assert outcomes.any_missing
    assert outcomes.counts(5).missing == ()
    assert outcomes.counts(6).missing == (Missing(5, 6),)
