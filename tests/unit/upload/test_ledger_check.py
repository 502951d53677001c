"""The check of a ledger: an entry that is right has no finding, and each number or name that is wrong has its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipeline.upload import ledger
from pipeline.upload.ledger import ChainPlace, Entry, Missing, Start, StoredObject
from pipeline.upload.ledger_check import ChainCheck, Finding, Totals

PLACE = ChainPlace("a", "t", "id", 0)
START = Start(10, "v", epoch=3, key_epoch=5, topic_id="id", revision=3)
# Twenty offsets: 15 records of which 4 are filtered and 1 is a dead letter, 2 offsets without a record, 3 that are gone.
OBJECTS = (
    StoredObject("k/1", 6, 10, 15, "d", "s", 77, '"e"'),
    StoredObject("k/2", 6, 19, 29, "d", "s", 77, '"e"'),
)
ENTRY = Entry(
    first=10,
    next=30,
    epoch=3,
    version="v",
    next_epoch=3,
    next_version="v",
    records=15,
    filtered=4,
    dead_lettered=1,
    rows=12,
    objects=OBJECTS,
    previous=START.digest,
    next_key_epoch=5,
    absent=2,
    missing=(Missing(16, 19),),
    topic_id="id",
    revision=3,
)
FINDINGS = [Finding("gone", ledger.entry_key(PLACE, 10, 3), "offsets 16 to 18: 3 records")]


def begun(start: Start = START) -> ChainCheck:
    """A check that has seen the beginning."""
    check = ChainCheck(PLACE)
    assert check.begin(ledger.start_key(PLACE), start.encode()) == []
    return check


def found(entry: Entry, check: ChainCheck | None = None) -> list[Finding]:
    """What is found in an entry after the beginning, apart from what is gone."""
    check = check or begun()
    _, findings = check.feed(ledger.entry_key(PLACE, entry.first, entry.epoch), entry.encode())
    return [each for each in findings if each not in FINDINGS]


def test_an_entry_that_is_right_has_no_finding() -> None:
    """What Kafka had deleted is said, and makes nothing else doubtful. Totals are those of the entry."""
    check = begun()

    entry, findings = check.feed(ledger.entry_key(PLACE, 10, 3), ENTRY.encode())

    assert (entry, findings, check.is_whole, check.finish()) == (ENTRY, FINDINGS, True, [])
    assert check.totals == Totals(1, 1, 2, 12, 15, 4, 1, 2, 3)
    assert (check.first, check.key_epoch, check.end) == (10, 5, ledger.end_after(ENTRY))


@pytest.mark.parametrize(
    ("changes", "kind", "text"),
    [
        ({"first": 11, "absent": 1}, "gap", "1 offsets"),
        ({"first": 9, "absent": 3}, "overlap", "the one before ends at 10"),
        ({"previous": "other"}, "broken_chain", "digest of its predecessor"),
        ({"epoch": 4, "next_epoch": 4}, "broken_chain", "is of epoch 4"),
        ({"version": "w"}, "broken_chain", "version w"),
        ({"next_epoch": 5}, "broken_chain", "names 5 for the next one"),
        ({"next_epoch": 2}, "broken_chain", "names 2 for the next one"),
        ({"next_version": "w", "next_key_epoch": 6}, "broken_chain", "names 3 for the next one"),
        ({"next_key_epoch": 6}, "broken_chain", "names epoch 6 for the keys"),
        ({"revision": 2}, "older_revision", "is of revision 2"),
        ({"topic_id": "jd"}, "broken_chain", "jd"),
        ({"absent": 3}, "wrong_count", "20 offsets"),
        ({"next": 29}, "wrong_count", "19 offsets"),
        ({"records": 16}, "wrong_count", "16 records"),
        ({"filtered": 15}, "wrong_count", "15 filtered"),
        ({"rows": 13}, "wrong_count", "13 rows"),
        ({"rows": 9, "objects": (replace(OBJECTS[0], rows=3), OBJECTS[1])}, "wrong_count", "10 records were written"),
        ({"objects": (replace(OBJECTS[0], rows=12), replace(OBJECTS[1], rows=0))}, "wrong_count", "12 rows"),
        ({"objects": (OBJECTS[0], replace(OBJECTS[1], key="k/1"))}, "overlap", "names k/1 twice"),
        ({"objects": (replace(OBJECTS[0], first=9), OBJECTS[1])}, "overlap", "k/1 holds offsets 9 to 15"),
        ({"objects": (OBJECTS[0], replace(OBJECTS[1], last=30))}, "overlap", "k/2 holds offsets 19 to 30"),
        ({"objects": (OBJECTS[0], replace(OBJECTS[1], first=29, last=28))}, "overlap", "k/2 holds offsets 29 to 28"),
        ({"objects": (OBJECTS[0], replace(OBJECTS[1], first=18))}, "wrong_count", "k/2 begins with a record"),
        ({"objects": (OBJECTS[0], replace(OBJECTS[1], first=16))}, "wrong_count", "k/2 begins with a record"),
        ({"missing": (Missing(28, 31),)}, "wrong_count", "offsets 28 to 30 are not in their place"),
        ({"missing": (Missing(9, 12),)}, "wrong_count", "offsets 9 to 11 are not in their place"),
        ({"missing": (Missing(17, 19), Missing(16, 17))}, "wrong_count", "offsets 16 to 16 are not in their place"),
        ({"missing": (Missing(16, 19), Missing(20, 20))}, "wrong_count", "offsets 20 to 19 are not in their place"),
    ],
)
def test_each_number_that_is_wrong_is_found(changes: dict[str, Any], kind: str, text: str) -> None:
    """And no entry with such a number is believed."""
    check = begun()

    findings = found(replace(ENTRY, **changes), check)

    assert any(each.kind == kind and text in each.text for each in findings), findings
    assert not check.is_whole


@pytest.mark.parametrize(
    "changes",
    [
        {"next_epoch": 4},
        {"next_epoch": 4, "next_version": "w", "next_key_epoch": 6},
        {"version": "w", "next_version": "v", "original": "o"},
        {"revision": 4},
        {"records": 17, "absent": 0, "filtered": 6},
        {"records": 15, "filtered": 13, "dead_lettered": 2, "rows": 12},
        {"objects": (OBJECTS[0], replace(OBJECTS[1], key="k/1", bucket="other"))},
        {"objects": (OBJECTS[0], replace(OBJECTS[1], first=29))},
        {"objects": (replace(OBJECTS[0], last=10), OBJECTS[1])},
        {"missing": (Missing(16, 18), Missing(18, 19))},
        {"missing": (Missing(27, 30),), "objects": (OBJECTS[0], replace(OBJECTS[1], last=26))},
        {"missing": (Missing(10, 13),), "objects": (replace(OBJECTS[0], first=13), OBJECTS[1])},
    ],
)
def test_what_may_be_is_no_finding(changes: dict[str, Any]) -> None:
    """A turn to other rules, a replay, a later revision, a dead letter that gave rows, ranges at either end."""
    check = begun()

    findings = [each for each in found(replace(ENTRY, **changes), check) if each.kind != "gone"]

    assert findings == []
    assert check.is_whole


def test_what_is_not_an_entry_is_a_finding() -> None:
    """An entry under the wrong name, one that is no entry, one that went away, and a chain without its beginning."""
    check = begun()
    other = check.feed(ledger.entry_key(PLACE, 11, 3), ENTRY.encode())[1]

    assert [each.kind for each in other if each.kind != "gone"] == ["broken_chain"]
    assert [each.kind for each in check.feed("k", b"{")[1]] == ["unreadable"]
    assert [each.kind for each in check.feed("k", None)[1]] == ["missing"]
    assert [each.kind for each in ChainCheck(PLACE).begin("s", None)] == ["missing"]
    assert [each.kind for each in ChainCheck(PLACE).begin("s", replace(START, topic_id="jd").encode())] == [
        "broken_chain"
    ]


def test_a_chain_without_a_beginning_is_read_on() -> None:
    """Its first entry says where it begins; nothing is an orphan before anything is known."""
    check = ChainCheck(PLACE)
    assert not check.is_orphan(0, 0)
    check.begin("s", None)

    assert found(ENTRY, check) == []
    assert check.first == 10


@pytest.mark.parametrize(("first", "epoch", "expected"), [(29, 5, True), (30, 4, True), (30, 5, False), (31, 6, False)])
def test_an_object_is_an_orphan_when_no_cut_can_name_it(first: int, epoch: int, expected: bool) -> None:
    """Its offsets are entered already, or its epoch has ended."""
    check = begun()
    found(ENTRY, check)

    assert check.is_orphan(first, epoch) is expected


def test_an_orderly_end_that_is_not_there_is_missed() -> None:
    """The start names the entry of the last orderly end."""
    ended = replace(START, ended=ENTRY.digest)
    check = begun(ended)
    assert [each.kind for each in check.finish()] == ["missing"]

    check = begun(ended)
    found(replace(ENTRY, revision=4), check)
    assert [each.kind for each in check.finish()] == ["missing"]  # this is another entry

    check = begun(ended)
    found(ENTRY, check)
    assert check.finish() == []


def test_a_check_without_entries_counts_its_partition_only() -> None:
    """Sums begin with nothing."""
    total = Totals()
    total.add(ChainCheck(PLACE).totals)

    assert total == Totals(1, 0, 0, 0, 0, 0, 0, 0, 0)
