"""Makes columns of the records of one record batch, in one of two ways with the same result.

`NativeRecords` reads the bytes of the batch with pipeline/native, where that was built. `ParsedRecords` takes the records that
aiokafka's parser makes, on other machines and for batches of older forms. Neither believes a length or a count: bytes that are
not a record raise CorruptRecordException.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from operator import lt
from struct import Struct
from typing import Any, Final, Protocol

from aiokafka import codec
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

from pipeline import native
from pipeline.columns import Columns, size_of, unbroken
from pipeline.sql.runtime.jsontext import READ_LEVELS_MAX

# Places in a batch, before its records: https://kafka.apache.org/documentation/#recordbatch.
COUNT: Final = Struct(">i")
COUNT_AT, RECORDS_AT = 57, 61
VERSION: Final = 2  # of the form of a batch
APPEND_TIME: Final = 1  # the broker gave all records of the batch one timestamp

# Records that aiokafka parses between two looks at their size.
PARSED_RECORDS: Final = 256

DECOMPRESSED: Final[dict[int, Callable[[bytes], bytes]]] = {
    1: codec.gzip_decode,
    2: codec.snappy_decode,
    3: codec.lz4_decode,
    4: codec.zstd_decode,
}
# Headers by their bytes. _records.c fills it, and keeps it small.
_KNOWN: Final[dict[bytes, Any]] = {}


class Growing:
    """Columns that grow: offsets, timestamps, keys, values and headers. `next_offset`: records before it are left out.

    `plain`: whether all values are known to be plain (see Columns).
    """

    __slots__ = ("lists", "next_offset", "plain", "size_bytes")

    def __init__(self, next_offset: int) -> None:
        self.lists: tuple[list[Any], ...] = ([], [], [], [], [])
        self.next_offset = next_offset
        self.size_bytes = 0
        self.plain = True

    def __len__(self) -> int:
        return len(self.lists[0])

    def add(self, columns: Iterable[list[Any]], size_bytes: int) -> None:
        """Add columns of further records."""
        for column, more in zip(self.lists, columns, strict=True):
            column += more
        self.added(size_bytes, plain=False)

    def added(self, size_bytes: int, *, plain: bool) -> None:
        """Count what was added to the lists. `plain`: whether all of its values are known to be."""
        self.size_bytes += size_bytes
        self.plain = self.plain and plain
        if self.lists[0]:
            self.next_offset = self.lists[0][-1] + 1

    def columns(self, topic: str, partition: int) -> Columns:
        """The columns. They must not grow any more."""
        offsets, *others = self.lists
        return Columns(topic, partition, unbroken(offsets), *others, plain=self.plain)


class BatchRecords(Protocol):
    """The records of one batch. `at_end`: all are taken."""

    at_end: bool

    def take(self, to: Growing, records_max: int, bytes_max: int) -> None:
        """Add the next records: at most this number, and until they have about these bytes. Raises CorruptRecordException."""


def records_of(batch: Any, content: bytes, begin: int, end: int) -> BatchRecords:
    """The records of aiokafka's `batch`, which is `content` from `begin` to `end`."""
    if native.unpack is None or batch.magic != VERSION:
        return ParsedRecords(batch)
    return NativeRecords(batch, memoryview(content)[begin:end])


class NativeRecords:
    """The records of a batch, read in C."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._count: int = COUNT.unpack_from(content, COUNT_AT)[0]
        self._at = RECORDS_AT
        self._section: bytes | memoryview = content
        if kind := batch.compression_type:
            if kind not in DECOMPRESSED:
                raise UnsupportedCodecError(f"there is no compression {kind}")
            self._at, self._section = 0, DECOMPRESSED[kind](bytes(content[RECORDS_AT:]))
        self._appended = batch.timestamp_type == APPEND_TIME
        self._timestamp = batch.max_timestamp if self._appended else batch.first_timestamp
        self.at_end = False

    def take(self, to: Growing, records_max: int, bytes_max: int) -> None:
        """Add the next records."""
        assert native.unpack is not None
        try:
            self._at, self._count, size_bytes, plain = native.unpack(
                self._section, self._at, self._count, self._batch.base_offset, self._timestamp, self._appended,
                to.next_offset, records_max, bytes_max, READ_LEVELS_MAX, to.lists, _KNOWN,
            )  # fmt: skip
        except ValueError as error:
            raise CorruptRecordException(f"Kafka sent bytes that are not a record: {error}") from error
        self.at_end = not self._count
        to.added(size_bytes, plain=plain)


class ParsedRecords:
    """The records of a batch, parsed by aiokafka."""

    def __init__(self, batch: Any) -> None:
        self._left: Iterator[Any] = chain(batch)  # aiokafka's own iterator begins again after its end
        self.at_end = False

    def take(self, to: Growing, records_max: int, bytes_max: int) -> None:
        """Add the next records. Their size is only known afterwards, so a few are taken first."""
        wanted, enough = min(records_max, PARSED_RECORDS), to.size_bytes + bytes_max
        while wanted > 0 and to.size_bytes < enough and not self.at_end:
            of_size = 1 + bytes_max * len(to) // (16 * to.size_bytes + 1)
            step = min(wanted, 1 + len(to), of_size)
            some = self._parsed(step)
            self.at_end = len(some) < step
            wanted -= self._add(to, some)

    def _parsed(self, count: int) -> list[Any]:
        try:
            return list(islice(self._left, count))
        except (ValueError, IndexError) as error:
            raise CorruptRecordException(f"Kafka sent bytes that are not a record: {error}") from error

    def _add(self, to: Growing, some: list[Any]) -> int:
        offsets = [each.offset for each in some]
        if offsets and (offsets[0] < to.next_offset or not all(map(lt, offsets, offsets[1:]))):
            some = list(_following(some, to.next_offset))  # a compressed batch may begin before it
            offsets = [each.offset for each in some]
        added = (
            offsets,
            [each.timestamp for each in some],
            [each.key for each in some],
            [each.value for each in some],
            [tuple(each.headers) for each in some],
        )
        to.add(added, size_of(Columns("", 0, *added)))
        return len(some)


def _following(records: Iterable[Any], next_offset: int) -> Iterator[Any]:
    """The records whose offsets follow each other, from `next_offset` on."""
    for each in records:
        if each.offset >= next_offset:
            next_offset = each.offset + 1
            yield each
