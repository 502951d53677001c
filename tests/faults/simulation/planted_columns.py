"""Bugs of kept columns, one class each, as in planted.py: the real lane with one rule broken, to see that the checkers notice."""

from __future__ import annotations

from dataclasses import replace

from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import ObjectFacts
from pipeline.upload.buffer import Chunk, Group
from pipeline.upload.ledger import ChainEnd


class ForgetsColumnsAtATakeOver(AggregatedLane):
    """Whoever goes on from an entry begins with no columns."""

    async def _go_on(self, chain_end: ChainEnd, read_before: int = 0) -> None:
        await super()._go_on(replace(chain_end, columns=()), read_before)


class TakesItsColumnsForAnothers(AggregatedLane):
    """An object that another worker made counts as made with the columns of this cut."""

    async def _adopt(self, bucket: str, key: str, group: Group) -> tuple[ObjectFacts, int]:
        found, rows = await super()._adopt(bucket, key, group)
        return found._replace(kept=len(self._cut.kept)), rows


class KeepsColumnsOfTheSameCut(AggregatedLane):
    """An object has the columns of those that were stored before it in its cut, and whoever makes it again does not know them."""

    async def _create(self, bucket: str, key: str, chunk: Chunk, epoch: int) -> ObjectFacts | None:
        self._cut.kept = self._cut.columns
        return await super()._create(bucket, key, chunk, epoch)
