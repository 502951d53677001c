"""The batch transport with Faust's rebalances while it waits for records."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.lanes.lane import Fetched
from agents.stream.fast_fetch import FetchedRecords
from agents.stream.sharing.consumers import SHARED_FETCH_BYTES_MAX
from agents.stream.transport import Consumer, RecordBatch

FRESH, KNOWN = TP("t", 0), TP("t", 1)


@dataclass
class Lanes:
    """Lanes that always have room and want offset 0 of each partition next, or `wanted`."""

    room: asyncio.Event = field(default_factory=asyncio.Event)
    reserved: list[TP] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    wanted: dict[tuple[str, int], int] = field(default_factory=dict)
    fetch_bytes_max = 7 << 20

    def has_room(self, partition: TP) -> bool:
        return True

    def seeks(self) -> dict[tuple[str, int], int]:
        return self.wanted

    def sought(self, places: dict[tuple[str, int], int]) -> None:
        self.said.append(f"sought {sorted(places.values())}")
        self.wanted = {}

    def seek_again(self) -> None:
        self.said.append("seek again")

    def reserve(self, partition: TP, fetched: Fetched) -> bool:
        if fetched != Fetched(0, 3, 1):
            return False
        self.reserved.append(partition)
        return True


@dataclass
class Thread:
    """aiokafka's side: what was fetched, and where it was told to go."""

    sought: list[dict[TopicPartition, int]] = field(default_factory=list)
    away: bool = False
    fetch_bytes_max: int = 0

    def limit_fetches(self, bytes_max: int) -> None:
        self.fetch_bytes_max = bytes_max

    async def seek_wait(self, places: dict[TopicPartition, int]) -> None:
        if self.away:
            raise IllegalStateError("no such partition any more")
        self.sought.append(places)


class Scripted(Consumer):
    """A consumer with two partitions and one fetch, during which `meanwhile` happens."""

    def __init__(self, meanwhile: Any = lambda consumer: None) -> None:
        from collections import defaultdict

        self.app: Any = SimpleNamespace(consumer_generation_id=1, lanes=Lanes(), fetches=SimpleNamespace(shares=False))
        self.flow_active = True
        self._thread: Any = Thread()
        self._meanwhile = meanwhile
        self._read_offset = defaultdict(lambda: None)
        self._committed_offset = defaultdict(lambda: 9)
        self._stopped = self._shutdown = asyncio.Event()  # type: ignore[assignment]

    should_stop = False  # type: ignore[assignment]
    begins = 0  # where the fetch from KNOWN began

    def assignment(self) -> set[TP]:
        return {FRESH, KNOWN}

    def _get_active_partitions(self) -> set[TP]:
        return {FRESH, KNOWN}

    def highwater(self, tp: TP) -> int:
        return 3

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        self._meanwhile(self)
        record = SimpleNamespace(value=b"x", offset=0, timestamp=0)
        return {FRESH: FetchedRecords([record], 0, 3, 1), KNOWN: FetchedRecords([record], self.begins, 3, 1)}  # type: ignore[list-item]


async def fetched(consumer: Consumer) -> list[TP]:
    return [tp async for tp, _ in consumer.getmany(1.0)]


async def test_one_event_carries_all_records_of_a_partition() -> None:
    """A fetch gives one message for each partition, whose value is the record batch."""
    consumer = Scripted()

    found = [(tp, message.value) async for tp, message in consumer.getmany(1.0)]

    assert [tp for tp, _ in found] == [FRESH, KNOWN]
    assert all(isinstance(batch, RecordBatch) and batch.end_offset == 3 for _, batch in found)
    assert consumer.lanes.reserved == [FRESH, KNOWN]  # type: ignore[attr-defined]


async def test_what_others_read_too_is_fetched_in_smaller_parts() -> None:
    """The lanes limit the fetches of an action alone, and what all together keep those of several."""
    consumer = Scripted()
    await fetched(consumer)
    assert consumer._thread.fetch_bytes_max == Lanes.fetch_bytes_max

    consumer.app.fetches.shares = True
    await fetched(consumer)
    assert consumer._thread.fetch_bytes_max == SHARED_FETCH_BYTES_MAX


def _rebalanced(consumer: Any) -> None:
    consumer.app.consumer_generation_id += 1


def _rebalancing(consumer: Any) -> None:
    consumer.flow_active = False


@pytest.mark.parametrize("meanwhile", [_rebalanced, _rebalancing])
async def test_records_that_nobody_will_see_are_read_again(meanwhile: Any) -> None:
    """If a rebalance came during the fetch, each lane's place is sought again before the next one."""
    consumer = Scripted(meanwhile)

    assert await fetched(consumer) == []
    assert consumer.lanes.said == ["seek again"]  # type: ignore[attr-defined]


async def test_fetching_goes_where_the_lanes_say_first() -> None:
    """Whatever is committed; and the next commit may be a step back."""
    consumer = Scripted()
    consumer.lanes.wanted = {FRESH: 0, KNOWN: 5}  # type: ignore[attr-defined]

    assert await fetched(consumer) == [FRESH, KNOWN]
    assert consumer._thread.sought == [{TopicPartition("t", 0): 0, TopicPartition("t", 1): 5}]
    assert consumer.lanes.said == ["sought [0, 5]"]  # type: ignore[attr-defined]
    assert (consumer._committed_offset[KNOWN], consumer._committed_offset[TP("t", 2)]) == (None, 9)


async def test_a_partition_that_is_gone_meanwhile_is_not_sought() -> None:
    """Its lanes begin afresh with the next assignment."""
    consumer = Scripted()
    consumer._thread.away = True
    consumer.lanes.wanted = {KNOWN: 5}  # type: ignore[attr-defined]

    await fetched(consumer)

    assert consumer.lanes.said == []  # type: ignore[attr-defined]


async def test_what_does_not_follow_is_handed_to_nobody() -> None:
    """A fetch that began elsewhere is the lanes' to explain; the other partitions go on."""
    consumer = Scripted()
    consumer.begins = 2

    assert await fetched(consumer) == [FRESH]
