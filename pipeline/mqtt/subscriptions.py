"""Decides which of its filters a source subscribes to, so that no message comes more than once.

A broker may send one copy of a message for each subscription that matches it (MQTT 5.0 section 3.3.4). So:

1. A filter that another one covers is not subscribed to. A shared subscription is covered by a plain filter, and by one of its
   own group. It covers nothing else, because other members of its group get messages too.
2. Filters that overlap in part get subscription identifiers, which name the filter of each copy. The copy of the first plain
   filter counts. Each subscription is a packet of its own, in this order, so that no message comes without its first copy.

The identifiers depend on the whole list. So a copy that an earlier configuration ordered is never taken for one of this list:
it counts, because nobody knows whether another copy comes.

Two shared subscriptions of different groups are left alone: nobody knows where the copy of the other group went.

Source: MQTT 5.0 sections 3.3.4, 3.8.2.1.2 and 4.8.2. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Final
from zlib import crc32

from msgspec import Struct

from pipeline.topics import covers, group_of, matches, may_meet, unshared

FILTERS_MAX: Final = 1023  # those with identifiers; an identifier is a number of 28 bits
FILTER_BITS: Final = 10
LIST_BITS: Final = 18


class Subscriptions(Struct, frozen=True):
    """The filters to which a source subscribes, in order, and the others. `identifiers` is empty if they are not needed."""

    filters: tuple[str, ...]
    covered: tuple[str, ...]
    identifiers: tuple[int, ...]

    def copies_of(self, topic: str) -> Copies | None:
        """The way to recognise copies of messages of `topic`, or None if each copy counts."""
        matching = [
            (each, identifier)
            for each, identifier in zip(self.filters, self.identifiers, strict=False)
            if matches(unshared(each), topic)
        ]
        plain = [identifier for each, identifier in matching if not group_of(each)]
        if not plain:
            return None
        return Copies(plain[0], frozenset(identifier for _, identifier in matching))


class Copies(Struct, frozen=True):
    """The subscription whose copy counts, and all that bring copies."""

    first: int
    ours: frozenset[int]

    def is_surplus(self, identifiers: Sequence[int]) -> bool:
        """Whether a message with these identifiers comes once more, by the first subscription."""
        return self.first not in identifiers and not self.ours.isdisjoint(identifiers)

    def is_strange(self, identifiers: Sequence[int]) -> bool:
        """Whether no subscription of ours has brought it: its session has one of an earlier configuration."""
        return self.ours.isdisjoint(identifiers)


def subscriptions(filters: Sequence[str]) -> Subscriptions:
    """The subscriptions of these filters of one source."""
    wanted: list[str] = []
    covered: list[str] = []
    for position, each in enumerate(filters):
        if each in filters[:position]:
            continue
        others = [*wanted, *filters[position + 1 :]]
        (covered if any(_spares(other, each, wanted) for other in others) else wanted).append(each)
    return Subscriptions(tuple(wanted), tuple(covered), _identifiers(wanted))


def without_harm(filters: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Those of `filters` from which a session may unsubscribe although it may not have them, and keep the filters `wanted`.

    HiveMQ takes such a filter for the one at the last level that it knows: without `t/+/a/#`, it ends `t/+/#`.
    """
    ours = [_path(each) for each in wanted]
    return [each for each in filters if each not in wanted and not any(_is_below(_path(each), other) for other in ours)]


def _path(topic_filter: str) -> tuple[bool, list[str]]:
    """Whether a filter ends with `#`, and its levels before that."""
    levels = topic_filter.split("/")
    return (True, levels[:-1]) if levels[-1] == "#" else (False, levels)


def _is_below(one: tuple[bool, list[str]], other: tuple[bool, list[str]]) -> bool:
    (one_is_open, levels), (other_is_open, its) = one, other
    return one_is_open == other_is_open and len(levels) > len(its) and levels[: len(its)] == its


def overlaps(filters: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of subscriptions, none of which covers the other, that can both bring a message."""
    return [(one, other) for one, other in combinations(filters, 2) if may_meet(unshared(one), unshared(other))]


def _spares(other: str, one: str, before: Sequence[str]) -> bool:
    """Whether nobody needs `one` beside `other`. Of two that match the same, the one that comes `before` is needed."""
    if one == other or (group_of(other) and group_of(other) != group_of(one)):
        return False
    if not covers(unshared(other), unshared(one)):
        return False
    is_mutual = group_of(one) == group_of(other) and covers(unshared(one), unshared(other))
    return not is_mutual or other in before


def _identifiers(filters: Sequence[str]) -> tuple[int, ...]:
    """An identifier for each filter, if a plain one overlaps another one."""
    if len(filters) > FILTERS_MAX or not any(not group_of(each) for pair in overlaps(filters) for each in pair):
        return ()
    base = crc32("\n".join(filters).encode()) & (1 << LIST_BITS) - 1
    return tuple(base << FILTER_BITS | number for number in range(1, len(filters) + 1))
