"""The picture of a verification counts every offset once, at every width."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.upload.ledger import ChainPlace, Entry, Missing, StoredObject
from pipeline.web.evidence.strips import RUNS_MAX, Strip

PLACE = ChainPlace("hot", "mqtt.messages", "id", 3)


def entry(first: int, next: int, **facts: Any) -> Entry:
    """An entry whose records were all written, unless `facts` say otherwise."""
    known = {"records": next - first, "filtered": 0, "dead_lettered": 0, "rows": 1, **facts}
    return Entry(first, next, 0, "v", 0, "v", **known)


def stored(key: str) -> StoredObject:
    """An object."""
    return StoredObject(key, 1, 0, 0, "", "", 1, "")


def test_each_offset_is_counted_once() -> None:
    """Written, filtered, dead-lettered, absent, gone; and what no entry covers is missing."""
    strip = Strip(PLACE)
    strip.add(entry(10, 20, records=7, filtered=2, dead_lettered=1, absent=1, missing=(Missing(15, 17),)), frozenset())
    strip.add(entry(20, 20), frozenset())
    strip.add(entry(25, 30, objects=(stored("a"), stored("b"))), frozenset({"b", "elsewhere"}))

    shown = strip.shown(100)

    assert (shown["first"], shown["next"]) == (10, 30)
    assert shown["runs"] == [
        {
            "first": 10,
            "next": 20,
            "written": 4,
            "filtered": 2,
            "dead_lettered": 1,
            "absent": 1,
            "gone": 2,
            "rows": 1,
            "entries": 1,
        },
        {"first": 20, "next": 25, "missing": 5},
        {"first": 25, "next": 30, "written": 5, "objects": 2, "rows": 1, "entries": 1, "wrong": 1},
    ]


@pytest.mark.parametrize("columns", [1, 7, 300, 2_000])
@pytest.mark.parametrize("entries", [1, 10, 100_000])
def test_a_strip_is_as_wide_as_its_picture(entries: int, columns: int) -> None:
    """Ten entries or a hundred thousand: no more runs than columns, and no record is lost in the picture."""
    strip = Strip(PLACE)
    for number in range(entries):
        strip.add(entry(3 * number, 3 * number + 3), frozenset())

    runs = strip.shown(columns)["runs"]

    assert len(strip.runs) <= RUNS_MAX
    assert len(runs) <= min(columns, entries)
    assert sum(each["written"] for each in runs) == 3 * entries
    assert [each["first"] for each in runs[1:]] == [each["next"] for each in runs[:-1]]


def test_a_partition_without_a_cut_has_an_empty_strip() -> None:
    """It can be shown too."""
    assert Strip(PLACE).shown(10)["runs"] == []
