"""A fetch of one partition as columns: all offsets, all keys, all values.

A worker that makes a Record of each record of Kafka spends more on these objects than on the rule. So a fetch stays as
its columns, and whoever reads it as a sequence gets its Records, which are made on the way: a dead letter, a direct
upload, a rule that reads many fields.

Pure. agents/stream/fast_fetch.py fills columns, and pipeline/rule/lines.py reads them as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any, Final, overload

from pipeline.record import Headers, Record

# The columns, in the order of the fields of Record.
OFFSETS, TIMESTAMPS, KEYS, VALUES, HEADERS = range(5)

_VALUE: Final = itemgetter(1)
_record: Final[Any] = tuple.__new__  # the same as Record._make, with one call less


class Columns(Sequence[Record]):
    """Records of one partition in order of offset. Each column has one item for each record.

    A part of it is a view, because a fetch is evaluated in many pieces. Two reads of one record give two equal objects, so
    compare their offsets.

    `plain`: whether all values are known to be UTF-8 with so few brackets that none can nest too deeply (or null). The code in C
    sees this on its way, and so nobody looks at each value again. False says nothing.
    """

    __slots__ = ("_columns", "_span", "partition", "plain", "topic")

    def __init__(
        self,
        topic: str,
        partition: int,
        offsets: Sequence[int],
        timestamps: Sequence[int],
        keys: Sequence[bytes | None],
        values: Sequence[bytes | None],
        headers: Sequence[Headers],
        *,
        plain: bool = False,
    ) -> None:
        self.topic, self.partition, self.plain = topic, partition, plain
        self._columns: tuple[Sequence[Any], ...] = offsets, timestamps, keys, values, headers
        self._span = range(len(offsets))

    @classmethod
    def of(cls, records: Sequence[Record]) -> Columns:
        """The columns of records of one partition: those that `records` has, or new ones."""
        if isinstance(records, Columns):
            return records
        if not records:
            return cls("", 0, (), (), (), (), ())
        topics, partitions, *columns = zip(*records, strict=True)
        return cls(topics[0], partitions[0], *columns)

    @classmethod
    def joined(cls, parts: Sequence[Columns]) -> Columns:
        """The columns of parts that follow each other."""
        if len(parts) < 2:
            return parts[0] if parts else cls.of(())
        columns = zip(*[part.columns() for part in parts], strict=True)
        offsets, *others = [list(chain.from_iterable(of_parts)) for of_parts in columns]
        plain = all(part.plain for part in parts)
        return cls(parts[0].topic, parts[0].partition, unbroken(offsets), *others, plain=plain)

    def columns(self) -> tuple[Sequence[Any], ...]:
        """Offsets, timestamps, keys, values and headers."""
        here = slice(self._span.start, self._span.stop)
        return tuple([column[here] for column in self._columns])

    def part(self, columns: Iterable[int], begin: int = 0, end: int | None = None) -> list[Sequence[Any]]:
        """Some of the columns, for the records from number `begin` up to `end`, which is not included."""
        span = self._span[begin:end]
        here = slice(span.start, span.stop)
        return [self._columns[column][here] for column in columns]

    @property
    def offsets(self) -> Sequence[int]:
        """The offset of each record."""
        return self._columns[0][self._span.start : self._span.stop]

    def __len__(self) -> int:
        return len(self._span)

    def __iter__(self) -> Iterator[Record]:
        """The records. All steps run in C, because a generator would cost a third more."""
        place = repeat(self.topic), repeat(self.partition)
        return map(_record, repeat(Record), zip(*place, *self.columns(), strict=False))

    @overload
    def __getitem__(self, at: int) -> Record: ...

    @overload
    def __getitem__(self, at: slice) -> Columns: ...

    def __getitem__(self, at: int | slice) -> Record | Columns:
        if isinstance(at, slice):
            part = Columns(self.topic, self.partition, *self._columns, plain=self.plain)
            part._span = self._span[at]
            return part
        number = self._span[at]
        offset, timestamp, key, value, headers = [column[number] for column in self._columns]
        return Record(self.topic, self.partition, offset, timestamp, key, value, headers)


def unbroken(offsets: Sequence[int]) -> Sequence[int]:
    """The same offsets: as a range, if none is left out between them."""
    if offsets and offsets[-1] - offsets[0] == len(offsets) - 1:
        return range(offsets[0], offsets[-1] + 1)
    return offsets


def offsets_of(records: Sequence[Record]) -> Sequence[int]:
    """The offset of each record: a range if no offset between them is without a record."""
    return unbroken(records.offsets if isinstance(records, Columns) else [record.offset for record in records])


def size_of(records: Sequence[Record]) -> int:
    """The bytes of keys, values and headers. A device also chooses its clientid, its topic and its properties."""
    _, _, keys, values, headers = Columns.of(records).columns()
    return _bytes(keys) + _bytes(values) + _bytes(list(map(_VALUE, chain.from_iterable(headers))))


def _bytes(texts: Sequence[bytes | None]) -> int:
    try:
        return sum(map(len, texts))  # type: ignore[arg-type]
    except TypeError:  # null in a record; a search for them would be a quarter of the work for records without
        return sum(map(len, filter(None, texts)))
