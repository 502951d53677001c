"""Finds the record batches of a fetch, and checks them with the processor's instruction for CRC-32C.

aiokafka computes the checksum of a batch byte by byte, in C: 5.3 µs for a record of 10 kB. google-crc32c takes 0.8 µs. aiokafka
does not give the bytes of a batch, so this file finds its place in the fetch. The form of a batch:
https://kafka.apache.org/documentation/#recordbatch.
"""

from __future__ import annotations

from typing import Any, Final

import google_crc32c
from aiokafka.consumer import fetcher

from agents.stream.unpacking import VERSION, BatchRecords, records_of

IS_FAST: Final = google_crc32c.implementation == "c"
# Places in a batch. The length counts what follows it; the checksum is of what follows that.
LENGTH, LENGTH_END, MAGIC, CRC, CRC_END = 8, 12, 16, 17, 21
# The library takes bytes alone, so a batch is copied in pieces: fresh memory for all of it would cost more than its checksum.
PIECE_BYTES: Final = 1 << 16


class FetchedBatches(fetcher.MemoryRecords):  # type: ignore[misc]
    """The batches of one partition in a fetch. `is_whole` and `records` are about the one that `next_batch` gave last."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self._begin = self._end = 0

    def next_batch(self) -> Any:
        """The next batch, or None."""
        self._begin = self._end
        length = self._content[self._begin + LENGTH : self._begin + LENGTH_END]
        self._end += LENGTH_END + int.from_bytes(length)
        return super().next_batch()

    def is_whole(self, batch: Any) -> bool:
        """Whether the checksum of the batch is right."""
        content, begin = self._content, self._begin
        if not IS_FAST or content[begin + MAGIC] != VERSION:  # older forms have other checksums
            return bool(batch.validate_crc())
        told = int.from_bytes(content[begin + CRC : begin + CRC_END])
        found, at = 0, begin + CRC_END
        while at < self._end:
            until = min(self._end, at + PIECE_BYTES)
            found, at = google_crc32c.extend(found, content[at:until]), until
        return bool(found == told)

    def records(self, batch: Any) -> BatchRecords:
        """The records of the batch."""
        return records_of(batch, self._content, self._begin, self._end)
