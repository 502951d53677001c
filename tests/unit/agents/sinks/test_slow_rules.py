"""jq programs that never end, in many records: the loop goes on, others go on, and a stop does not wait for them."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from pipeline.action import CompiledAction
from pipeline.record import Record
from tests.faults.simulation.world import kafka_record
from tests.parts.actions import aggregated, direct
from tests.parts.flow import ONE, TWO, Flow
from tests.parts.waiting import longest_turn, patient, until

# The program is the rule's, the number the device's. Only a bomb is short of time, however busy the machine is.
RULE = {
    "r": "SELECT clientid, payload.n AS n, jq('[limit(.n; repeat(1))] | length', payload, payload.ms) AS made FROM \"t/#\""
}
BOMB, GOOD = 10**12, 3
BOMB_MS, LONG_MS = 300, 10_000


def direct_action() -> CompiledAction:
    return direct("jq", RULE, key="k/${clientid}/${n}", content="${.}")


def aggregated_action() -> CompiledAction:
    return aggregated("jq", RULE, key="k/${clientid}.jsonl", aggregation={"time_interval": "1h"})


def records(ns: list[int], client: bytes = b"bomber", partition: int = 0, bomb_ms: int = BOMB_MS) -> list[Record]:
    payloads = [b'{"n":%d,"ms":%d}' % (n, bomb_ms if n == BOMB else LONG_MS) for n in ns]
    return [kafka_record(at, client, each)._replace(partition=partition) for at, each in enumerate(payloads)]


@pytest.mark.parametrize("make", [direct_action, aggregated_action])
async def test_bombs_cost_a_few_time_limits_and_not_one_each(make: Any) -> None:
    """A client's are tried three times, and then are dead letters at once; what is good of others arrives."""
    flow = Flow(make(), 1 << 24)
    good = records([GOOD + n for n in range(20)], b"good", 1)
    began = time.monotonic()

    longest = await longest_turn(flow.run({ONE: records([BOMB] * 300), TWO: good}))

    took = time.monotonic() - began
    assert len(flow.letters.letters) == 300
    assert set(flow.sink.rows) == {("good", GOOD + n, None) for n in range(20)}
    assert longest < patient(1)
    assert took < patient(20)  # 300 time limits are 90 s


async def test_records_before_and_after_a_bomb_keep_their_order_and_are_all_there() -> None:
    """Two bombs of a client are too few to pass over its records."""
    flow = Flow(direct_action(), 1 << 24)

    await flow.run({ONE: records([1, 2, BOMB, 4, 5, BOMB, 7])})

    assert flow.sink.order == [f"k/bomber/{n}" for n in (1, 2, 4, 5, 7)]
    assert [int(offset) for offset, _ in flow.letters.letters] == [2, 5]


async def test_a_stop_does_not_wait_for_a_program_that_never_ends() -> None:
    """The child is ended, and its records are left to whoever comes next."""
    flow = Flow(direct_action(), 1 << 24)
    running = asyncio.create_task(flow.run({ONE: records([BOMB] * 50, bomb_ms=LONG_MS)}))
    await until(lambda: flow.action.rules._context.sandbox._children)
    began = time.monotonic()
    await stopped(flow, running)

    assert time.monotonic() - began < 8
    assert flow.lanes.lane(ONE) is None


async def stopped(flow: Flow, running: asyncio.Task[None]) -> None:
    """End a flow, and the thread of its rules."""
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    thread = flow.lanes.thread._thread
    assert thread is not None
    await asyncio.to_thread(thread.shutdown)


async def test_an_action_goes_on_while_another_waits_for_jq() -> None:
    """Each has a process of its own."""
    bombs, other = Flow(direct_action(), 1 << 24), Flow(direct_action(), 1 << 24)
    slow = asyncio.create_task(bombs.run({ONE: records([BOMB] * 12, bomb_ms=LONG_MS)}))

    await other.run({ONE: records([GOOD + n for n in range(50)], b"good")})

    assert not slow.done()
    assert len(other.sink.rows) == 50
    await stopped(bombs, slow)
