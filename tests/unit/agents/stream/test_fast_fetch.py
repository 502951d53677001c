"""Our unpacking gives what aiokafka's own gives, record for record."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.consumer.fetcher import (  # now: a worker in this process replaces it
    READ_COMMITTED,
    READ_UNCOMMITTED,
    PartitionRecords,
)
from aiokafka.errors import CorruptRecordException
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from agents.stream import checksums, fast_fetch
from agents.stream.checksums import FetchedBatches
from agents.stream.unpacking import PARSED_RECORDS
from pipeline import native
from pipeline.columns import size_of
from pipeline.record import Record
from tests.parts.native import unpack
from tests.parts.record_batches import BEGAN_MS, GZIP, NONE, batch, batch_of, marker, of_transaction

PLACE = TopicPartition("mqtt.messages", 3)


@pytest.fixture(autouse=True, params=["c", "aiokafka"])
def _reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records are read in C, or parsed by aiokafka."""
    if request.param == "c" and unpack() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(native, "unpack", unpack() if request.param == "c" else None)


def both(data: bytes, begin: int, *, aborted: Sequence[tuple[int, int]] | None = None) -> tuple[Any, Any]:
    """`aborted` are the transactions of which Kafka says so: producer and first offset. None: the reader is uncommitted."""
    level = READ_UNCOMMITTED if aborted is None else READ_COMMITTED
    arguments: tuple[Any, ...] = list(aborted or ()), begin, None, None, aborted is None, level
    theirs = list(aborted or ()), *arguments[1:]
    return (
        fast_fetch.PartitionRecords(PLACE, FetchedBatches(data), *arguments),
        PartitionRecords(PLACE, MemoryRecords(data), *theirs),
    )


def test_a_fetch_that_was_taken_is_freed_at_once() -> None:
    """Nothing holds its bytes in a circle: Python looks for circles seldom in our processes, and fetches are large."""
    content = batch(10, [10, 11, 14, 15])
    fetched, _ = both(content, 10)
    fetched.take(10)
    held = weakref.ref(fetched)
    gc.disable()
    try:
        del fetched

        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_records_are_those_of_aiokafka(compression: int) -> None:
    """Plain and compressed batches give the same records as aiokafka, also from the middle and with gaps."""
    data = batch(10, [10, 11, 14, 15], compression=compression) + batch(16, [16, 17], compression=compression)

    ours, theirs = both(data, 11)
    found = list(ours.take(10).records)

    assert found == [
        Record(each.topic, each.partition, each.offset, each.timestamp, each.key, each.value, tuple(each.headers))
        for each in theirs
    ]
    assert [record.offset for record in found] == [11, 14, 15, 16, 17]
    assert ours.next_fetch_offset == theirs.next_fetch_offset == 18


TRANSACTIONS = {
    0: batch(0, [0, 1]),
    2: of_transaction(2, 2, 7),  # aborted, among those of another producer
    4: of_transaction(4, 2, 8),
    6: of_transaction(6, 1, 7),
    7: marker(7, 7, abort=True),
    8: of_transaction(8, 2, 7),  # the same producer's next one
    10: marker(10, 8, abort=False),
    11: batch(11, [11]),
    12: marker(12, 7, abort=False),
    13: of_transaction(13, 1, 8),
    14: marker(14, 8, abort=True),
}


@pytest.mark.parametrize("begin", range(15))
def test_records_of_aborted_transactions_are_offsets_without_a_record(begin: int) -> None:
    """Wherever the fetch begins, transactions of several producers side by side are told apart, as aiokafka does."""
    aborted = [each for each, end in (((7, 2), 7), ((8, 13), 14)) if end >= begin]
    fetched_from = max(at for at in TRANSACTIONS if at <= begin)  # a fetch begins with a whole batch

    ours, theirs = both(
        b"".join(each for at, each in TRANSACTIONS.items() if at >= fetched_from), begin, aborted=aborted
    )

    assert [each.offset for each in ours.take(20).records] == [at for at in (0, 1, 4, 5, 8, 9, 11) if at >= begin]
    assert [each.offset for each in theirs] == [at for at in (0, 1, 4, 5, 8, 9, 11) if at >= begin]
    assert ours.next_fetch_offset == theirs.next_fetch_offset == 15


def test_a_reader_that_stops_goes_on_where_it_was() -> None:
    """The next fetch begins after the records that were taken, not after those that were unpacked."""
    ours, _ = both(batch(0, range(6)), 0)

    taken = ours.take(3).records

    assert [record.offset for record in taken] == [0, 1, 2]
    assert ours.next_fetch_offset == 3
    assert [record.offset for record in ours.take(10).records] == [3, 4, 5]
    assert not ours.take(10).records


def test_a_wrong_checksum_is_an_error() -> None:
    """Damaged batches are never read as records."""
    data = bytearray(batch(0, range(3)))
    data[-1] ^= 1

    with pytest.raises(CorruptRecordException):
        both(bytes(data), 0)[0].take(1)


@pytest.mark.parametrize("is_fast", [True, False])
def test_a_batch_is_whole_where_aiokafka_says_so(monkeypatch: pytest.MonkeyPatch, is_fast: bool) -> None:
    """Any damaged byte of a batch after another one; the base offset and the epoch, which a broker sets, are no damage."""
    monkeypatch.setattr(checksums, "IS_FAST", is_fast)
    monkeypatch.setattr(checksums, "PIECE_BYTES", 7)  # no piece ends where the batch does
    first, second = batch(0, range(3)), batch(3, range(3, 5))
    for at in (*range(8), *range(12, 16), *range(17, len(second))):
        damaged = bytearray(second)
        damaged[at] ^= 0x40
        ours, theirs = FetchedBatches(first + bytes(damaged)), MemoryRecords(first + bytes(damaged))
        for _ in range(2):
            batch_of_ours, batch_of_theirs = ours.next_batch(), theirs.next_batch()
            assert ours.is_whole(batch_of_ours) == batch_of_theirs.validate_crc(), at


def test_a_batch_of_an_older_form_is_checked_by_aiokafka() -> None:
    """Messages that were written before Kafka 0.11 have a checksum of another kind."""
    builder = LegacyRecordBatchBuilder(1, NONE, 1 << 20)
    builder.append(0, BEGAN_MS, None, b"old")
    data = bytearray(builder.build())
    for is_whole in (True, False):
        batches = FetchedBatches(bytes(data))
        assert batches.is_whole(batches.next_batch()) == is_whole
        data[-1] ^= 1


def test_what_is_unpacked_at_once_is_bounded_in_bytes() -> None:
    """Ten thousand large records of one fetch would be more than an action may hold: the rest comes with the next call."""
    data = batch_of(0, [(offset, BEGAN_MS, None, b"x" * 10_000, ()) for offset in range(600)], compression=GZIP)
    arguments: tuple[Any, ...] = [], 0, None, None, True, READ_UNCOMMITTED
    records = fast_fetch.PartitionRecords(PLACE, FetchedBatches(data), *arguments)
    result = fast_fetch.FetchResult(PLACE, assignment=Assignment(records), partition_records=records, backoff=0)

    parts = []
    while result.has_more():
        parts.append(result.getall(10_000))

    assert [record.offset for part in parts for record in part.records] == list(range(600))
    assert max(len(part) for part in parts) * 10_000 <= fast_fetch.UNPACKED_BYTES_MAX + PARSED_RECORDS * 10_000


@pytest.mark.parametrize(("size", "parts"), [(1_500_000, 1), (3_000_000, 2)])
def test_a_fetch_is_taken_at_once_up_to_a_limit(size: int, parts: int) -> None:
    """Fewer parts cost less. A batch may be larger than what is asked for, and then it is taken in parts."""
    values = [b"x" * 10_000] * (size // 10_000)
    ours, _ = both(batch_of(0, [(offset, BEGAN_MS, None, value, ()) for offset, value in enumerate(values)]), 0)

    taken = []
    while (found := ours.take(10_000)).records:
        taken.append(found.size_bytes)

    assert len(taken) == parts
    assert sum(taken) == size


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
    values = [b"v"] * 200 + [b"x" * 300_000] * 200
    data = batch_of(0, [(offset, BEGAN_MS, None, value, ()) for offset, value in enumerate(values)], compression=GZIP)
    ours, _ = both(data, 0)

    sizes = []
    while (found := ours.take(10_000)).records:
        sizes.append(size_of(found.records))
        assert sizes[-1] == found.size_bytes

    assert max(sizes[1:]) <= fast_fetch.UNPACKED_BYTES_MAX + 2 * 300_000
    assert sum(sizes) == sum(map(len, values))
