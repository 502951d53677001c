"""`tidegate verify`: proves from the bucket alone that each offset of an aggregated action was read once and each row is there.

First it reads the ledgers and each object that they name (ledgers.py). Then it lists the bucket for objects of this
action that no entry names (unnamed.py). Findings and totals come as soon as they are found, and no finding ends the
run. Memory: a few bytes for each object of the ledger, and a few objects under way. It does not ask Kafka, so it works
from any machine, also without the topic.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.operate.ledgers import LedgerReader, PartitionDone
from agents.operate.unnamed import Swept, Unnamed
from pipeline.config import AggregatedParameters
from pipeline.connectors.s3.store import S3Store
from pipeline.upload.ledger_check import Finding

__all__ = ["PartitionDone", "Report", "Swept", "Verifier"]

Report = Finding | PartitionDone | Swept


@dataclass
class Verifier:
    """Verifies one aggregated action. Call `reports` once."""

    action: str
    parameters: AggregatedParameters
    store: S3Store
    partitions: frozenset[int] = frozenset()  # empty: all
    deep: bool = False
    sweep: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def reports(self) -> AsyncIterator[Report]:
        """All findings and totals, as soon as they are found. Raises a ConnectorError if the bucket cannot be read."""
        ledgers = LedgerReader(self.action, self.parameters, self.store, self.partitions, deep=self.deep)
        async for report in ledgers.reports():
            yield report
        async for unnamed in Unnamed(ledgers, self.now(), sweep=self.sweep).reports():
            yield unnamed
