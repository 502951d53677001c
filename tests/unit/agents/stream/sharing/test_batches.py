"""Several actions read one answer of Kafka as each would alone."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import TopicPartition

from agents.stream.checksums import FetchedBatches
from agents.stream.fast_fetch import PartitionRecords
from agents.stream.sharing import batches
from agents.stream.sharing.batches import SharedBatches, SharedRecords
from pipeline.record import Record
from tests.parts.record_batches import GZIP, batch, marker, of_transaction

PLACE = TopicPartition("messages", 0)
SETTINGS: tuple[Any, ...] = None, None, True, fetcher.READ_COMMITTED
UNCHECKED: tuple[Any, ...] = None, None, False, fetcher.READ_COMMITTED  # markers that tests make have a wrong checksum
CONTENTS = {
    "plain": (batch(0, range(5)) + batch(5, range(5, 9)), []),
    "compressed": (batch(0, [0, 1, 4, 5], compression=GZIP) + batch(6, [7], compression=GZIP), []),
    "aborted": (of_transaction(0, 3, 7) + marker(3, 7, abort=True) + batch(4, [4, 5]), [(7, 0)]),
    "markers alone": (of_transaction(0, 3, 7) + marker(3, 7, abort=True), [(7, 0)]),
    "cut off": (batch(0, range(5)) + batch(5, range(5, 9))[:-3], []),
}


def read(reader: SharedRecords | PartitionRecords, step: int) -> list[Record]:
    """All records, so many at a time."""
    seen: list[Record] = []
    more = True
    while more:
        found = reader.take(step)
        assert len(found.records) <= step
        seen += found.records
        assert not seen or reader.next_fetch_offset > seen[-1].offset
        more = found.more
    return seen


@pytest.mark.parametrize("kept_bytes_max", [0, 4, batches.PARTS_BYTES_MAX])
@pytest.mark.parametrize("part", [1, 3, 100])
@pytest.mark.parametrize("step", [1, 2, 100])
@pytest.mark.parametrize("name", CONTENTS)
def test_shared_records_are_those_of_a_reader_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, step: int, part: int, kept_bytes_max: int
) -> None:
    """Whatever a reader takes at a time, and whatever is kept, all see the records and offsets that one alone sees."""
    monkeypatch.setattr(batches, "PART_RECORDS_MAX", part)
    monkeypatch.setattr(batches, "PARTS_BYTES_MAX", kept_bytes_max)
    content, aborted = CONTENTS[name]
    alone = PartitionRecords(PLACE, FetchedBatches(content), aborted, 0, *UNCHECKED)
    expected = list(alone.take(100).records)
    shared = SharedBatches(content)
    assert shared.has_next() == FetchedBatches(content).has_next()

    ahead, behind, last = [SharedRecords(PLACE, shared, aborted, 0, *UNCHECKED) for _ in range(3)]
    first = behind.take(1)
    assert read(ahead, step) == expected
    assert [*first.records, *(read(behind, step) if first.more else [])] == expected
    assert read(last, step) == expected
    assert {each.next_fetch_offset for each in (ahead, behind, last)} == {alone.next_fetch_offset}


def test_what_is_unpacked_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer that is compressed, the last parts are kept, and not all of its records."""
    monkeypatch.setattr(batches, "PART_RECORDS_MAX", 1)
    monkeypatch.setattr(batches, "PARTS_BYTES_MAX", 200)
    content = batch(0, range(100), compression=GZIP)
    shared = SharedBatches(content)

    assert len(read(SharedRecords(PLACE, shared, [], 0, *SETTINGS), 100)) == 100
    assert len(content) < shared.size_bytes <= len(content) + 200


def test_a_damaged_answer_gives_nobody_a_record_behind_the_damage() -> None:
    """Whoever reads a batch with a wrong checksum gets the error, each time, and the answer is known as damaged."""
    damaged = bytearray(batch(5, range(5, 9)))
    damaged[-1] ^= 1
    shared = SharedBatches(batch(0, range(5)) + bytes(damaged) + batch(9, [9]))
    readers = [SharedRecords(PLACE, shared, [], 0, *SETTINGS) for _ in range(2)]

    for reader in [*readers, *readers]:
        with pytest.raises(CorruptRecordException):
            reader.take(100)
        assert reader.next_fetch_offset == 0
    assert not shared.is_whole
