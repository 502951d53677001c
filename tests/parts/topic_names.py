"""Topic names and topic filters that meet often, for tests that draw them."""

from __future__ import annotations

from hypothesis import strategies as st

LEVELS = st.sampled_from(["", "a", "b", "$x", "ü"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
FILTERS = st.tuples(st.lists(st.one_of(LEVELS, st.just("+")), min_size=1, max_size=4), st.booleans()).map(
    lambda drawn: "/".join([*drawn[0], "#"] if drawn[1] else drawn[0]) or "a"
)
