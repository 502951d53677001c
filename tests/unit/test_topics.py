"""MQTT topic filters: the rule for one pair, and the index for many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.topics import TopicIndex, covers, group_of, matches, may_meet, unshared, validate_filter
from tests.parts.topic_names import FILTERS, TOPICS


@pytest.mark.parametrize(
    ("topic_filter", "topic", "expected"),
    [
        ("t", "t", True),
        ("t/#", "t", True),
        ("t/#", "t/a/b", True),
        ("t/#", "tt", False),
        ("+/a", "/a", True),
        ("t/+", "t/", True),
        ("t/+", "t", False),
        ("#", "a/b", True),
        ("#", "$SYS/a", False),
        ("+/a", "$SYS/a", False),
        ("$SYS/#", "$SYS/a", True),
        ("t/a", "t/a/", False),
        ("T", "t", False),
    ],
)
def test_a_filter_matches_as_mqtt_says(topic_filter: str, topic: str, expected: bool) -> None:
    """`+` is one level, `#` is the rest with its parent, and neither matches a first level with a dollar sign."""
    assert matches(topic_filter, topic) is expected


@pytest.mark.parametrize("bad", ["", "a/#/b", "a#", "a+/b", "#/a", "a\0"])
def test_what_is_no_filter_is_refused(bad: str) -> None:
    """Wildcards must be whole levels, and `#` must be the last one."""
    index: TopicIndex[int] = TopicIndex()

    for take in (validate_filter, lambda topic_filter: index.add(topic_filter, 1)):
        with pytest.raises(ValueError, match="topic filter"):
            take(bad)


@given(FILTERS, FILTERS, TOPICS)
def test_a_filter_that_covers_another_matches_all_that_it_matches(wide: str, narrow: str, topic: str) -> None:
    """No topic name is matched by the covered filter alone, and a filter covers itself."""
    assert covers(wide, wide)
    assert not (covers(wide, narrow) and matches(narrow, topic) and not matches(wide, topic))


@given(FILTERS, FILTERS)
def test_a_filter_that_does_not_cover_another_misses_one_of_its_topics(wide: str, narrow: str) -> None:
    """Each filter has topic names that tell it from all others; one of them is missed."""
    levels = ["new" if level == "+" else level for level in narrow.split("/")]
    is_open = levels[-1] == "#"
    fixed = levels[:-1] if is_open else levels
    names = ["/".join([*fixed, *["new"] * count]) for count in range(6 if is_open else 1) if fixed or count]

    missed = [each for each in names if matches(narrow, each) and not matches(wide, each)]
    assert covers(wide, narrow) is not bool(missed)


@given(st.lists(FILTERS, max_size=6), st.lists(TOPICS, min_size=1, max_size=4))
def test_the_index_answers_as_the_single_rule_does(filters: list[str], topics: list[str]) -> None:
    """The index gives all values of matching filters in the order of adding, also when asked again."""
    index: TopicIndex[int] = TopicIndex(cached_topics_max=2)
    for number, topic_filter in enumerate(filters):
        index.add(topic_filter, number)

    for topic in [*topics, *topics]:
        assert index.match(topic) == tuple(i for i, f in enumerate(filters) if matches(f, topic))


def test_a_value_with_two_matching_filters_is_named_once() -> None:
    """A rule whose FROM names a topic twice runs once."""
    index: TopicIndex[str] = TopicIndex()
    index.add("t/#", "rule")
    index.add("t/a", "rule")

    assert index.match("t/a") == ("rule",)


def test_a_filter_added_later_counts_for_topics_asked_before() -> None:
    """Adding a filter clears the remembered answers."""
    index: TopicIndex[str] = TopicIndex()
    assert index.match("t") == ()

    index.add("t", "rule")

    assert index.match("t") == ("rule",)


def test_below_a_level_with_a_dollar_sign_wildcards_count() -> None:
    """Only the first level with a dollar sign is excluded from wildcards."""
    index: TopicIndex[str] = TopicIndex()
    for topic_filter in ("#", "+/a/b", "$SYS/+/b", "$SYS/a/#", "$SYS/#"):
        index.add(topic_filter, topic_filter)

    assert index.match("$SYS/a/b") == ("$SYS/+/b", "$SYS/a/#", "$SYS/#")


def test_a_filter_has_as_many_bytes_as_mqtt_can_carry() -> None:
    """The limit of a filter counts bytes and not characters."""
    validate_filter("a" * 65_535)
    for long in ("a" * 65_536, "ü" * 32_768):
        with pytest.raises(ValueError, match="at most 65535 bytes, found 65536"):
            validate_filter(long)


def test_answers_are_remembered_up_to_a_bound() -> None:
    """Answers are cached up to a bound, and then all are forgotten."""
    index: TopicIndex[str] = TopicIndex(cached_topics_max=2)
    index.add("#", "rule")
    first = index.match("a")
    index.match("b")
    again = index.match("a")
    index.match("c")

    assert again is first
    assert index.match("a") is not first


@pytest.mark.parametrize(
    ("one", "other", "meets"),
    [
        ("a/b", "a/b", True),
        ("a/b", "a/c", False),
        ("a/+", "+/b", True),
        ("a/b", "a", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("a/#", "b", False),
        ("$SYS/#", "#", False),
        ("$SYS/#", "$SYS/+", True),
        ("ab", "ac", False),
        ("#", "b/c", True),
    ],
)
def test_two_filters_meet_if_a_topic_name_matches_both(one: str, other: str, meets: bool) -> None:
    """It is the same from both sides. A wildcard in the first level does not meet a topic that begins with $."""
    assert may_meet(one, other) is may_meet(other, one) is meets


@pytest.mark.parametrize(
    ("topic_filter", "group", "plain"),
    [
        ("$share/g/t/a/#", "g", "t/a/#"),
        ("share/g/t", "", "share/g/t"),
        ("t", "", "t"),
        ("$shared/g/t", "", "$shared/g/t"),
    ],
)
def test_a_shared_subscription_has_a_group_and_a_filter(topic_filter: str, group: str, plain: str) -> None:
    """Any other filter has no group, and is itself."""
    assert (group_of(topic_filter), unshared(topic_filter)) == (group, plain)


@pytest.mark.parametrize(("wide", "narrow"), [("a/+", "a/#"), ("+/+", "+/#"), ("+", "#"), ("a", "a/#"), ("a/b", "a/+")])
def test_a_filter_of_some_levels_does_not_cover_one_of_any_depth(wide: str, narrow: str) -> None:
    """A filter whose levels are counted misses deeper topic names."""
    assert not covers(wide, narrow)
    assert covers(narrow, wide)
