"""Every filter of an earlier configuration that brought a message is among those that are unsubscribed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ingress.reconcile import LEVELS_MAX, filters_matching
from pipeline.topics import matches, validate_filter

levels = st.sampled_from(["a", "b", "", "π", "$SYS"])


@given(st.lists(levels, min_size=1, max_size=6), st.data())
def test_every_filter_that_matches_is_found(topic_levels: list[str], data: st.DataObject) -> None:
    """Every filter with `+` and `#` that matches the topic is in the list."""
    topic = "/".join(topic_levels)
    chosen = [data.draw(st.sampled_from([level, "+"])) for level in topic_levels]
    cut = data.draw(st.integers(0, len(chosen)))
    for topic_filter in ("/".join(chosen), "/".join([*chosen[:cut], "#"])):
        if topic_filter and matches(topic_filter, topic):
            assert topic_filter in filters_matching(topic)


def test_a_topic_at_its_limits_costs_little() -> None:
    """The longest topic name gives few filters, which fit into a packet."""
    for topic in ("x" * 65_535, "/" * 65_535):
        found = filters_matching(topic)
        assert len(found) < 20
        assert all(len(each) <= 65_535 for each in found)


def test_what_is_no_topic_name_gives_no_wrong_filter() -> None:
    """paho refuses an empty filter with an error, and a broker ends the connection for a wildcard in a wrong place."""
    assert filters_matching("") == ["+", "#", "/#", "+/#"]
    assert filters_matching("a/+/b") == filters_matching("#") == []


@given(st.lists(levels, min_size=1, max_size=12))
def test_nothing_else_is_found_and_not_too_much(topic_levels: list[str]) -> None:
    """Each filter in the list matches the topic, and their number is limited."""
    topic = "/".join(topic_levels)
    found = [each for each in filters_matching(topic) if each]

    for each in found:
        validate_filter(each)
        assert matches(each, topic)
    assert len(found) < 3 * 2**LEVELS_MAX
