"""Pieces of a batch: what bounds them, and how they go on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from agents.lanes.pieces import PIECE_BYTES_MAX, PIECE_RECORDS_MAX, PIECE_SECONDS_MAX, UNEVEN_RECORDS_MAX, Pace
from pipeline.record import Record
from pipeline.rule.batch import RowBatch
from pipeline.rule.rule_set import RuleSet
from tests.parts.actions import aggregated
from tests.parts.records import message

RULES = {"r": 'SELECT payload FROM "t/#"'}


class Slow(RuleSet):
    """Rules that take so many seconds for each record, on a clock that is played."""

    seconds = 0.0
    now = 0.0

    def evaluate(self, records: Sequence[Record], bytes_max: int = PIECE_BYTES_MAX, **how: Any) -> RowBatch:
        self.now += self.seconds * len(records)
        return super().evaluate(records, bytes_max, **how)


async def test_a_piece_ends_when_its_rows_take_enough() -> None:
    """The pieces are the batch, in order."""
    records = [message(offset, b"x" * 10_000) for offset in range(500)]
    pace, rules, left, sizes = Pace(lambda: 0.0), RuleSet(RULES, node="n"), list(records), []
    seen: list[Record] = []

    while left:
        batch = pace.piece(rules, left)
        seen += batch.records
        left = list(batch.rest)
        sizes.append(batch.size_bytes)

    assert seen == records
    assert max(sizes) < PIECE_BYTES_MAX + 20_000
    assert min(sizes[:-1]) >= PIECE_BYTES_MAX


def test_slow_rules_have_small_pieces_and_quick_ones_large() -> None:
    """Others on the loop wait no longer for a piece than for a few records."""
    records = [message(offset, b"{}") for offset in range(2000)]
    rules = Slow(RULES, node="n")
    pace = Pace(lambda: rules.now)

    rules.seconds = PIECE_SECONDS_MAX / 4
    slow = [len(pace.piece(rules, records).records) for _ in range(14)]
    rules.seconds = 0.0
    quick = [len(pace.piece(rules, records).records) for _ in range(14)]

    assert slow[0] == len(records)
    assert slow[-1] <= 4
    assert quick[-1] == len(records)
    assert pace.records_max == PIECE_RECORDS_MAX


def test_text_that_functions_make_counts_too() -> None:
    """A short payload can ask for a long text: a piece of a thousand such records would take gigabytes."""
    rules = RuleSet({"r": "SELECT pad('a', payload.n) AS a FROM \"t/#\""}, node="n")
    records = [message(offset, b'{"n": 400000}') for offset in range(100)]

    batch = Pace(lambda: 0.0).piece(rules, records)

    assert len(batch.records) == 3
    assert len(batch.rest) == 97


@pytest.mark.parametrize(
    "statement",
    ['FOREACH payload.l FROM "t/#"', 'SELECT 1 AS a FROM "t/#" WHERE regex_match(payload, payload.p)'],
    ids=["foreach", "search"],
)
def test_a_piece_of_short_records_that_may_take_long_ends_in_time(statement: str) -> None:
    """Such records give no rows, and so no bytes: the clock ends the piece, after the record that took so long."""
    records = [message(offset, b'{"p": "x"}') for offset in range(2000)]
    seconds = iter(range(1_000_000))
    pace = Pace(lambda: next(seconds) * PIECE_SECONDS_MAX / 3)

    batch = pace.piece(RuleSet({"r": statement}, node="n"), records)

    assert len(batch.records) < 5
    assert [*batch.records, *batch.rest] == records


def test_lines_of_records_that_may_take_long_are_few_at_once() -> None:
    """The loop of aggregated upload looks at no clock, so it gets few of them."""
    rule = "SELECT 1 AS a FROM \"t/#\" WHERE regex_match(payload, 'x$')"
    records = [message(offset, b"{}") for offset in range(2000)]

    batch = Pace(lambda: 0.0).piece(aggregated("a", {"r": rule}).evaluator, records)

    assert len(batch.records) == UNEVEN_RECORDS_MAX
    assert [*batch.records, *batch.rest] == records


@pytest.mark.parametrize(
    ("expression", "payload"),
    [
        ("gunzip(payload)", gzip.compress(bytes(4_000_000))),
        ("jq('[range(.n)]', payload, 10000)", b'{"n": 50000}'),
        ("spb_decode(payload)", b"\x12\x00" * 20_000),
        ("payload.a", b'{"a": [' + b"[]," * 20_000 + b"0]}"),
    ],
    ids=["gzip", "jq", "sparkplug", "brackets"],
)
def test_what_a_short_payload_holds_counts_as_it_is_in_memory(expression: str, payload: bytes) -> None:
    """A payload of some kilobytes becomes megabytes: one such record is a piece."""
    rules = RuleSet({"r": f'SELECT {expression} AS a FROM "t/#"'}, node="n")
    records = [message(offset, payload) for offset in range(20)]

    batch = Pace(lambda: 0.0).piece(rules, records)

    assert (len(batch.records), len(batch.rows)) == (1, 1)
    assert batch.size_bytes > PIECE_BYTES_MAX


def test_an_honest_payload_counts_moderately() -> None:
    """A message of a kilobyte, as devices send it, counts less than ten times its length."""
    payload = json.dumps(
        {"values": [{"name": f"sensor-{n}", "value": n / 7, "unit": "bar"} for n in range(20)]}
    ).encode()
    rules = RuleSet({"r": 'SELECT payload.values AS v FROM "t/#"'}, node="n")

    assert rules.evaluate([message(0, payload)]).size_bytes < 10 * len(payload)
