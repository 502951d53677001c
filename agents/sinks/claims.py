"""Redriven dead letters in an aggregated lane: decides which of their records make rows.

1. The ledger's entry over the failed record must be of the run that failed. Otherwise its rows are somewhere else.
2. The first record that repeats a failure claims it. Any other record makes no rows.

A claim holds whatever the ledger says later. pipeline/upload/claims.py explains both rules. Each redriven letter takes
one or two requests, and other records take none.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from agents.lanes.lane import Partition
from agents.metrics import REDRIVEN
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.chain import Chain
from pipeline.record import Record
from pipeline.redriven import Failure, RecordPlace, of_letter
from pipeline.rule.batch import RowBatch
from pipeline.upload import claims
from pipeline.upload.claims import ClaimedPart, Standing
from pipeline.upload.ledger import Entry

REQUESTS_AT_ONCE_MAX: Final = 16


class Standings:
    """The standings of letters in an action's ledger. Ask in order, because only the last entry is cached."""

    def __init__(self, writer: AggregatedWriter) -> None:
        self._writer = writer
        self._last: tuple[RecordPlace, Entry] | None = None

    async def of(self, failure: Failure) -> Standing:
        """The standing of one letter."""
        chain_of = failure.place._replace(offset=0)
        if self._last is not None and self._last[0] == chain_of:
            entry = self._last[1]
            if entry.first <= failure.place.offset < entry.next:
                return claims.standing(failure, entry, None)
        topic, partition, _, topic_id = failure.place
        chain = Chain(self._writer, Partition(topic, partition), topic_id)
        over = await chain.over(failure.place.offset)
        if over is not None:
            self._last = chain_of, over
            return claims.standing(failure, over, None)
        return claims.standing(failure, None, await chain.start())


class Claims:
    """The claims of one action. A replay uses the action's claims too, whatever the name of its own ledger is."""

    def __init__(self, writer: AggregatedWriter) -> None:
        self._writer = replace(writer, name=writer.action.name)
        self._gate = asyncio.Semaphore(REQUESTS_AT_ONCE_MAX)

    async def kept(self, batch: RowBatch, begin: int, topic_id: str = "") -> RowBatch:
        """The batch without the rows, from offset `begin` on, of letters that have no claim.

        The result is final: the lane need not ask again for these records.
        """
        asked = [record for record in batch.redriven if record.offset >= begin]
        standings = Standings(self._writer)
        stands = [await standings.of(of_letter(record).failure) for record in asked]
        carries = await asyncio.gather(
            *[self._carries(record, stand, topic_id) for record, stand in zip(asked, stands, strict=True)]
        )
        out = {record.offset for record, its in zip(asked, carries, strict=True) if not its}
        kept = batch.without(lambda record, rule, row: record.offset in out) if out else batch
        return replace(kept, redriven=[])

    async def _carries(self, record: Record, standing: Standing, topic_id: str) -> bool:
        async with self._gate:
            key = claims.key(self._writer.name, of_letter(record).failure)
            claim = claims.encode(RecordPlace(record.topic, record.partition, record.offset, topic_id))
            if standing in (Standing.COUNTS, Standing.UNKNOWN):
                headers = {**self._writer.action.ledger_headers, "content-type": "application/json"}
                created = await self._writer.store.create(self._writer.bucket, key, claim, headers) is not None
                carries = created or await self._writer.store.get(self._writer.bucket, key) == claim
            else:
                carries = await self._writer.store.get(self._writer.bucket, key) == claim
        outcome = "taken" if carries else "over" if standing in (Standing.OVER, Standing.OPEN) else "repeated"
        REDRIVEN.labels(self._writer.name, outcome).inc()
        return carries

    async def of(self, partition: RecordPlace, first: int, end: int) -> dict[int, set[ClaimedPart]]:
        """The claims on a partition's records: by offset, the rules and rows that other records carry."""
        prefix = claims.prefix(self._writer.name, partition)
        found: dict[int, set[ClaimedPart]] = {}
        async for key in self._writer.store.keys(self._writer.bucket, prefix, after=claims.before(prefix, first)):
            offset = claims.offset_of(key)
            if offset >= end:
                break
            found.setdefault(offset, set()).add(claims.part_of(key))
        return found


def without_claimed(batch: RowBatch, claimed: dict[int, set[ClaimedPart]]) -> RowBatch:
    """A batch without the rows and dead letters that other records carry."""
    return batch.without(
        lambda record, rule, row: any(
            (not its_rule or its_rule == rule) and (its_row is None or row is None or its_row == row)
            for its_rule, its_row in claimed.get(record.offset, ())
        )
    )
