"""Lanes: room, limits, drain."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from agents.lanes import lane as lanes_module
from agents.lanes.lane import Fetched, Lane, Partition
from agents.lanes.lanes import Lanes
from pipeline.errors import LaneError
from pipeline.rule.batch import RowBatch
from tests.parts.records import message
from tests.parts.waiting import patient

ONE, TWO = Partition("t", 1), Partition("t", 2)


class Keeping(Lane):
    """Takes batches when it is let, and counts how often it was asked to write early."""

    def __init__(self, partition: Partition, on_room: object) -> None:
        super().__init__(partition, on_room)  # type: ignore[arg-type]
        self.let = asyncio.Event()
        self.relieved = 0
        self.rows_bytes = 0
        self.fail = False
        self.reads_on = False
        self.fails_when_cancelled = False

    @property
    def must_read(self) -> bool:
        return self.reads_on

    @property
    def held_bytes(self) -> int:
        return self.queued_bytes + self.rows_bytes

    def relieve(self) -> None:
        self.relieved += 1

    async def run(self) -> None:
        self.ready = True
        self.reads_at(0)
        while True:
            try:
                await self.let.wait()
            except asyncio.CancelledError:
                if self.fails_when_cancelled:
                    raise LaneError("what it waits for is closed") from None
                raise
            if self.fail:
                raise LaneError("no")
            taken = await self._next(None)
            if taken is None:
                self.drained.set()
                return
            self._release(taken.fetched.size_bytes)


def batch(offset: int) -> RowBatch:
    return RowBatch([message(offset, b"{}")])


async def opened(bytes_max: int = 1000) -> tuple[Lanes, Keeping, Keeping]:
    lanes = Lanes("a", Keeping, bytes_max)
    lanes.assign([ONE, TWO])
    await asyncio.sleep(0)
    lanes.sought(lanes.seeks())
    return lanes, lanes.lane(ONE), lanes.lane(TWO)  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("bytes_max", "partitions", "expected"),
    [
        (256 << 20, 8, 2 << 20),
        (256 << 20, 1, 2 << 20),
        (256 << 20, 12, (256 << 20) // 192),
        (256 << 20, 64, 1 << 20),
        (1 << 20, 1, 1 << 20),
        (256 << 20, 0, 2 << 20),
    ],
)
async def test_few_partitions_are_fetched_in_larger_parts(bytes_max: int, partitions: int, expected: int) -> None:
    """Together at most a sixteenth of the action's memory, and always between 1 and 2 MB each."""
    lanes = Lanes("a", Keeping, bytes_max)
    lanes.assign([("t", number) for number in range(partitions)])

    assert lanes.fetch_bytes_max == expected
    await lanes.close()


async def test_a_full_lane_is_not_fetched_and_the_others_are() -> None:
    """Backpressure stops only the partition of a full lane."""
    lanes, one, _ = await opened(bytes_max=1 << 30)
    for offset in range(lanes_module.QUEUED_BATCHES_MAX):
        lanes.reserve(ONE, Fetched(offset, offset + 1, 1))
        lanes.offer(ONE, batch(offset), 100)

    assert (lanes.has_room(ONE), lanes.has_room(TWO)) == (False, True)

    lanes.room.clear()
    one.let.set()
    async with asyncio.timeout(patient(5)):
        await lanes.room.wait()

    assert lanes.has_room(ONE)
    await lanes.close()


async def test_at_the_limit_nothing_is_fetched_and_the_largest_writes_early() -> None:
    """At the limit of the action nothing is fetched, and the lane with the most rows writes early."""
    lanes, one, two = await opened(bytes_max=100)
    lanes.reserve(ONE, Fetched(0, 1, 60))
    two.rows_bytes = 50

    assert (lanes.has_room(ONE), lanes.has_room(TWO)) == (False, False)
    assert (one.relieved, two.relieved > 0) == (0, True)
    await lanes.close()


async def test_what_waits_leaves_a_part_of_the_limit_to_its_rows() -> None:
    """Records without room for the rows that are made of them would wait for ever."""
    lanes, one, two = await opened(bytes_max=100)
    lanes.reserve(ONE, Fetched(0, 1, 80))

    assert (lanes.has_room(TWO), lanes.have_room_for_rows(two)) == (False, True)

    lanes.reserve(TWO, Fetched(0, 1, 40))
    assert lanes.have_room_for_rows(two)

    two.rows_bytes = 25
    assert not lanes.have_room_for_rows(two)
    assert (one.relieved, two.relieved > 0) == (0, True)
    await lanes.close()


async def test_a_lane_that_must_read_to_finish_a_cut_has_room_beyond_the_limit() -> None:
    """A lane that needs records to finish a cut may exceed the limit, or the cut would never end."""
    lanes, one, _ = await opened(bytes_max=100)
    lanes.reserve(TWO, Fetched(0, 1, 200))
    one.reads_on = True

    assert lanes.has_room(ONE)
    await lanes.close()


async def test_drain_waits_for_batches_that_are_still_on_their_way() -> None:
    """A drain waits for fetched batches that have not reached the lane."""
    lanes, one, two = await opened()
    lanes.reserve(ONE, Fetched(0, 1, 5))
    one.let.set()
    two.let.set()
    draining = asyncio.create_task(lanes.drain(1.0))
    await asyncio.sleep(0)

    assert not draining.done()

    lanes.offer(ONE, batch(1), 2)

    assert await draining
    assert lanes.held_bytes == 0
    await lanes.close()


async def test_drain_does_not_wait_for_a_lane_that_holds_nothing() -> None:
    """The lane only notes its end, for which a store that is away would make it wait."""
    lanes, one, _ = await opened()
    lanes.reserve(ONE, Fetched(0, 1, 5))
    lanes.offer(ONE, batch(1), 2)
    one.let.set()

    assert await lanes.drain(20.0)
    await lanes.close()


async def test_drain_gives_up_at_its_deadline() -> None:
    """The next owner reads the rest again."""
    lanes, _, _ = await opened()
    lanes.reserve(ONE, Fetched(0, 1, 5))

    assert not await lanes.drain(0.01)
    await lanes.close()


async def test_a_lane_that_fails_is_told() -> None:
    """The failure of a lane reaches the action, which restarts."""
    lanes, one, _ = await opened()
    one.fail = True
    one.let.set()
    with pytest.raises(LaneError):
        async with asyncio.timeout(patient(5)):
            await lanes.failed
    await lanes.close()


async def test_rows_of_a_lost_partition_are_dropped() -> None:
    """The new owner of a lost partition reads its rows again, so the lane drops them."""
    lanes, _, _ = await opened()
    lanes.revoke([ONE])
    lanes.offer(ONE, batch(1), 2)

    assert (lanes.partitions(), lanes.durable(ONE)) == ([TWO], None)
    await lanes.close()


async def test_lag_is_what_is_not_settled() -> None:
    """The lag counts from the settled offset to the last known end of the partition."""
    lanes, one, _ = await opened()
    lanes.reserve(ONE, Fetched(0, 1, 5))
    lanes.offer(ONE, batch(1), 12)
    one.durable = 7

    assert one.lag() == 5
    with contextlib.suppress(asyncio.CancelledError):
        await lanes.close()


async def test_a_lane_that_fails_after_its_partition_was_revoked_fails_nobody() -> None:
    """A lane that fails after its partition was revoked does not stop the action."""
    lanes, one, _ = await opened()
    one.fails_when_cancelled = True
    tasks = asyncio.all_tasks()

    lanes.revoke([ONE])
    await asyncio.wait([task for task in tasks if task.get_name() == "lane t[1]"])

    assert not lanes.failed.done()
    await lanes.close()


async def test_whoever_gave_up_waiting_for_a_failure_can_still_close() -> None:
    """Lanes close even if the wait for a failure was cancelled."""
    lanes, _, _ = await opened()
    lanes.failed.cancel()

    await lanes.close()

    assert lanes.partitions() == []
