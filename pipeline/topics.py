"""Matches MQTT topic names with topic filters: one pair, or one name with many filters at once. Compares filters, too.

`TopicIndex` is a trie over the levels of filters. It caches a bounded number of answers, so that a hundred rules share
one match for each topic name. It keeps the order in which values were added, and gives each value once, even if several
filters match.

Source: MQTT 5.0 section 4.7. This file does not know rules or brokers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from pipeline.memo import Memo

CACHED_TOPICS_MAX: Final = 10_000
CACHED_BYTES_MAX: Final = 16 << 20  # of one index
TOPIC_BYTES_MAX: Final = 65_535

Value = TypeVar("Value")


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a message to `topic` reaches a subscription to `topic_filter`. Compares bytes; empty levels count."""
    if topic[:1] == "$" and topic_filter[:1] in ("+", "#"):
        return False
    filter_levels, topic_levels = topic_filter.split("/"), topic.split("/")
    if filter_levels[-1] == "#":
        filter_levels.pop()
        if len(topic_levels) < len(filter_levels):
            return False
    elif len(topic_levels) != len(filter_levels):
        return False
    return all(level in ("+", name) for level, name in zip(filter_levels, topic_levels, strict=False))


def may_meet(one: str, other: str) -> bool:
    """Whether there can be a topic name that both topic filters match."""
    if one[:1] != other[:1] and "$" in (one[:1], other[:1]):
        return False
    first, second = one.split("/"), other.split("/")
    for level, its in zip(first, second, strict=False):
        if "#" in (level, its):
            return True
        if level != its and "+" not in (level, its):
            return False
    return (first[len(second) :] or second[len(first) :]) in ([], ["#"])


def covers(wide: str, narrow: str) -> bool:
    """Whether `wide` matches each topic name that `narrow` matches. Shared subscriptions are not topic filters."""
    if narrow[:1] == "$" and wide[:1] in ("+", "#"):
        return False
    # A topic name has at least one level, so these two filters match the same names.
    levels, its = wide.split("/"), ("+/#" if narrow == "#" else narrow).split("/")
    for position, level in enumerate(levels):
        if level == "#":
            return True
        if position == len(its) or its[position] == "#" or level not in ("+", its[position]):
            return False
    return len(levels) == len(its)


def group_of(topic_filter: str) -> str:
    """The group of a shared subscription, `$share/<group>/<filter>` (MQTT 5.0 section 4.8.2); empty for a plain filter."""
    return topic_filter.split("/", 2)[1] if topic_filter.startswith("$share/") else ""


def unshared(topic_filter: str) -> str:
    """The topic filter of a shared subscription. A plain filter is returned as it is."""
    return topic_filter.split("/", 2)[2] if topic_filter.startswith("$share/") else topic_filter


def validate_filter(topic_filter: str) -> None:
    """Check a topic filter. Raises ValueError with the reason if the text is not a topic filter."""
    if not topic_filter:
        raise ValueError("a topic filter cannot be empty")
    if "\0" in topic_filter:
        raise ValueError("a topic filter cannot contain the null character")
    if len(topic_filter.encode()) > TOPIC_BYTES_MAX:
        raise ValueError(f"a topic filter has at most {TOPIC_BYTES_MAX} bytes, found {len(topic_filter.encode())}")
    levels = topic_filter.split("/")
    for position, level in enumerate(levels):
        if "#" in level and (level != "#" or position != len(levels) - 1):
            raise ValueError(f"'#' must be the whole last level of a topic filter, found {topic_filter!r}")
        if "+" in level and level != "+":
            raise ValueError(f"'+' must be a whole level of a topic filter, found {topic_filter!r}")


class _Level(Generic[Value]):
    """One level of the trie: the next levels, the values that end here, and the values that end here with `#`."""

    __slots__ = ("any_depth", "children", "values")

    def __init__(self) -> None:
        self.children: dict[str, _Level[Value]] = {}
        self.values: list[tuple[int, Value]] = []
        self.any_depth: list[tuple[int, Value]] = []


class TopicIndex(Generic[Value]):
    """Many topic filters, each with a value. `match` gives the values of all filters that match a topic name."""

    def __init__(self, cached_topics_max: int = CACHED_TOPICS_MAX) -> None:
        self._root: _Level[Value] = _Level()
        self._added = 0
        self._answers: Memo[str, tuple[Value, ...]] = Memo(cached_topics_max, CACHED_BYTES_MAX)

    def add(self, topic_filter: str, value: Value) -> None:
        """Add a filter with its value. Raises ValueError if it is not a topic filter."""
        validate_filter(topic_filter)
        levels = topic_filter.split("/")
        ends_open = levels[-1] == "#"
        node = self._root
        for level in levels[:-1] if ends_open else levels:
            node = node.children.setdefault(level, _Level())
        (node.any_depth if ends_open else node.values).append((self._added, value))
        self._added += 1
        self._answers.clear()

    def match(self, topic: str) -> tuple[Value, ...]:
        """The values in the order in which they were added, each once. A repeated topic name costs one dictionary look-up."""
        found = self._answers.get(topic)
        if found is None:
            found = self._search(topic)
            self._answers.remember(topic, found, 4 * len(topic) + 8 * len(found))
        return found

    def _search(self, topic: str) -> tuple[Value, ...]:
        hits = sorted(_walk(self._root, topic.split("/"), topic[:1] == "$"), key=lambda hit: hit[0])
        values: list[Value] = []
        for _, value in hits:
            if value not in values:
                values.append(value)
        return tuple(values)


def _walk(root: _Level[Value], levels: list[str], reserved: bool) -> Iterator[tuple[int, Value]]:
    """All nodes of the trie that the first levels of a name reach, breadth first. `reserved`: the name begins with `$`."""
    nodes = [root]
    for depth, level in enumerate(levels):
        wildcards = not (reserved and depth == 0)
        reached = []
        for node in nodes:
            if wildcards:
                yield from node.any_depth
            for name in (level, "+") if wildcards and level != "+" else (level,):
                child = node.children.get(name)
                if child is not None:
                    reached.append(child)
        nodes = reached
    for node in nodes:
        yield from node.values
        yield from node.any_depth
