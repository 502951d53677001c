"""The batch transport with Faust's rebalances while it waits for records."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from faust.types import TP

from agents.stream.transport import Consumer, RecordBatch

FRESH, KNOWN = TP("t", 0), TP("t", 1)


@dataclass
class Lanes:
    """Lanes that always have room."""

    room: asyncio.Event = field(default_factory=asyncio.Event)
    reserved: list[TP] = field(default_factory=list)

    def has_room(self, partition: TP) -> bool:
        return True

    def reserve(self, partition: TP, size_bytes: int) -> None:
        self.reserved.append(partition)


@dataclass
class Thread:
    """aiokafka's side: what was fetched, and where it was told to go back to."""

    sought: list[str] = field(default_factory=list)

    async def seek_to_committed(self) -> dict[TP, int | None]:
        self.sought.append("committed")
        return {FRESH: None, KNOWN: 7}

    async def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        assert all(isinstance(each, TopicPartition) for each in partitions)
        self.sought.append(f"beginning of {[each.partition for each in partitions]}")


class Scripted(Consumer):
    """A consumer with two partitions and one fetch, during which `meanwhile` happens."""

    def __init__(self, meanwhile: Any = lambda consumer: None) -> None:
        from collections import defaultdict

        self.app: Any = SimpleNamespace(consumer_generation_id=1, lanes=Lanes())
        self.flow_active = True
        self._thread: Any = Thread()
        self._meanwhile = meanwhile
        self._read_offset = defaultdict(lambda: None)
        self._committed_offset = defaultdict(lambda: None)
        self._stopped = self._shutdown = asyncio.Event()  # type: ignore[assignment]

    should_stop = False  # type: ignore[assignment]

    def assignment(self) -> set[TP]:
        return {FRESH, KNOWN}

    def _get_active_partitions(self) -> set[TP]:
        return {FRESH, KNOWN}

    def highwater(self, tp: TP) -> int:
        return 3

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:
        self._meanwhile(self)
        return {tp: [SimpleNamespace(value=b"x", offset=0, timestamp=0)] for tp in (FRESH, KNOWN)}


async def fetched(consumer: Consumer) -> list[TP]:
    return [tp async for tp, _ in consumer.getmany(1.0)]


async def test_one_event_carries_all_records_of_a_partition() -> None:
    """A fetch gives one message for each partition, whose value is the record batch."""
    consumer = Scripted()

    found = [(tp, message.value) async for tp, message in consumer.getmany(1.0)]

    assert [tp for tp, _ in found] == [FRESH, KNOWN]
    assert all(isinstance(batch, RecordBatch) and batch.end_offset == 3 for _, batch in found)
    assert consumer.lanes.reserved == [FRESH, KNOWN]  # type: ignore[attr-defined]


def _rebalanced(consumer: Any) -> None:
    consumer.app.consumer_generation_id += 1


def _rebalancing(consumer: Any) -> None:
    consumer.flow_active = False


@pytest.mark.parametrize("meanwhile", [_rebalanced, _rebalancing])
async def test_records_that_nobody_will_see_are_read_again(meanwhile: Any) -> None:
    """If a rebalance came during the fetch, all partitions go back to what is committed, or to where they begin.

    aiokafka's seek to the committed offset leaves a partition that has none where it is: its first records were lost.
    """
    consumer = Scripted(meanwhile)

    assert await fetched(consumer) == []
    assert consumer._thread.sought == ["committed", "beginning of [0]"]
