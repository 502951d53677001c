"""Records for rules, and what a lane takes of the batches that rules make of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

from pipeline.action import AggregatedAction
from pipeline.record import Record
from pipeline.rule.batch import RowBatch
from tests.parts.lines import rows_in

PAYLOADS = st.one_of(
    st.fixed_dictionaries(
        {"n": st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.none(), st.booleans())}
    ).map(lambda fields: json.dumps(fields).encode()),
    st.integers(-5, 5).map(lambda n: b'{"n": %d, "text": "\xc3\xa9"}' % n),
    st.sampled_from(
        [
            None,
            b"",
            b"{",
            b"[]",
            b"7",
            b'{"n": "\xff"}',
            b'{"n": %d}' % 2**70,
            b'{"n": 1, "long": "' + b"x" * 3000 + b'"}',
        ]
    ),
)
KEYS = st.sampled_from([b"c", b"d", "é".encode(), b"\xff", b"", None])
HEADERS = st.one_of(
    st.sampled_from([b"t/1", b"t/2", b"t/2/x", b"u", b"\xff", None]).map(
        lambda topic: [("topic", topic), ("clientid_from", b"topic")]
    ),
    st.just([("topic", b"t/1"), ("clientid_from", b"unknown"), ("qos", b"2"), ("retain", b"1")]),
    st.just([("topic", b"t/1"), ("qos", b"many")]),
    st.just([("topic", b"t/1"), ("topic", b"t/2"), ("username", None), ("id", b"7")]),
    st.just([("event", b"client.connected"), ("topic", b"t/1")]),
    st.just([("other", b"x")]),
    st.just([]),
)


def record(
    offset: int, value: bytes | None, *, key: bytes | None = b"c", more: Sequence[tuple[str, Any]] = ()
) -> Record:
    headers = [("topic", b"t/1"), ("clientid_from", b"topic"), *more]
    return Record("mqtt.messages", 3, offset, 1_700_000_000_000 + offset * 700, key, value, headers)


def found(action: AggregatedAction, batches: Sequence[RowBatch]) -> dict[str, Any]:
    """What a lane takes of batches that follow each other, and what is counted of them."""
    groups: dict[Any, list[tuple[bytes, int]]] = {}
    outcomes = b""
    offsets: list[int] = []
    dead: list[Any] = []
    counts: dict[str, dict[str, int]] = {"matched": {}, "no_result": {}, "rows": {}}
    filtered = 0
    for batch in batches:
        arrived = action.lines.arrived(batch, batch.records[0].offset)
        for group, lines in arrived.groups.items():
            groups.setdefault(group, []).extend(rows_in(lines))
        outcomes += arrived.outcomes
        offsets += arrived.offsets
        dead += [
            (each.record.offset, each.rule, each.row or 0, each.cause, each.error, each.record) for each in arrived.dead
        ]
        filtered += batch.filtered_count
        for name, more in (("matched", batch.matched), ("no_result", batch.no_result), ("rows", batch.rows_by_rule)):
            for rule, count in more.items():
                counts[name][rule] = counts[name].get(rule, 0) + count
    return (
        {"groups": groups, "outcomes": outcomes, "offsets": offsets, "dead": sorted(dead)}
        | counts
        | {"filtered": filtered}
    )


def batches(evaluator: Any, records: Sequence[Record], bytes_max: int) -> Iterator[RowBatch]:
    """All pieces of a fetch."""
    while records:
        batch = evaluator.evaluate(records, bytes_max)
        records = batch.rest
        yield batch
