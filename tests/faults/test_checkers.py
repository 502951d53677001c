"""Each checker reports breaches and is silent about correct content."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.faults import checkers

PLACE = ("a", "t", 0)
KEY = "_tidegate/a/t/-/0/{:020}.{:06}.json"


def entry(offset: int, following: int, objects: dict[str, list[int]], **changes: Any) -> tuple[str, bytes]:
    """A ledger entry over [offset, following), with objects of numbered rows; one record a row, the others filtered."""
    rows = sum(map(len, objects.values()))
    fields = {
        "first": offset,
        "next": following,
        "epoch": 0,
        "version": "v",
        "next_version": "v",
        "next_key_epoch": 0,
        "records": following - offset,
        "absent": 0,
        "missing": [],
        "filtered": following - offset - rows,
        "dead_lettered": 0,
        "rows": rows,
        "objects": [{"key": key, "rows": len(numbers)} for key, numbers in objects.items()],
    }
    return KEY.format(offset, changes.get("epoch", 0)), json.dumps(fields | changes).encode()


def lines(*numbers: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % number for number in numbers)


OF_REVISION_4 = dict([entry(0, 1, {"x-0": [0]}, revision=4), ("x-0", lines(0))])


@pytest.fixture
def bucket() -> dict[str, bytes]:
    """Offsets 0 to 8 in two cuts; 2 and 6 are filtered."""
    return dict(
        [
            entry(0, 4, {"x-0": [0, 1, 3]}),
            entry(4, 8, {"x-4": [4, 5], "y-7": [7]}),
            ("x-0", lines(0, 1, 3)),
            ("x-4", lines(4, 5)),
            ("y-7", lines(7)),
        ]
    )


def expected(cut: checkers.Cut) -> list[int]:
    return [n for n in range(cut.fields["first"], cut.fields["next"]) if n not in (2, 6)]


def everything(bucket: dict[str, bytes]) -> dict[str, list[str]]:
    """What each checker of an aggregated bucket says."""
    said = {
        "unbroken_chain": checkers.unbroken_chain(bucket, PLACE, 0, 8),
        "covered": checkers.covered(bucket, PLACE, 8),
        "conservation": checkers.conservation(bucket, "n"),
        "whole_objects": checkers.whole_objects(bucket),
        "no_orphans": checkers.no_orphans(bucket),
        "exactly_once": checkers.exactly_once(bucket, [0, 1, 3, 4, 5, 7], "n"),
        "rows_as_ruled": checkers.rows_as_ruled(bucket, expected, "n"),
        "orphans_only_of_ended_epochs": checkers.orphans_only_of_ended_epochs(bucket, PLACE, lambda key: 0),
    }
    return {name: wrong for name, wrong in said.items() if wrong}


def test_silent_when_all_is_well(bucket: dict[str, bytes]) -> None:
    """No checker reports anything for a correct bucket."""
    assert everything(bucket) == {}


@pytest.mark.parametrize(
    ("breach", "noticed"),
    [
        (dict([entry(4, 8, {"x-4": [4, 5]}, next=7)]), {"unbroken_chain", "covered"}),
        (dict([entry(4, 8, {"x-4": [4, 5], "y-7": [7]}, first=5)]), {"unbroken_chain"}),
        (dict([entry(0, 4, {"x-0": [0, 1, 3]}, filtered=0)]), {"conservation"}),
        (dict([entry(0, 4, {"x-0": [0, 1, 3]}, dead_lettered=2)]), {"conservation"}),
        (dict([entry(0, 4, {"x-0": [0, 1, 3]}, rows=4)]), {"conservation"}),
        ({"x-4": lines(4)}, {"whole_objects", "exactly_once", "conservation", "rows_as_ruled"}),
        ({"x-4": lines(4, 4)}, {"exactly_once", "conservation", "rows_as_ruled"}),
        ({"x-4": lines(4, 6)}, {"exactly_once", "rows_as_ruled"}),
        ({"x-2": lines(9)}, {"no_orphans", "exactly_once", "orphans_only_of_ended_epochs"}),
    ],
    ids=["chain ends early", "gap", "miscount", "overcount", "rows", "torn", "double", "wrong row", "orphan"],
)
def test_each_breach_is_noticed(bucket: dict[str, bytes], breach: dict[str, bytes], noticed: set[str]) -> None:
    """The right checker reports each breach."""
    found = everything(bucket | breach)

    assert noticed <= found.keys()


def test_a_missing_object_is_noticed(bucket: dict[str, bytes]) -> None:
    """A missing object of the ledger is reported."""
    del bucket["y-7"]

    assert checkers.whole_objects(bucket) == ["y-7 is missing"]
    assert checkers.exactly_once(bucket, [7], "n")[0] == "lost 7"


def test_an_orphan_of_an_ended_rule_passes(bucket: dict[str, bytes]) -> None:
    """Only an orphan of an ended epoch is accepted."""
    bucket |= dict([entry(4, 8, {"x-4": [4, 5], "y-7": [7]}, next_version="w", next_key_epoch=1), ("x-2", lines(1))])

    assert checkers.orphans_only_of_ended_epochs(bucket, PLACE, lambda key: 0) == []
    assert checkers.orphans_only_of_ended_epochs(bucket, PLACE, lambda key: 1) != []


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        (checkers.created_once([("a", b"1"), ("b", b"1"), ("a", b"1")]), ["a was written 2 times"]),
        (checkers.created_once([("a", b"1"), ("b", b"1")]), []),
        (checkers.order_per_client([("c", 1), ("d", 0), ("c", 3), ("c", 2)]), ["c: 2 after 3"]),
        (checkers.order_per_client([("c", 1), ("d", 0), ("c", 1), ("d", 5)]), []),
        (checkers.final_state({"a": b"1", "_tidegate/x": b""}, {"a": b"1"}), []),
        (checkers.final_state({"a": b"1"}, {"a": b"2"}), ["a holds b'1', expected b'2'"]),
        (checkers.final_state({"b": b"1"}, {"a": b"1"}), ["lost a", "unexpected b"]),
        (checkers.bounds_kept({"held bytes": (11, 10)}), ["held bytes: 11, at most 10"]),
        (checkers.bounds_kept({"held bytes": (10, 10)}), []),
        (checkers.no_lag({0: 5}, {0: 5, 1: 2}), ["partition 1: committed 0 of 2"]),
        (checkers.no_lag({0: 5, 1: 2}, {0: 5, 1: 2}), []),
        (checkers.nothing_written([("a", b"")]), ["a was written again"]),
        (checkers.nothing_written([]), []),
        (checkers.objects_not_later(OF_REVISION_4, lambda key: 5), ["entry 0: revision 4, and x-0 is of 5"]),
        (checkers.objects_not_later(OF_REVISION_4, lambda key: 4), []),
    ],
)
def test_what_the_others_say(said: list[str], wrong: list[str]) -> None:
    """Each checker names what it found."""
    assert said == wrong


def parquet(**types: pa.DataType) -> bytes:
    """An object of one row of nulls, with these columns."""
    content = io.BytesIO()
    pq.write_table(pa.table({name: pa.nulls(1, kind) for name, kind in types.items()}), content)
    return content.getvalue()


T, U = ["t", "double"], ["u", "string"]
NUMBER, TEXT = pa.float64(), pa.string()


@pytest.mark.parametrize(
    ("columns", "of_object", "version", "noticed"),
    [
        ([T, U], parquet(t=NUMBER, u=TEXT), "v", ""),
        ([T, U], parquet(t=TEXT), "v", "b has the columns"),
        ([U], parquet(u=TEXT), "w", ""),
        ([], parquet(t=NUMBER), "v", "entry 2: columns [] after [['t', 'double']]"),
        ([U, T], parquet(u=TEXT), "v", "entry 2: columns"),
        ([T], parquet(u=TEXT), "v", "b has the columns [['u', 'string']], and was to begin with [['t', 'double']]"),
        ([T], parquet(u=TEXT, t=NUMBER), "v", "b has the columns"),
        ([T], parquet(t=pa.bool_()), "v", "b has the columns"),
    ],
)
def test_columns_that_are_not_kept_are_noticed(
    columns: list[list[str]], of_object: bytes, version: str, noticed: str
) -> None:
    """A column that an entry forgets, or that an object lacks, has in another place or with another type."""
    _, first = entry(0, 2, {"a": [0]}, columns=[T], next_version=version)
    key, second = entry(2, 4, {}, columns=columns, version=version, next_version=version)
    named = {"key": "b", "rows": 1, "columns": 1 if version == "v" else 0}
    changed = json.dumps({**json.loads(second), "objects": [named]}).encode()

    bucket = {KEY.format(0, 0): first, key: changed, "a": parquet(t=NUMBER), "b": of_object}
    found = checkers.columns_kept(bucket)

    assert [each[: len(noticed)] for each in found] == ([noticed] if noticed else [])
