"""A lane of aggregated upload that stops: it makes progress however much it holds, and ends at once if it holds nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.lanes.lane import Fetched
from agents.lanes.lanes import NOTE_SECONDS, Lanes
from agents.sinks.aggregated import AggregatedLane
from pipeline.upload.cut import FILTERED_SECONDS
from tests.faults import checkers
from tests.parts.bench import PARTITION, Bench, bucket, record, told

GROUPS = 9_000
DRAIN_SECONDS = 20.0
SLOW = {"delay_seconds": 0.1}  # of a request: 16 at once are 160 to 320 objects a second
INTERVAL = {"time_interval": "1h"}


class Stop:
    """Lanes of which one is the bench's."""

    def __init__(self, store: Any, **parameters: Any) -> None:
        self.bench = Bench(store, key="${clientid}/x.jsonl", aggregation=INTERVAL, **parameters)
        self.bench.task.cancel()
        self.lanes = Lanes("a", lambda partition, room: AggregatedLane(partition, room, self.bench.writer), 1 << 30)
        self.lanes.assign([PARTITION])
        self.lane = self.lanes.lane(PARTITION)

    async def read(self, clients: int, rounds: int = 1) -> None:
        """Records of so many clients, each with a group of its own, in turn."""
        assert self.lane is not None
        records = [record(number, client=b"c%d" % (number % clients)) for number in range(clients * rounds)]
        self.bench.kafka.end = len(records)
        self.lane.reserve(Fetched(0, len(records), 100))
        self.lane.offer(self.bench.rules.evaluate(records))
        await asyncio.sleep(60)
        assert self.lane.queued_bytes == 0


def test_what_a_stop_has_no_time_for_is_left_and_the_rest_is_done() -> None:
    """The ledger covers what was stored when the time ended, and the next worker goes on there."""
    store = bucket(**SLOW)

    async def story() -> None:
        stop = Stop(store)
        await stop.read(GROUPS)
        assert not await stop.lanes.drain(DRAIN_SECONDS)
        durable = stop.lanes.durable(PARTITION)
        assert durable is not None
        assert 1_000 < durable < GROUPS
        await stop.lanes.close()

        following = Stop(store)
        following.bench.kafka.end = GROUPS
        await asyncio.sleep(5)
        assert following.lane is not None
        assert following.lane.reads_from == durable
        await following.lanes.close()

    told(story)
    assert checkers.whole_objects(store.contents()) == []


def test_a_cut_of_groups_that_all_go_on_makes_no_more_objects() -> None:
    """Each group has one object, because an early end would split all of them."""
    store = bucket()

    async def story() -> None:
        stop = Stop(store)
        await stop.read(3_000, rounds=3)
        assert await stop.lanes.drain(600.0)
        await stop.lanes.close()

    told(story)
    assert len(checkers.data_objects(store.contents())) == 3_000
    assert checkers.no_orphans(store.contents()) == []


def test_records_that_were_entered_before_begin_no_cut() -> None:
    """An entry without offsets would have the place of the next one, and the ledger would not go on."""
    store = bucket()

    async def story() -> None:
        stop = Stop(store)
        await stop.read(3)
        assert stop.lane is not None
        stop.lane.relieve()
        await asyncio.sleep(10)
        await stop.read(3)
        await asyncio.sleep(2 * FILTERED_SECONDS)
        assert [cut.fields["next"] for cut in checkers.cuts(store.contents())] == [3]
        await stop.lanes.close()

    told(story)


@pytest.mark.parametrize("state", ["finds its place", "reads"])
def test_a_lane_that_holds_nothing_ends_at_once_while_the_store_is_away(state: str) -> None:
    """There is nothing to lose, so a stop does not wait for the store."""
    store = bucket()
    away = dict[str, Any](fail_before=1.0)

    async def story() -> None:
        clock = asyncio.get_running_loop().time
        if state == "finds its place":
            store.faults = bucket(**away).faults
        stop = Stop(store)
        await asyncio.sleep(5)
        store.faults = bucket(**away).faults
        began = clock()
        assert await stop.lanes.drain(DRAIN_SECONDS)
        assert clock() - began <= NOTE_SECONDS + 0.1
        await stop.lanes.close()

    told(story)
