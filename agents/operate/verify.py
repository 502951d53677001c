"""`tidegate verify`: proves from the bucket alone that each offset of an aggregated action was read once and each row is there.

First it reads the ledgers and each object that they name (ledgers.py). Then it lists the bucket for objects of this
action that no entry names (unnamed.py). Findings and totals come as soon as they are found, and no finding ends the
run. Memory: a few bytes for each object of the ledger, and a few objects under way. It does not ask Kafka, so it works
from any machine, also without the topic. verify_direct.py does what can be done for direct upload.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.operate import replay
from agents.operate.ledgers import LedgerReader, PartitionDone, Watch, nobody_watches
from agents.operate.unnamed import Swept, Unnamed
from agents.operate.verify_direct import DirectDone, DirectVerifier, Note
from pipeline.action import mark_of
from pipeline.config import AggregatedParameters, Config
from pipeline.connectors.s3.store import S3Store
from pipeline.upload.ledger_check import Finding

__all__ = ["DirectDone", "Note", "PartitionDone", "Report", "Swept", "Verifier", "Wish", "verify"]

Report = Finding | PartitionDone | Swept | Note


@dataclass(frozen=True, slots=True)
class Wish:
    """What a verification does. Without `partitions`, all. `into`: verify the objects of a replay below this prefix."""

    partitions: frozenset[int] = frozenset()
    into: str | None = None
    deep: bool = False
    sweep: bool = False


async def verify(
    config: Config,
    names: Sequence[str],
    wish: Wish,
    tell: Callable[[str, Report | DirectDone], None],
    watch: Watch = nobody_watches,
) -> None:
    """Verify some actions. `tell` gets each report with the name of its action. Raises a ConnectorError."""
    stores: dict[str, S3Store] = {}
    async with AsyncExitStack() as stack:
        for name in names:
            ledger = name
            if wish.into is not None:
                below = replay.prefix(wish.into)
                ledger, config = replay.ledger_name(name, below), replay.moved(config, name, below)
            action = config.actions.s3[name]
            if action.connector not in stores:
                opened = S3Store(config.connectors.s3[action.connector])
                stores[action.connector] = await stack.enter_async_context(opened)
            store = stores[action.connector]
            verifier: Verifier | DirectVerifier
            if isinstance(action.parameters, AggregatedParameters):
                verifier = Verifier(
                    ledger, action.parameters, store, wish.partitions, wish.deep, wish.sweep, watch=watch
                )
            else:
                mark = mark_of(config.pipeline, name)
                verifier = DirectVerifier(mark, action.parameters, store, wish.partitions, wish.deep)
            async for report in verifier.reports():
                tell(name, report)


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
    watch: Watch = nobody_watches

    async def reports(self) -> AsyncIterator[Report]:
        """All findings and totals, as soon as they are found. Raises a ConnectorError if the bucket cannot be read."""
        ledgers = LedgerReader(
            self.action, self.parameters, self.store, self.partitions, deep=self.deep, watch=self.watch
        )
        async for report in ledgers.reports():
            yield report
        async for unnamed in Unnamed(ledgers, self.now(), sweep=self.sweep).reports():
            yield unnamed
