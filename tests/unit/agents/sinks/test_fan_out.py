"""Rows that are many times what was fetched: a hundred rules that all match, FOREACH over long lists, rules that all fail.

Memory stays under the bound of the action plus a constant, and everything arrives exactly once, however small the bound is.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from pipeline.action import CompiledAction
from pipeline.record import Record
from tests.faults.simulation.world import kafka_record
from tests.parts.actions import aggregated, direct
from tests.parts.flow import ONE, TWO, Flow
from tests.parts.memory import traced
from tests.parts.waiting import turn

pytestmark = pytest.mark.timeout(300)  # tracing each allocation takes its time, the more so where coverage is measured

BOUND_BYTES = 8 << 20
# A piece's rows as objects of Python, a cut's objects on their way, one record that is decoded; what the test itself keeps.
CONSTANT_BYTES = 20 << 20
RULES = {
    f"r{number:02d}": f'SELECT payload, payload.n AS n, clientid, {number} AS rule FROM "t/#"' for number in range(40)
}
FOREACH = {"r": 'FOREACH payload.a AS item DO item AS n, clientid, topic FROM "t/#"'}
FAIL = {
    f"r{number:02d}": f'SELECT 1 + payload.text AS x, payload.no + {number} AS y FROM "t/#"' for number in range(40)
}


def aggregated_action(rules: Mapping[str, str]) -> CompiledAction:
    return aggregated("fan", rules, key="k/${clientid}.jsonl", aggregation={"time_interval": "1h"})


def direct_action(rules: Mapping[str, str]) -> CompiledAction:
    return direct("fan", rules, key="k/${clientid}/${rule}-${n}", content="${.}")


def large(count: int) -> list[Record]:
    """Records of four kilobytes."""
    return [kafka_record(at, b"c%04d" % (at % 50), b'{"n":%d,"text":"%s"}' % (at, b"x" * 4000)) for at in range(count)]


def listed(count: int, length: int) -> list[Record]:
    payload = orjson.dumps({"a": list(range(length))})
    return [kafka_record(at, b"c%04d" % at, payload) for at in range(count)]


@pytest.mark.parametrize("make", [aggregated_action, direct_action])
@pytest.mark.parametrize(
    ("rules", "records", "rows"),
    [(RULES, large(250), 10_000), (FOREACH, listed(10, 1500), 15_000)],
    ids=["rules", "foreach"],
)
async def test_memory_is_bounded_however_many_rows_are_made(
    make: Any, rules: Mapping[str, str], records: list[Record], rows: int
) -> None:
    """What the rows of all records take together is many times the bound."""
    flow = Flow(make(rules), BOUND_BYTES)
    with traced():
        await flow.run({ONE: records})
        peak = tracemalloc.get_traced_memory()[1]

    assert peak < BOUND_BYTES + CONSTANT_BYTES
    assert flow.most_held < BOUND_BYTES * 1.3 + (2 << 20)
    assert (len(flow.sink.rows), set(flow.sink.rows.values())) == (rows, {1})
    assert flow.evaluated == len(records)


async def test_dead_letters_of_many_rules_are_bounded_too() -> None:
    """Each rule that fails on a record makes a letter with all of it."""
    flow = Flow(aggregated_action(FAIL), BOUND_BYTES)
    records = large(250)
    with traced():
        await flow.run({ONE: records})
        peak = tracemalloc.get_traced_memory()[1]

    assert peak < BOUND_BYTES + CONSTANT_BYTES
    assert (len(flow.letters.letters), set(flow.letters.letters.values())) == (10_000, {1})


@pytest.mark.parametrize("make", [aggregated_action, direct_action])
@pytest.mark.parametrize("bytes_max", [1, 10_000, 1 << 20])
async def test_all_arrives_once_however_small_the_bound_is(make: Any, bytes_max: int) -> None:
    """Two partitions that go on in turn: neither waits for ever."""
    flow = Flow(make(dict(list(RULES.items())[:7])), bytes_max)
    records = large(200)

    await flow.run({ONE: records, TWO: [each._replace(partition=1, key=b"d", offset=each.offset) for each in records]})

    if make is aggregated_action:
        assert flow.sink.rows.total() == 2 * 200 * 7
    assert flow.evaluated == 400
    assert flow.lanes.held_bytes == 0


async def test_a_partition_whose_rows_are_many_does_not_keep_another_waiting() -> None:
    """They take turns: the short one is done long before the long one."""
    flow = Flow(direct_action(RULES), 4 << 20)
    long, short = large(400), [kafka_record(0, b"short", b'{"n":1}')._replace(partition=1)]
    flow.lanes.assign([ONE, TWO])
    feeding = asyncio.create_task(flow.feed(ONE, long))
    while not flow.sink.order:
        await turn()
        assert not flow.lanes.failed.done()
    await flow.feed(TWO, short)
    assert await flow.lanes.drain(600)
    await feeding
    await flow.lanes.close()

    last_of_short = max(at for at, key in enumerate(flow.sink.order) if key.startswith("k/short"))
    assert last_of_short < len(flow.sink.order) / 2


async def test_one_record_makes_a_bounded_number_of_rows() -> None:
    """What is over is a dead letter of the rule that made it: a record is written as a whole, so it cannot be made in pieces."""
    rules = {f"r{at}": 'FOREACH payload.a AS item DO item AS n, clientid FROM "t/#"' for at in range(5)}
    flow = Flow(aggregated_action(rules), BOUND_BYTES)
    await flow.run({ONE: listed(1, 90_000)})

    assert flow.sink.rows.total() == 180_000
    assert [rule for _, rule in flow.letters.letters] == [b"r2", b"r3", b"r4"]
