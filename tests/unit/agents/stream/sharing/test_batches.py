"""Several actions read one answer of Kafka as each would alone."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.structs import TopicPartition

from agents.stream.checksums import FetchedBatches, end_of
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
    shared = SharedBatches(content, 0)
    assert shared.has_next() == FetchedBatches(content).has_next()

    ahead, behind, last = [SharedRecords(PLACE, shared, aborted, 0, *UNCHECKED) for _ in range(3)]
    first = behind.take(1)
    assert read(ahead, step) == expected
    assert [*first.records, *(read(behind, step) if first.more else [])] == expected
    assert read(last, step) == expected
    assert {each.next_fetch_offset for each in (ahead, behind, last)} == {alone.next_fetch_offset}


@pytest.mark.parametrize("kept_bytes_max", [0, batches.PARTS_BYTES_MAX])
@pytest.mark.parametrize("part", [1, 3, 100])
@pytest.mark.parametrize("name", CONTENTS)
def test_a_reader_that_comes_into_the_midst_of_an_answer_sees_the_rest(
    monkeypatch: pytest.MonkeyPatch, name: str, part: int, kept_bytes_max: int
) -> None:
    """From each offset on it sees what a reader alone sees from there, also if it is the first to look at the answer."""
    monkeypatch.setattr(batches, "PART_RECORDS_MAX", part)
    monkeypatch.setattr(batches, "PARTS_BYTES_MAX", kept_bytes_max)
    content, aborted = CONTENTS[name]
    end = SharedBatches(content, 0).next_offset
    for offset in range(end):
        alone = PartitionRecords(PLACE, FetchedBatches(content), aborted, offset, *UNCHECKED)
        expected = list(alone.take(100).records)
        shared = SharedBatches(content, 0)
        in_the_midst, from_the_beginning = (
            SharedRecords(PLACE, shared, aborted, first, *UNCHECKED) for first in (offset, 0)
        )

        assert read(in_the_midst, 2) == expected
        assert [each for each in read(from_the_beginning, 2) if each.offset >= offset] == expected
        assert in_the_midst.next_fetch_offset == alone.next_fetch_offset == end


@pytest.mark.parametrize(
    ("content", "end"),
    [
        (b"", 8),
        (batch(5, range(5, 9))[:-1], 8),  # no whole batch
        (batch(7, [7]) + b"\0" * 8 + b"\xff" * 60, 8),  # a length below zero
        (batch(5, [5, 6, 30], compression=GZIP), 31),
        (bytes(16) + b"\1" + bytes(60), 8),  # another form
    ],
)
def test_the_end_of_an_answer_is_told_by_its_last_whole_batch(content: bytes, end: int) -> None:
    """What is no whole batch of the present form serves its own place alone."""
    assert end_of(content, 7) == end


def test_what_is_unpacked_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer that is compressed, the last parts are kept, and not all of its records."""
    monkeypatch.setattr(batches, "PART_RECORDS_MAX", 1)
    monkeypatch.setattr(batches, "PARTS_BYTES_MAX", 200)
    content = batch(0, range(100), compression=GZIP)
    shared = SharedBatches(content, 0)

    assert len(read(SharedRecords(PLACE, shared, [], 0, *SETTINGS), 100)) == 100
    assert len(content) < shared.size_bytes <= len(content) + 200


def test_a_damaged_answer_gives_nobody_a_record_behind_the_damage() -> None:
    """Whoever reads a batch with a wrong checksum gets the error, each time, and the answer is known as damaged."""
    damaged = bytearray(batch(5, range(5, 9)))
    damaged[-1] ^= 1
    shared = SharedBatches(batch(0, range(5)) + bytes(damaged) + batch(9, [9]), 0)
    readers = [SharedRecords(PLACE, shared, [], 0, *SETTINGS) for _ in range(2)]

    for reader in [*readers, *readers]:
        with pytest.raises(CorruptRecordException):
            reader.take(100)
        assert reader.next_fetch_offset == 0
    assert not shared.is_whole
