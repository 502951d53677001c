"""The records of a batch, read in C and parsed by aiokafka: both give the same columns, or the same error."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import example, given
from hypothesis import strategies as st

from agents.stream.checksums import FetchedBatches
from agents.stream.unpacking import BatchRecords, Growing, ParsedRecords
from pipeline import native
from pipeline.columns import Columns, size_of
from tests.parts import record_batches
from tests.parts.native import unpack as built
from tests.parts.record_batches import (
    GZIP,
    LZ4,
    NONE,
    RECORDS_AT,
    SNAPPY,
    ZSTD,
    Written,
    are_plain,
    batch_of,
    with_section,
)

MANY = 1 << 40


@pytest.fixture(params=["c", "aiokafka"])
def _reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to read, of both."""
    if request.param == "c" and built() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(native, "unpack", built() if request.param == "c" else None)


@pytest.fixture
def _in_c(monkeypatch: pytest.MonkeyPatch) -> None:
    if built() is None:
        pytest.skip("no C compiler")
    monkeypatch.setattr(native, "unpack", built())


both_ways = pytest.mark.usefixtures("_reader")
in_c = pytest.mark.usefixtures("_in_c")


def opened(data: bytes) -> BatchRecords:
    """The records of a fetch that has one batch."""
    batches = FetchedBatches(data)
    return batches.records(batches.next_batch())


def drained(records: BatchRecords, begin: int = 0, records_max: int = MANY, bytes_max: int = MANY) -> Growing:
    """All records from offset `begin` on, taken in parts of at most these sizes."""
    found = Growing(begin)
    while not records.at_end:
        records.take(found, records_max, bytes_max)
    return found


def by_hand(data: bytes, begin: int = 0) -> list[tuple[Any, ...]]:
    """What aiokafka gives."""
    parsed = MemoryRecords(data).next_batch()
    found = [(each.offset, each.timestamp, each.key, each.value, tuple(each.headers)) for each in parsed]
    return [each for each in found if each[0] >= begin]


def rows(found: Growing) -> list[tuple[Any, ...]]:
    """The columns as one tuple for each record."""
    return list(zip(*found.lists, strict=True))


HEADERS = st.lists(
    st.tuples(st.sampled_from(["topic", "qos", "ü", ""]), st.none() | st.binary(max_size=600)), max_size=4
)
RECORD = st.tuples(
    st.integers(1, 3),
    st.integers(0, 1 << 42),
    st.none() | st.binary(max_size=40),
    st.none() | st.binary(max_size=300),
    HEADERS,
)


def placed(records: Sequence[tuple[Any, ...]]) -> list[Written]:
    """Records whose first field is the distance to the record before."""
    found, offset = [], 99
    for step, *others in records:
        offset += step
        found.append((offset, *others))
    return found  # type: ignore[return-value]


@both_ways
@given(
    records=st.lists(RECORD, min_size=1, max_size=20).map(placed),
    compression=st.sampled_from([NONE, GZIP, SNAPPY, LZ4, ZSTD]),
    append_time=st.none() | st.integers(0, 1 << 42),
    begin=st.integers(90, 130),
    records_max=st.integers(1, 30),
    bytes_max=st.integers(1, 3000),
)
def test_records_are_those_of_aiokafka(
    records: list[Written], compression: int, append_time: int | None, begin: int, records_max: int, bytes_max: int
) -> None:
    """Any records, compressed in any way, from any offset on, in parts of any size."""
    data = batch_of(100, records, compression=compression, append_time=append_time)

    found = drained(opened(data), begin, records_max, bytes_max)

    assert rows(found) == by_hand(data, begin)
    assert found.size_bytes == size_of(found.columns("m", 0))
    assert found.next_offset == max([begin, *(each[0] + 1 for each in rows(found))])


@both_ways
def test_a_part_ends_at_its_limits() -> None:
    """A part has at most as many records as are wanted, and ends with the record that reaches the bytes."""
    data = batch_of(0, [(offset, 0, None, b"x" * 1000, ()) for offset in range(40)])
    records, found = opened(data), Growing(0)

    sizes = []
    for records_max, bytes_max in ((3, MANY), (MANY, 4500), (1, 1)):
        before = len(found)
        records.take(found, records_max, bytes_max)
        sizes.append(len(found) - before)

    assert sizes == [3, 5, 1]


@both_ways
def test_records_that_do_not_follow_each_other_are_left_out() -> None:
    """Columns are in order of offset, whatever a batch says."""
    data = batch_of(10, [(offset, 0, None, b"%d" % offset, ()) for offset in (10, 12, 11, 12, 13)])

    found = drained(opened(data), 10)

    assert found.lists[0] == [10, 12, 13]
    assert found.lists[3] == [b"10", b"12", b"13"]


def number(value: int) -> bytes:
    """A varint in zigzag form."""
    value, found = (value << 1) ^ (value >> 63), bytearray()
    while value > 0x7F:
        found.append(0x80 | value & 0x7F)
        value >>= 7
    return bytes([*found, value])


def record(body: bytes, length: int | None = None) -> bytes:
    """A record: its length, attributes and body."""
    return number(len(body) + 1 if length is None else length) + b"\0" + body


BEGIN = number(0) + number(0)  # timestamp and offset
HEADER = number(1) + b"a" + number(1) + b"b"


@both_ways
@pytest.mark.parametrize(
    ("section", "count"),
    [
        pytest.param(b"", 1, id="no record"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0)), 0, id="count too low"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0)), -1, id="count negative"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0)), 2, id="count too high"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0)), (1 << 31) - 1, id="count enormous"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0), 7), 1, id="record longer than the section"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0), 5), 1, id="record shorter than its fields"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0) + b"z"), 1, id="record longer than its fields"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(0), -6), 1, id="negative length"),
        pytest.param(number(0), 1, id="record without a byte"),
        pytest.param(b"\x80" * 10 + b"\x01", 1, id="number of eleven bytes"),
        pytest.param(b"\x80" * 5, 1, id="number without an end"),
        pytest.param(record(BEGIN + number(2) + b"k"), 1, id="key beyond the end"),
        pytest.param(record(BEGIN + number(1 << 62) + b"k"), 1, id="key of exabytes"),
        pytest.param(record(BEGIN + number(-1) + number(2) + b"v"), 1, id="value beyond the end"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(-1)), 1, id="number of headers negative"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(2) + HEADER), 1, id="number of headers too high"),
        pytest.param(record(BEGIN + number(-1) * 2 + number(1 << 40) + HEADER), 1, id="number of headers enormous"),
        pytest.param(
            record(BEGIN + number(-1) * 2 + number(1) + number(-1) + number(1) + b"b"), 1, id="header without name"
        ),
        pytest.param(
            record(BEGIN + number(-1) * 2 + number(1) + number(1) + b"\xff" + number(0)), 1, id="name is not UTF-8"
        ),
        pytest.param(
            record(BEGIN + number(-1) * 2 + number(1) + number(1) + b"a" + number(9)), 1, id="header beyond the end"
        ),
    ],
)
def test_what_is_no_record_is_refused(section: bytes, count: int) -> None:
    """Lengths and counts that lie, and what ends too early or too late."""
    data = with_section(batch_of(0, [(0, 0, None, None, ())]), section, count)

    with pytest.raises(CorruptRecordException):
        drained(opened(data))


@both_ways
def test_any_negative_length_is_null() -> None:
    """As Kafka's own reader takes it."""
    section = record(BEGIN + number(-2) + number(-1000) + number(1) + number(1) + b"a" + number(-7))
    data = with_section(batch_of(0, [(0, 0, None, None, ())]), section, 1)

    assert rows(drained(opened(data))) == [(0, 0, None, None, (("a", None),))]


def outcome(records: BatchRecords) -> object:
    """What is read, or that it is refused."""
    try:
        return rows(drained(records))
    except CorruptRecordException:
        return "refused"


@in_c
@given(
    records=st.lists(RECORD, min_size=1, max_size=5).map(placed),
    count=st.none() | st.integers(-2, 8),
    changes=st.lists(st.tuples(st.sampled_from("sdit"), st.integers(0, 2000), st.integers(0, 255)), max_size=4),
)
@example(records=[(100, 0, None, None, ())], count=None, changes=[("s", 3, 0xFF)])
@example(records=[(100, 0, None, None, ())], count=None, changes=[("s", 1, 0x80)])
def test_damaged_records_are_read_or_refused_alike(
    records: list[Written], count: int | None, changes: list[tuple[str, int, int]]
) -> None:
    """Whatever became of the bytes: what C makes of them is what aiokafka makes of them."""
    whole = batch_of(100, records)
    section = bytearray(whole[RECORDS_AT:])
    for change, place, byte in changes:
        place %= len(section) + 1
        section[place:] = {
            "s": bytes([byte]) + section[place + 1 :],
            "d": section[place + 1 :],
            "i": bytes([byte]) + section[place:],
            "t": b"",
        }[change]
    data = with_section(whole, bytes(section), len(records) if count is None else count)

    assert outcome(opened(data)) == outcome(ParsedRecords(MemoryRecords(data).next_batch()))


@in_c
@given(
    section=st.binary(max_size=200),
    begin=st.integers(-2, 201),
    count=st.integers(-2, 300),
    numbers=st.tuples(*[st.integers(-(1 << 63), (1 << 63) - 1)] * 3),
    limits=st.tuples(st.integers(-1, 10), st.integers(-1, 100), st.integers(-1, 3)),
)
def test_any_bytes_end_well(
    section: bytes, begin: int, count: int, numbers: tuple[int, int, int], limits: tuple[int, int, int]
) -> None:
    """No bytes and no numbers make C read beyond them: it returns a place inside the section, or raises ValueError."""
    assert native.unpack is not None
    lists: tuple[list[Any], ...] = ([], [], [], [], [])
    base, timestamp, following = numbers
    try:
        place, left, size_bytes, plain = native.unpack(
            section, begin, count, base, timestamp, count % 2 == 0, following, *limits, lists, {}
        )
    except ValueError:
        return

    assert begin <= place <= len(section)
    assert 0 <= left <= max(count, 0)
    assert len({len(each) for each in lists}) == 1
    assert size_bytes >= 0
    assert plain in (True, False)


@in_c
def test_headers_are_remembered_within_a_limit() -> None:
    """Records with the same headers share them; many different ones do not fill the memory."""
    assert native.unpack is not None
    known: dict[bytes, Any] = {}
    for batch_number in range(3):
        headers = [("topic", b"t/1")], [("topic", b"t/1")]
        more = [(("topic", b"%d" % random.Random(batch_number * 5000 + each).getrandbits(64)),) for each in range(3000)]
        data = batch_of(0, [(offset, 0, None, b"", each) for offset, each in enumerate([*headers, *more])])
        lists: tuple[list[Any], ...] = ([], [], [], [], [])
        native.unpack(data, RECORDS_AT, 3002, 0, 0, False, 0, MANY, MANY, 0, lists, known)

        assert lists[4][0] is lists[4][1]
        assert len(lists[4]) == 3002
        assert len(known) <= 4096


@in_c
def test_wrong_arguments_are_errors() -> None:
    """What is no bytes, no list or no dict is a TypeError, and no end of the process."""
    assert native.unpack is not None
    right: list[Any] = [b"", 0, 0, 0, 0, False, 0, 1, 1, 1, ([], [], [], [], []), {}]
    for place, wrong in ((0, "text"), (1, None), (10, ([], [])), (10, ((), (), (), (), ())), (11, None)):
        with pytest.raises(TypeError):
            native.unpack(*[*right[:place], wrong, *right[place + 1 :]])

    assert native.unpack(*right) == (0, 0, 0, True)


# Texts of ASCII, of all of Unicode, and any bytes; short ones, and long ones with a few bytes in between.
PIECE = st.sampled_from(
    [b"x" * 127, b"x" * 1000, b"[" * 500, b"{" * 500, b"]};[{", "°".encode(), b"\xc2", b"\xed\xa0\x80"]
)
VALUE = (
    st.none()
    | st.binary(max_size=300)
    | st.text(max_size=300).map(str.encode)
    | st.lists(PIECE, max_size=6).map(b"".join)
)


@in_c
@given(values=st.lists(VALUE, min_size=1, max_size=6), records_max=st.integers(1, 6))
@example(values=[b"[" * 1024 + b"x" * 3000], records_max=1)
@example(values=[b"[" * 1024 + b"x" * 3000 + b"{"], records_max=1)
@example(values=[b"x" * 255 + b"\x80"], records_max=1)
@example(values=["°".encode() * 200], records_max=1)
def test_columns_are_plain_if_all_values_are(values: list[bytes | None], records_max: int) -> None:
    """UTF-8, with few brackets. One value that is not is enough, in whatever part it comes."""
    data = batch_of(0, [(offset, 0, None, value, ()) for offset, value in enumerate(values)])

    found = drained(opened(data), records_max=records_max).columns("m", 0)

    assert found.plain == are_plain(values)
    assert found[1:].plain == found.plain
    assert Columns.joined([found, found[:1]]).plain == found.plain


def test_without_c_nobody_has_looked() -> None:
    """Records that aiokafka parses are not said to be plain, and neither are those that are joined with them."""
    data = batch_of(0, [(0, 0, None, b"{}", ())])
    found = drained(ParsedRecords(MemoryRecords(data).next_batch())).columns("m", 0)

    assert not found.plain
    assert not Columns.joined([found, Columns("m", 0, [1], [0], [None], [b"{}"], [()], plain=True)]).plain


@both_ways
def test_an_unknown_compression_is_refused() -> None:
    """Three bits of a batch name its compression, and five of their values are known."""
    data = bytearray(record_batches.batch(0, [0]))
    struct.pack_into(">H", data, 21, 7)

    with pytest.raises(UnsupportedCodecError):
        drained(opened(bytes(data)))
