"""Our unpacking gives what aiokafka's own gives, record for record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from agents.stream import fast_fetch
from pipeline.record import Record, size_of

PLACE = TopicPartition("mqtt.messages", 3)
NONE, GZIP = 0, 1


def batch(base: int, offsets: Sequence[int], *, compression: int = NONE) -> bytes:
    """A record batch as Kafka stores it. Compaction leaves holes between the offsets."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 20)
    for offset in offsets:
        headers = [("topic", b"t/%d" % offset), ("qos", b"1")] if offset % 2 else []
        builder.append(
            offset - base, 1_700_000_000_000 + offset, b"k" if offset % 3 else None, b"v%d" % offset, headers
        )
    data = bytearray(builder.build())
    data[:8] = base.to_bytes(8, "big")  # which the checksum does not cover: a broker sets it
    return bytes(data)


def both(data: bytes, begin: int) -> tuple[Any, Any]:
    arguments: tuple[Any, ...] = [], begin, None, None, True, fetcher.READ_UNCOMMITTED
    return (
        fast_fetch.PartitionRecords(PLACE, MemoryRecords(data), *arguments),
        fetcher.PartitionRecords(PLACE, MemoryRecords(data), *arguments),
    )


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_records_are_those_of_aiokafka(compression: int) -> None:
    """Plain and compressed batches give the same records as aiokafka, also from the middle and with gaps."""
    data = batch(10, [10, 11, 14, 15], compression=compression) + batch(16, [16, 17], compression=compression)

    ours, theirs = both(data, 11)
    found = list(ours)

    assert found == [
        Record(each.topic, each.partition, each.offset, each.timestamp, each.key, each.value, list(each.headers))
        for each in theirs
    ]
    assert [record.offset for record in found] == [11, 14, 15, 16, 17]
    assert ours.next_fetch_offset == theirs.next_fetch_offset == 18


def test_a_reader_that_stops_goes_on_where_it_was() -> None:
    """The next fetch begins after the records that were taken, not after those that were unpacked."""
    ours, _ = both(batch(0, range(6)), 0)

    for record in ours:
        if record.offset == 2:
            break

    assert ours.next_fetch_offset == 3
    assert [record.offset for record in ours] == [3, 4, 5]


def test_a_wrong_checksum_is_an_error() -> None:
    """Damaged batches are never read as records."""
    data = bytearray(batch(0, range(3)))
    data[-1] ^= 1

    with pytest.raises(CorruptRecordException):
        list(both(bytes(data), 0)[0])


def test_what_is_unpacked_at_once_is_bounded_in_bytes() -> None:
    """Ten thousand large records of one fetch would be more than an action may hold: the rest comes with the next call."""
    builder = DefaultRecordBatchBuilder(2, GZIP, 0, -1, -1, -1, 1 << 30)
    for offset in range(600):
        builder.append(offset, 1_700_000_000_000, None, b"x" * 10_000, [])
    arguments: tuple[Any, ...] = [], 0, None, None, True, fetcher.READ_UNCOMMITTED
    records = fast_fetch.PartitionRecords(PLACE, MemoryRecords(bytes(builder.build())), *arguments)
    result = fast_fetch.FetchResult(PLACE, assignment=Assignment(records), partition_records=records, backoff=0)

    parts = []
    while result.has_more():
        parts.append(result.getall(10_000))

    assert [record.offset for part in parts for record in part] == list(range(600))
    assert (
        max(len(part) for part in parts) * 10_000
        <= fast_fetch.UNPACKED_BYTES_MAX + fast_fetch.UNPACKED_RECORDS * 10_000
    )


class Assignment:
    """An assignment of one partition, whose position is where the records go on."""

    active = True
    paused = False

    def __init__(self, records: fast_fetch.PartitionRecords) -> None:
        self.position = records.next_fetch_offset

    def state_value(self, partition: TopicPartition) -> Assignment:
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def test_keys_and_headers_count_too() -> None:
    """A device chooses its clientid, its topic and its properties, which are as long as a payload may be."""
    records = [
        Record("m", 0, 1, 0, b"kk", b"vvv", [("topic", b"t" * 100), ("pub_props", b"p" * 1000)]),
        Record("m", 0, 2, 0, None, None, [("empty", None)]),  # type: ignore[list-item]
    ]

    assert size_of(records) == 1105


def test_large_records_behind_small_ones_are_not_unpacked_all_at_once() -> None:
    """Compressed records take little room in a fetch: few of them are unpacked beyond the bound."""
    small, large = [b"v"] * 200, [b"x" * 300_000] * 200
    records = [Record("m", 0, offset, 0, None, value, []) for offset, value in enumerate([*small, *large])]
    result = fast_fetch.FetchResult.__new__(fast_fetch.FetchResult)
    left, sizes = iter(records), []

    while (found := result._unpacked(left, 10_000)).records:
        sizes.append(size_of(found.records))
        assert sizes[-1] == found.size_bytes

    assert max(sizes[1:]) <= fast_fetch.UNPACKED_BYTES_MAX + 2 * 300_000
    assert sum(sizes) == size_of(records)
