"""Which filters a source subscribes to, and which copy of a message counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.mqtt.subscriptions import subscriptions, without_harm
from pipeline.topics import group_of, matches, unshared
from tests.parts.topic_names import FILTERS, TOPICS

SHARED = st.tuples(st.sampled_from(["", "", "$share/g/", "$share/h/"]), FILTERS).map("".join)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["t/#", "t/+", "t/a"], ["t/#"]),
        (["t/a", "t/+", "t/#"], ["t/#"]),
        (["t/#", "t/#"], ["t/#"]),
        (["t/#", "t"], ["t/#"]),
        (["#", "+/#"], ["#"]),
        (["+/#", "#"], ["+/#"]),
        (["#", "$SYS/#"], ["#", "$SYS/#"]),
        (["t/+/#", "t/#"], ["t/#"]),
        (["t/+", "t"], ["t/+", "t"]),
        (["a/+", "+/b"], ["a/+", "+/b"]),
        (["t/#", "$share/g/t/#"], ["t/#"]),
        (["$share/g/t/#", "t/a"], ["$share/g/t/#", "t/a"]),
        (["$share/g/t/#", "$share/g/t/+"], ["$share/g/t/#"]),
        (["$share/g/t/#", "$share/h/t/#"], ["$share/g/t/#", "$share/h/t/#"]),
    ],
)
def test_a_filter_that_another_covers_is_not_subscribed_to(filters: list[str], expected: list[str]) -> None:
    """The order stays, and a shared subscription takes the place of no other but one of its own group."""
    wanted = subscriptions(filters)

    assert list(wanted.filters) == expected
    assert set(wanted.covered) == set(filters) - set(expected)


@given(st.lists(SHARED, min_size=1, max_size=5), TOPICS)
def test_each_message_counts_once(filters: list[str], topic: str) -> None:
    """Of the copies that a broker sends for plain filters one counts, whether it sends them together or apart."""
    wanted = subscriptions(filters)
    hits = [number for number, each in enumerate(wanted.filters) if matches(unshared(each), topic)]
    plain = [number for number in hits if not group_of(wanted.filters[number])]

    assert bool(hits) == any(matches(unshared(each), topic) for each in filters)
    assert bool(plain) == any(matches(each, topic) for each in filters if not group_of(each))
    copies = wanted.copies_of(topic)
    if copies is None:
        assert len(plain) < 2 or not wanted.identifiers
        assert len(plain) <= 1
        return
    told = [wanted.identifiers[number] for number in hits]
    assert sum(not copies.is_surplus([each]) for each in told) == 1
    assert not copies.is_surplus(told)
    assert not copies.is_strange(told)


def test_copies_of_an_earlier_list_of_filters_count() -> None:
    """Identifiers depend on the whole list, so an old one is strange and not surplus, as is a message without any."""
    before, after = subscriptions(["x/#", "+/b", "a/+"]), subscriptions(["a/+", "+/b"])

    copies = after.copies_of("a/b")
    assert copies is not None
    for identifiers in ([before.identifiers[1]], []):
        assert copies.is_strange(identifiers)
        assert not copies.is_surplus(identifiers)


def test_filters_that_do_not_overlap_have_no_identifiers() -> None:
    """Identifiers cost time for each message, so they are used only where they decide something."""
    assert subscriptions(["a/#", "b/#"]).identifiers == ()
    assert subscriptions(["$share/g/a/+", "$share/h/+/b"]).identifiers == ()
    assert all(0 < each < 1 << 28 for each in subscriptions(["a/+", "+/b"]).identifiers)


@given(st.lists(FILTERS, min_size=1, max_size=4), st.lists(FILTERS, max_size=4))
def test_a_broker_that_ends_the_nearest_filter_keeps_ours(ours: list[str], others: list[str]) -> None:
    """HiveMQ goes down the levels of a filter as far as it knows them, and ends what it finds there."""
    ended = without_harm(others, ours)

    for each in ended:
        open_end = each.endswith("#")
        levels = each.split("/")[: -1 if open_end else None]
        for count in range(len(levels), 0, -1):
            nearest = "/".join([*levels[:count], "#"] if open_end else levels[:count])
            assert nearest not in ours


def test_a_filter_of_another_kind_is_ended() -> None:
    """A filter with `#` is not below one without, nor one beside it."""
    assert without_harm(["t/a", "t/a/#", "t/#", "x"], ["t/#"]) == ["t/a", "x"]
    assert without_harm(["t/a/#", "t/a/b", "u/a"], ["t/a"]) == ["t/a/#", "u/a"]
