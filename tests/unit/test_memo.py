"""Answers that are cached by what devices choose."""

from __future__ import annotations

import pytest

from pipeline.memo import ENTRY_BYTES, SHARE, Memo
from pipeline.rule.rule_set import TOPICS_BYTES_MAX, RuleSet
from pipeline.template.object_key import KeyTemplate
from pipeline.topics import CACHED_BYTES_MAX, TopicIndex
from tests.parts.records import message


def test_a_memo_has_a_bound_on_entries_and_on_bytes() -> None:
    """A full memo is emptied, and counts from the beginning again."""
    few, small = Memo[int, int](3, 1 << 20), Memo[int, int](100, 100 * ENTRY_BYTES)

    for number in range(10):
        few.remember(number, number, 0)
        small.remember(number, number, 4 * ENTRY_BYTES)
        assert len(few) <= 3
        assert small.size_bytes == len(small) * 5 * ENTRY_BYTES <= 100 * ENTRY_BYTES

    assert few.get(9) == 9


def test_an_answer_that_is_too_large_is_given_and_not_kept() -> None:
    """One long topic does not drive out all others."""
    memo = Memo[str, int](100, 16_000)
    memo.remember("a", 1, 0)

    assert memo.remember("b", 2, 16_000 // SHARE) == 2
    assert set(memo) == {"a"}


@pytest.mark.parametrize("length", [10, 2_000, 65_000])
def test_topics_that_devices_choose_fill_no_memory(length: int) -> None:
    """An index, a rule set and a key template cache answers up to a number of bytes, and the answers are right."""
    index: TopicIndex[str] = TopicIndex()
    index.add("t/#", "here")
    rules = RuleSet({"r": 'SELECT topic FROM "t/#"'}, node="n")
    key = KeyTemplate("${clientid}/${partition}", action="a", node="n", interval_seconds=60, missing="undefined")
    for number in range(2_000 if length < 10_000 else 300):
        topic = f"t/{number}/" + "x" * length
        assert index.match(topic) == ("here",)
        assert len(rules.evaluate([message(number, b"{}", topic=topic.encode())]).rows) == 1
        if length < 1_000:
            key.group({"clientid": topic}, 0)

    assert 0 <= index._answers.size_bytes <= CACHED_BYTES_MAX
    assert 0 <= rules.programs_of.size_bytes <= TOPICS_BYTES_MAX
    assert key._groups.size_bytes <= 16 << 20


def test_sets_of_rules_that_topics_lead_to_are_bounded() -> None:
    """Two rules for each of ten levels can match in a thousand ways, and a topic chooses one of them."""
    rules = RuleSet(
        {
            f"r{level}": f'SELECT topic FROM "{"/".join("1" if at == level else "+" for at in range(11))}"'
            for level in range(11)
        },
        node="n",
    )
    for number in range(1 << 11):
        levels = "/".join(f"{number >> level & 1}" for level in range(11))
        assert len(rules.evaluate([message(number, b"{}", topic=levels.encode())]).rows) == number.bit_count()

    assert len(rules.programs_of._known) <= 1_000
