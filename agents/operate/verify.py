"""`tidegate verify`: proves from the bucket alone that each offset of an aggregated action was read once and each row is there.

First the ledgers are read, with each object that they name (ledgers.py); then the bucket is listed for objects of this action
that no entry names (unnamed.py). Findings and totals come as they are found, and none ends the run. Memory: some bytes for each
object that the ledger names, some objects in flight. Kafka is not asked, so this works from anywhere, also without the topic.
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
    """One aggregated action. `reports` may be asked once."""

    action: str
    parameters: AggregatedParameters
    store: S3Store
    partitions: frozenset[int] = frozenset()  # all when empty
    deep: bool = False
    sweep: bool = False
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    async def reports(self) -> AsyncIterator[Report]:
        """Everything that is found, as it is found. Raises a ConnectorError when the bucket cannot be read."""
        ledgers = LedgerReader(self.action, self.parameters, self.store, self.partitions, deep=self.deep)
        async for report in ledgers.reports():
            yield report
        async for unnamed in Unnamed(ledgers, self.now(), sweep=self.sweep).reports():
            yield unnamed
