"""The work of an operator for `tidegate api`: what the commands do, as the `Operator` that the API is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agents.operate import entries, redrive, replay, replaying
from agents.operate.ledgers import PartitionDone
from agents.operate.verify import DirectDone, Note, Report, Wish, verify
from pipeline.config import Config
from pipeline.connectors.s3.store import S3Store
from pipeline.dead_letter import Letter
from pipeline.operation import Proof, Range, Sent, Talk, Verdict
from pipeline.upload.ledger import ChainPlace, Entry
from pipeline.upload.ledger_check import Finding
from pipeline.upload.object_check import ObjectMarks


class Operations:
    """An `Operator` (pipeline/operation.py)."""

    async def entry_over(self, config: Config, name: str, store: S3Store, written: ObjectMarks) -> Entry | None:
        """As `Operator` says."""
        return await entries.entry_over(config, name, store, written)

    async def verify(self, config: Config, name: str, wanted: Proof, verdict: Verdict) -> None:
        """As `Operator` says."""
        ledger = name if wanted.into is None else replay.ledger_name(name, replay.prefix(wanted.into))

        def tell(_: str, report: Report | DirectDone) -> None:
            if isinstance(report, Finding):
                verdict.finding(report)
            elif isinstance(report, PartitionDone):
                verdict.partition(ChainPlace(ledger, report.topic, report.topic_id, report.partition), report.totals)
            elif isinstance(report, DirectDone):
                verdict.direct(report.objects, report.size_bytes, report.unmarked)
            elif isinstance(report, Note):
                verdict.note(report.text)

        wish = Wish(wanted.partitions, wanted.into, wanted.deep)
        await verify(config, [name], wish, tell, verdict.entry)

    async def replay(self, config: Config, name: str, wanted: Range, into: str | None, talk: Talk) -> bool:
        """As `Operator` says."""
        return await replaying.run(config, name, wanted, into, talk)

    async def redrive(
        self,
        config: Config,
        letters: Iterator[Letter],
        tell: Callable[[str], None],
        *,
        unproven: bool,
        dry_run: bool,
    ) -> Sent:
        """As `Operator` says."""
        return await redrive.send_all(config, letters, tell, unproven=unproven, dry_run=dry_run)
