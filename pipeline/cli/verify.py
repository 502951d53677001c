"""`tidegate verify`: prints each finding of the verifier at once. Exit status 1 on any finding."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import ConfigFile, Output, single, tell
from pipeline.cli.waiting import waiting
from pipeline.errors import CommandError, NotFoundError

if TYPE_CHECKING:
    from pipeline.upload.ledger_check import Totals

app = single()


@app.command()
def verify(
    config: ConfigFile,
    action: Annotated[
        list[str] | None, typer.Option(help="Only this action; may be repeated. Default: all.", show_default=False)
    ] = None,
    partition: Annotated[
        list[int] | None, typer.Option(help="Only this partition; may be repeated. Default: all.", show_default=False)
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(
            metavar="PREFIX", help="Verify the objects of `replay --into PREFIX` instead.", show_default=False
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every object, compare its bytes, and hash its rows again.")
    ] = False,
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="Remove orphans whose rows are provably in objects of the ledger, too, and abort uploads that began more than a "
            "day ago. An orphan that may be the only copy of its rows stays.",
        ),
    ] = False,
    output: Output = "text",
) -> None:
    """Prove from S3 alone that nothing is lost or there twice.

    Exit status 1 on any finding.
    """
    from agents.operate.verify import Wish
    from agents.operate.verify import verify as verify_actions
    from pipeline.config.load import require_secrets
    from pipeline.control.whole import load_whole

    settings = load_whole(config, waiting)
    names = [name.removeprefix("s3:") for name in action or settings.actions.s3]
    for name in names:
        if name not in settings.actions.s3:
            raise NotFoundError.among("action", name, settings.actions.s3)
    require_secrets(settings, *(("connectors", "s3", settings.actions.s3[name].connector) for name in names))
    if into is not None and len(names) != 1:
        raise CommandError("expected one --action with --into: the action of that replay")
    printer = _Printer(output == "jsonl")
    wish = Wish(frozenset(partition or ()), into, deep, sweep)
    asyncio.run(verify_actions(settings, names, wish, printer.show))
    printer.end()
    sys.exit(1 if printer.findings else 0)


class _Printer:
    """The output: lines for people, or one JSON object a line. The last line is a summary."""

    def __init__(self, as_json: bool) -> None:
        from pipeline.upload.ledger_check import Totals

        self._as_json = as_json
        self.findings = 0
        self.totals = Totals()
        self.direct_objects = 0

    def show(self, action: str, report: Any) -> None:
        """Print one report of a verifier."""
        from agents.operate.verify import PartitionDone
        from agents.operate.verify_direct import DirectDone, Note
        from pipeline.upload.ledger_check import MEANINGS, Finding

        if isinstance(report, Finding):
            self.findings += 1
            what = {"finding": report.kind, "key": report.key, "text": report.text}
            self._print(action, what, f"{report.kind.upper()} {report.key}: {report.text} ({MEANINGS[report.kind]})")
        elif isinstance(report, PartitionDone):
            self.totals.add(report.totals)
            self._print(action, {"partition": asdict(report)}, _partition_line(report))
        elif isinstance(report, DirectDone):
            self.direct_objects += report.objects
            line = f"{report.objects:,} objects, {report.size_bytes:,} bytes; {report.unmarked:,} others say nothing of theirs"
            self._print(action, {"direct": asdict(report)}, line)
        elif isinstance(report, Note):
            self._print(action, {"note": report.text}, report.text)
        else:
            self._print(action, {"swept": asdict(report)}, f"removed {report.key}: {report.what}")

    def end(self) -> None:
        """Print the last line."""
        totals = self.totals
        if self._as_json:
            direct = {"direct_objects": self.direct_objects}
            typer.echo(json.dumps({"findings": self.findings, **asdict(totals), **direct}))
            return
        seen = (
            f"{totals.partitions} partitions, {totals.entries:,} entries, {totals.objects:,} objects,"
            f" {totals.rows:,} rows "
            f"of {totals.records:,} records ({totals.filtered:,} filtered, {totals.dead_lettered:,} dead-lettered)"
            + _without_records(totals)
        )
        direct_seen = f"{self.direct_objects:,} objects of direct upload"
        if self.findings:
            typer.echo(f"{self.findings:,} findings in {seen}" + (f"; {direct_seen}" if self.direct_objects else ""))
        elif totals.partitions:
            also = f"; {direct_seen} are whole, and no row is in two of them" if self.direct_objects else ""
            typer.echo(f"nothing lost, nothing twice: {seen}{also}")
        elif self.direct_objects:
            typer.echo(f"{direct_seen} are whole, and no row is in two of them")
        else:
            typer.echo("no ledger found: the action has not written anything yet, or the ledger is in another bucket")

    def _print(self, action: str, fields: dict[str, Any], line: str) -> None:
        tell(json.dumps({"action": action, **fields}) if self._as_json else f"{action}: {line}")


def _partition_line(report: Any) -> str:
    totals = report.totals
    span = "no offsets" if report.next in (None, report.first) else f"offsets {report.first} to {report.next - 1}"
    return (
        f"{report.topic}/{report.partition}: {span} in {totals.entries} entries; {totals.objects} objects, "
        f"{totals.rows} rows, {totals.filtered} filtered, {totals.dead_lettered} dead-lettered"
        + _without_records(totals)
    )


def _without_records(totals: Totals) -> str:
    """Offsets that count for something and hold no record any more, or never did."""
    text = f", {totals.absent:,} offsets without a record" if totals.absent else ""
    return text + (f", {totals.gone:,} records gone from Kafka before they were read" if totals.gone else "")
