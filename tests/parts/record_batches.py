"""Record batches as Kafka stores them, made by aiokafka's builders; and batches that a broker would not send."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Final

from aiokafka.record.default_records import DefaultRecordBatchBuilder

from pipeline.sql.runtime.jsontext import READ_LEVELS_MAX

NONE, GZIP, SNAPPY, LZ4, ZSTD = range(5)
APPEND_TIME: Final = 0x08
CONTROL: Final = 0x20
RECORDS_AT: Final = 61  # the records begin here in a batch
BEGAN_MS: Final = 1_700_000_000_000

# Offset, timestamp, key, value and headers.
Written = tuple[int, int, bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]


def batch_of(
    base: int, records: Iterable[Written], *, compression: int = NONE, append_time: int | None = None
) -> bytes:
    """A batch of these records. `append_time`: the broker's time for all of them."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 1 << 30)
    for offset, timestamp, key, value, headers in records:
        builder.append(offset - base, timestamp, key, value, list(headers))
    data = bytearray(at(base, builder.build()))
    if append_time is not None:
        data[22] |= APPEND_TIME
        struct.pack_into(">q", data, 35, append_time)
    return bytes(data)


def batch(base: int, offsets: Sequence[int], *, compression: int = NONE) -> bytes:
    """A batch with small records at these offsets. Compaction leaves holes between them."""
    records: list[Written] = []
    for offset in offsets:
        headers = [("topic", b"t/%d" % offset), ("qos", b"1")] if offset % 2 else []
        records.append((offset, BEGAN_MS + offset, b"k" if offset % 3 else None, b"v%d" % offset, headers))
    return batch_of(base, records, compression=compression)


def of_transaction(base: int, count: int, producer: int) -> bytes:
    """A batch of a transaction of this producer."""
    builder = DefaultRecordBatchBuilder(2, NONE, 1, producer, 0, 0, 1 << 20)
    for number in range(count):
        builder.append(number, BEGAN_MS, None, b"v%d" % (base + number), [])
    return at(base, builder.build())


def marker(base: int, producer: int, *, abort: bool) -> bytes:
    """The batch that ends a transaction."""
    builder = DefaultRecordBatchBuilder(2, NONE, 1, producer, 0, -1, 1 << 20)
    builder.append(0, BEGAN_MS, (0).to_bytes(2, "big") + (0 if abort else 1).to_bytes(2, "big"), b"", [])
    data = bytearray(at(base, builder.build()))
    data[22] |= CONTROL
    return bytes(data)


def at(base: int, data: bytes) -> bytes:
    """The same batch at this offset. The checksum does not cover it, because a broker sets it."""
    return base.to_bytes(8, "big") + bytes(data)[8:]


def are_plain(values: Iterable[bytes | None]) -> bool:
    """Whether values are what Columns calls plain."""
    return all(value is None or _is_plain(value) for value in values)


def _is_plain(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return value.count(b"[") + value.count(b"{") <= READ_LEVELS_MAX


def with_section(data: bytes, section: bytes, count: int) -> bytes:
    """The batch with other bytes in the place of its records, said to be so many."""
    changed = bytearray(data[:RECORDS_AT] + section)
    struct.pack_into(">i", changed, 8, len(changed) - 12)
    struct.pack_into(">i", changed, 57, count)
    return bytes(changed)
